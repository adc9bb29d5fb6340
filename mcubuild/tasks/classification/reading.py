"""Which class a network's outputs name: the largest of several units, or one unit on either side of a threshold."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.splits import Index
from mcubuild.ir.graph import Graph
from mcubuild.spec.detection import DetectionSettings
from mcubuild.tasks import Metric
from mcubuild.tasks.classification import ACCURACY
from mcubuild.tasks.interval import wilson


@dataclass(frozen=True)
class Classification:
    """How the outputs of a network are read: bytes, as int8 (N, bytes), flattened and side by side."""

    units: int
    """Elements of the output whose classes they are."""
    scale: float
    """Real value of one step of that output."""
    zero_point: int
    first: int = 0
    """Bytes that the network puts out before it."""
    threshold: float | None = None
    """Real value of the only unit above which the answer is class 1. ``None``: the largest of several is the answer."""
    probabilities: bool = False
    """Whether real values are probabilities, rather than logits."""

    bits: Literal[8, 16, 32] = 8
    """Of an element of that output."""

    @classmethod
    def of(cls, index: Index, graph: Graph, settings: DetectionSettings) -> "Classification":
        """That of a network with one output of a logit a class, (1, classes)."""
        output = graph.tensor(graph.outputs[0])
        assert output.quantization is not None, "a quantised graph"
        return cls(output.shape[1], output.quantization.scale[0], output.quantization.zero_point)

    @property
    def metric(self) -> Metric:
        """The accuracy."""
        return ACCURACY

    @property
    def classes(self) -> int:
        """Classes that there are to answer with."""
        return 2 if self.units == 1 else self.units

    def scores(self, outputs: NDArray[np.int8]) -> NDArray[np.float64]:
        """Real values (N, classes), the largest of which is the answer; of a single unit, how far it is beyond."""
        part = np.ascontiguousarray(outputs[:, self.first : self.first + self.units * self.bits // 8])
        levels = part.view(f"<i{self.bits // 8}").astype(np.float64)
        return self.weighed(self.scale * (levels - self.zero_point))

    def weighed(self, units: NDArray[np.float64]) -> NDArray[np.float64]:
        """What ``scores`` are of real values of the output's units, (N, units)."""
        if self.threshold is None:
            return units
        return np.hstack([self.threshold - units, units - self.threshold])

    def answers(self, outputs: NDArray[np.int8]) -> NDArray[np.int64]:
        """Classes (N,); of several that are equally large, and of a unit at its threshold, the first."""
        return np.asarray(self.scores(outputs).argmax(axis=1), np.int64)

    def ties(self, outputs: NDArray[np.int8]) -> NDArray[np.bool_]:
        """Which classes (N, classes) are as large as any."""
        scores = self.scores(outputs)
        return np.asarray(scores == scores.max(axis=1, keepdims=True), np.bool_)

    def confidences(self, outputs: NDArray[np.int8]) -> NDArray[np.float64]:
        """Probabilities (N, classes): outputs as they are, or what softmax (of one unit: logistic) makes of logits."""
        scores = self.scores(outputs)
        if self.probabilities:
            return scores if self.threshold is None else scores + np.array([1 - self.threshold, self.threshold])
        if self.threshold is not None:
            scores = scores / 2  # which are as far apart as the logit is from the threshold
        odds = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-np.inf))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True), np.float64)

    def completed(self, outputs: NDArray[np.int8], inputs: NDArray[np.int8]) -> NDArray[np.int8]:
        """The ``outputs``: the device leaves it at that."""
        return outputs

    def right(self, outputs: NDArray[np.int8], targets: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which answers (N,) are those of the labels ``targets`` (N,)."""
        return np.asarray(self.answers(outputs) == targets, np.bool_)

    def score(self, outputs: NDArray[np.int8], targets: NDArray[np.int64]) -> float:
        """The accuracy."""
        return float(self.right(outputs, targets).mean())

    def interval(self, outputs: NDArray[np.int8], targets: NDArray[np.int64]) -> tuple[float, float]:
        """Wilson's, of the accuracy."""
        return wilson(self.score(outputs, targets), len(outputs))


def after(index: Index, graph: Graph, settings: DetectionSettings) -> None:
    """Nothing: the largest output is the answer, which the user's code asks for."""


READING = Classification
