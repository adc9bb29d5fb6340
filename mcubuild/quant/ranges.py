"""The ranges of activations, observed while the float network sees calibration samples."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal, TypeAlias

import torch
from torch import Tensor, nn

from mcubuild.data.splits import Split
from mcubuild.nas.training.batches import evaluation_batches
from mcubuild.progress import Bar, bar

Range: TypeAlias = tuple[float, float]
Observer: TypeAlias = Callable[[str, Tensor], None]
"""What is shown the values of a tensor, by name."""
Method: TypeAlias = Literal["minmax", "percentile"]
"""``minmax``: all that was seen; ``percentile``: the central 99.99 %."""

TAIL: Final = 0.5e-4
"""Share of the values that ``percentile`` leaves outside on each side: 99.99 % are inside."""
_BINS: Final = 1 << 14
"""Of the histogram between smallest and largest value: far finer than the 256 steps of int8."""


@torch.no_grad()
def observe(network: nn.Module, operators: Sequence[str], samples: Split, method: Method) -> dict[str, Range]:
    """Range of the output of each submodule in ``operators``.

    Args:
        network: in evaluation mode.
        operators: names of submodules, as in the skeleton.
        samples: at the network's resolution.
        method: which range.
    """
    images = [batch for batch, _ in evaluation_batches(samples)]
    return ranges(lambda show, progress: _pass(network, operators, images, show, progress), len(images), method)


def ranges(run: Callable[[Observer, Bar], None], steps: int, method: Method) -> dict[str, Range]:
    """Range by name of all that ``run`` shows.

    Args:
        run: shows the same each time that it is called, and advances the bar by ``steps``.
        steps: of a run.
        method: which range.
    """
    with bar("calibrate", steps * (1 if method == "minmax" else 2)) as progress:
        extremes = _Extremes()
        run(extremes.add, progress)
        if method == "minmax":
            return extremes.ranges
        histograms = _Histograms(extremes.ranges)
        run(histograms.add, progress)
        return histograms.central()


class _Extremes:
    """Smallest and largest value by operator."""

    def __init__(self) -> None:
        self.ranges: dict[str, Range] = {}

    def add(self, name: str, values: Tensor) -> None:
        low, high = float(values.min()), float(values.max())
        before = self.ranges.get(name, (low, high))
        self.ranges[name] = (min(low, before[0]), max(high, before[1]))


class _Histograms:
    """Counts of the values between the extremes, by operator: memory does not grow with the samples."""

    def __init__(self, extremes: dict[str, Range]) -> None:
        self._extremes = extremes
        self._counts = {name: torch.zeros(_BINS, dtype=torch.float64) for name in extremes}

    def add(self, name: str, values: Tensor) -> None:
        low, high = self._extremes[name]
        if low < high:
            self._counts[name] += torch.histc(values.float(), _BINS, low, high).double()

    def central(self) -> dict[str, Range]:
        """The smallest ranges of whole bins that leave at most ``TAIL`` of the values outside on each side."""
        return {name: self._central(name) for name in self._counts}

    def _central(self, name: str) -> Range:
        low, high = self._extremes[name]
        below = torch.cumsum(self._counts[name], 0)
        total = float(below[-1])
        if total == 0:
            return low, high
        width = (high - low) / _BINS
        first = int((below <= TAIL * total).sum())
        last = int((below < (1 - TAIL) * total).sum())
        return low + first * width, low + (last + 1) * width


def _pass(
    network: nn.Module,
    operators: Sequence[str],
    images: Iterable[Tensor],
    show: Observer,
    progress: Bar,
) -> None:
    """Run the network on all ``images`` and show what each operator gives."""

    def hook_of(name: str) -> Callable[[nn.Module, object, Tensor], None]:
        return lambda _module, _inputs, output: show(name, output)

    handles = [network.get_submodule(name).register_forward_hook(hook_of(name)) for name in operators]
    try:
        for batch in images:
            network(batch)
            progress.advance()
    finally:
        for handle in handles:
            handle.remove()
