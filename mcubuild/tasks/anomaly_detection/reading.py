"""How anomalous an autoencoder's outputs say that recordings are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.splits import Index, Targets
from mcubuild.ir.graph import Graph
from mcubuild.spec.detection import DetectionSettings
from mcubuild.tasks import Metric
from mcubuild.tasks.anomaly_detection import AUC
from mcubuild.tasks.anomaly_detection.errors import ERROR_BYTES, Errors
from mcubuild.tasks.anomaly_detection.roc import area, interval, of_recordings
from mcubuild.tasks.reading import Outputs


@dataclass(frozen=True)
class Anomaly:
    """How the outputs of an autoencoder are read: int8 (N, values + ``ERROR_BYTES``)."""

    errors: Errors

    def __post_init__(self) -> None:
        if isinstance(self.errors, dict):  # of a JSON file
            object.__setattr__(self, "errors", Errors(**self.errors))

    @classmethod
    def of(cls, index: Index, graph: Graph, settings: DetectionSettings | None, threshold: int = 0) -> "Anomaly":
        """That of a network with one input and one output of as many values."""
        return cls(_errors(graph, threshold))

    @property
    def metric(self) -> Metric:
        """The area under the ROC curve."""
        return AUC

    @property
    def classes(self) -> int:
        """Normal and anomalous."""
        return 2

    def completed(self, outputs: Outputs, inputs: NDArray[np.int8]) -> Outputs:
        """The network's ``outputs`` (N, values), and behind them the error that the device finds."""
        found = self.errors.errors(inputs, outputs).astype("<u4")
        return np.hstack([outputs, found[:, None].view(np.int8)])

    def window_errors(self, outputs: Outputs) -> NDArray[np.int64]:
        """Of each window (N,), in (level / 16)^2."""
        found = np.ascontiguousarray(outputs[:, -ERROR_BYTES:]).view("<u4")
        return np.asarray(found[:, 0], np.int64)

    def judged(self, outputs: Outputs, targets: Targets) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Mean error and label of each recording."""
        return of_recordings(self.window_errors(outputs).astype(np.float64), targets)

    def right(self, outputs: Outputs, targets: Targets) -> NDArray[np.bool_] | None:
        """None: windows are not right or wrong one by one."""
        return None

    def score(self, outputs: Outputs, targets: Targets) -> float:
        """The area under the ROC curve; 0 where there are no pairs."""
        return area(*self.judged(outputs, targets)) or 0.0

    def interval(self, outputs: Outputs, targets: Targets) -> tuple[float, float]:
        """Of the area."""
        scores, labels = self.judged(outputs, targets)
        normal = int((labels == 0).sum())
        return interval(area(scores, labels) or 0.0, normal, len(labels) - normal)


def _errors(graph: Graph, threshold: int) -> Errors:
    one, other = graph.tensor(graph.inputs[0]), graph.tensor(graph.outputs[0])
    assert one.quantization is not None and other.quantization is not None, "a quantised graph"
    step = one.quantization.scale[0]
    # Level 0 of the input stands for 0, as int8 = level - 128 with that zero point.
    return Errors(one.elements, other.quantization.scale[0] / step, other.quantization.zero_point, threshold)


def after(index: Index, graph: Graph, settings: DetectionSettings, threshold: int) -> Errors:
    """What the device does with input and output of ``graph``."""
    return _errors(graph, threshold)


def chosen(reads: Anomaly, outputs: Outputs, targets: Targets, false_alarms: float) -> int:
    """The threshold above which at most a share ``false_alarms`` of normal validation recordings lie.

    Args:
        reads: how outputs are read; its threshold does not matter.
        outputs: of the validation samples, completed.
        targets: labels and recordings (N, 2).
        false_alarms: 0 ... 1.
    """
    scores, labels = reads.judged(outputs, targets)
    normal = np.sort(scores[labels == 0])
    allowed = int(false_alarms * len(normal))
    return int(np.ceil(normal[len(normal) - 1 - allowed]))


READING = Anomaly
