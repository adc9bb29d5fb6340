"""What the bytes of a quantised network's outputs say, and how good that is."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.splits import Index, Targets
from mcubuild.ir.graph import Graph
from mcubuild.spec.detection import DetectionSettings
from mcubuild.tasks import DEFAULT, Metric, in_room

Outputs = NDArray[np.int8]
"""Bytes (N, bytes) of all outputs of a network, flattened and side by side, and what the device computes of them."""
Interval = tuple[float, float]


class Reading(Protocol):
    """How the outputs of a network are read: a frozen dataclass of plain values."""

    @property
    def metric(self) -> Metric:
        """What ``score`` is."""

    @property
    def classes(self) -> int:
        """Classes that there are to answer with."""

    def completed(self, outputs: Outputs, inputs: NDArray[np.int8]) -> Outputs:
        """The network's ``outputs``, and behind them what the device computes of them and of ``inputs`` (N, ...)."""

    def score(self, outputs: Outputs, targets: Targets) -> float:
        """How good the answers are together."""

    def interval(self, outputs: Outputs, targets: Targets) -> Interval:
        """Ends of the 95 % interval of the score."""

    def right(self, outputs: Outputs, targets: Targets) -> NDArray[np.bool_] | None:
        """Which answers (N,) are right, where samples are right or wrong one by one."""


def reading(index: Index, graph: Graph, settings: DetectionSettings, threshold: int | None = None) -> Reading:
    """How the outputs of ``graph``, trained on the data set with this ``index``, are read.

    A ``threshold`` is what the validation samples said, for tasks that have one.
    """
    known = () if threshold is None else (threshold,)
    made: Reading = in_room(index.task, __name__).READING.of(index, graph, settings, *known)
    return made


def after(index: Index, graph: Graph, settings: DetectionSettings, threshold: int | None = None) -> Any:
    """What the device does with the outputs of ``graph``, for the engine's templates; None: nothing."""
    known = () if threshold is None else (threshold,)
    return in_room(index.task, __name__).after(index, graph, settings, *known)


def restored(values: Mapping[str, Any] | None, task: str | None = None) -> Reading | None:
    """The reading whose fields are ``values``, as accuracy.json has them; None: no targets are known."""
    made: Reading | None = None if values is None else in_room(task or DEFAULT, __name__).READING(**values)
    return made
