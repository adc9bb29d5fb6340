"""The ranges of activations, observed while the float network sees calibration samples."""

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import product
from typing import Final, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from mcubuild.data.splits import Split
from mcubuild.ir.graph import INT4
from mcubuild.nas.training.batches import image_batches
from mcubuild.progress import Bar, bar
from mcubuild.quant.scales import activation

Range: TypeAlias = tuple[float, float]
Observer: TypeAlias = Callable[[str, Tensor], None]
"""What is shown the values of a tensor, by name."""
Method: TypeAlias = Literal["minmax", "percentile"]
"""``minmax``: all that was seen; ``percentile``: the central 99.99 %."""

TAIL: Final = 0.5e-4
"""Share of the values that ``percentile`` leaves outside on each side: 99.99 % are inside."""
_SHARES: Final = np.linspace(0.05, 1.0, 20)
"""Of the smallest and of the largest value: candidates for the ends of what 4 bits represent."""
_BINS: Final = 1 << 14
"""Of the histogram between smallest and largest value: far finer than the 256 steps of int8."""


@torch.no_grad()
def observe(
    network: nn.Module, operators: Sequence[str], samples: Split, method: Method, narrow: Collection[str] = ()
) -> dict[str, Range]:
    """Range of the output of each submodule in ``operators``.

    Args:
        network: in evaluation mode.
        operators: names of submodules, as in the skeleton.
        samples: at the network's resolution.
        method: which range.
        narrow: as of ``ranges``: those of ``operators`` whose outputs have 4 bits.
    """
    images = list(image_batches(samples))
    return ranges(lambda show, progress: _pass(network, operators, images, show, progress), len(images), method, narrow)


def ranges(
    run: Callable[[Observer, Bar], None], steps: int, method: Method, narrow: Collection[str] = ()
) -> dict[str, Range]:
    """Range by name of all that ``run`` shows.

    Args:
        run: shows the same each time that it is called, and advances the bar by ``steps``.
        steps: of a run.
        method: which range.
        narrow: names of what has 4 bits: instead, the range whose integers are nearest to the values by squared error.
    """
    once = method == "minmax" and not narrow
    with bar("calibrate", steps * (1 if once else 2)) as progress:
        extremes = _Extremes()
        run(extremes.add, progress)
        if once:
            return extremes.ranges
        histograms = _Histograms(extremes.ranges)
        run(histograms.add, progress)
        wide = extremes.ranges if method == "minmax" else histograms.central()
        return {name: histograms.nearest(name) if name in narrow else found for name, found in wide.items()}


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

    def nearest(self, name: str) -> Range:
        """The range that 4 bits represent best."""
        (low, high), counts = self._extremes[name], self._counts[name].numpy()
        middles = low + (np.arange(_BINS) + 0.5) * (high - low) / _BINS
        middles, counts = middles[counts > 0], counts[counts > 0]
        best, least = (low, high), np.inf
        for below, above in product(_SHARES if low < 0 else (1.0,), _SHARES if high > 0 else (1.0,)):
            quantization = activation(below * low, above * high, INT4)
            scale, zero_point = quantization.scale[0], quantization.zero_point
            levels = np.clip(np.round(middles / scale) + zero_point, *INT4)
            error = float(np.dot(counts, np.square(scale * (levels - zero_point) - middles)))
            if error < least:
                best, least = (below * low, above * high), error
        return best

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
