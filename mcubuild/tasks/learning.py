"""What training needs to know of a task."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from mcubuild.data.splits import Index, Pixels, Targets
from mcubuild.tasks import Metric, in_room


class Learning(Protocol):
    """How the networks for a data set learn their task: a frozen dataclass of plain values."""

    @property
    def metric(self) -> Metric:
        """What ``score`` is."""

    @property
    def longest(self) -> float | None:
        """Length that a step's gradient is cut to, where single samples may pull too hard; None: as long as it is."""

    @property
    def taught(self) -> bool:
        """Whether the network that was chosen learns from the largest one of its space, too."""

    def begin(self, bias: Tensor) -> None:
        """Set the last layer's bias (outputs,), in place, of a network that has learned nothing; it is 0 before."""

    def wanted(self, x: Pixels, y: Targets) -> Targets:
        """What answers to the samples ``x`` with these targets are compared with (N, ...): most often the targets."""

    def suited(self, samples: int) -> "Learning":
        """The same for so many samples to learn from."""

    def vary(
        self, x: Pixels, y: Targets, rng: np.random.Generator, noise: Pixels | None = None
    ) -> tuple[Pixels, Targets]:
        """Each training sample varied on its own, and what is ``wanted`` with it; ``x`` and ``y`` stay as they are.

        Args:
            x: the samples.
            y: their targets.
            rng: where chance comes from.
            noise: of the same side, (M, R, R, C), for tasks that mix it into samples.
        """

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        """What training makes small, a scalar.

        Args:
            outputs: of the network, (N, ...).
            targets: (N, ...).
            smoothing: share of the labels' probability that is spread over all classes.
        """

    def distillation(self, outputs: Tensor, teacher: Tensor) -> Tensor:
        """The loss of ``outputs`` against those of a ``teacher``, a scalar."""

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of each sample, (N,), without smoothing."""

    def hits(self, outputs: Tensor, targets: Tensor) -> tuple[int, int]:
        """How many of the things that the targets ask for are right, and how many they ask for: cheap, for progress."""

    def score(self, outputs: Tensor, targets: Tensor) -> float:
        """How good all these answers are together."""

    def interval(self, outputs: Tensor, targets: Tensor) -> tuple[float, float]:
        """Ends of the 95 % interval of the score."""

    def agreement(self, outputs: Tensor, others: Tensor) -> float | None:
        """Share of the answers that two networks have in common; None where that is not defined."""


def learning(index: Index) -> Learning:
    """How networks for the data set with this ``index`` learn."""
    made: Learning = in_room(index.task, __name__).LEARNING.of(index)
    return made


def to_json(learning: Learning) -> dict[str, Any]:
    """Plain values for a JSON file."""
    return {"module": type(learning).__module__, "values": dict(vars(learning))}


def from_json(content: Mapping[str, Any]) -> Learning:
    """What ``to_json`` described."""
    made: Learning = import_module(content["module"]).LEARNING(**content["values"])
    return made
