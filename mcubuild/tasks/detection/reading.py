"""What a detector's outputs say: the boxes that the device made of them, behind the bytes of the output itself."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.boxes import unpacked
from mcubuild.data.splits import Index, Targets
from mcubuild.errors import BuildError
from mcubuild.ir.graph import Graph
from mcubuild.spec.detection import DetectionSettings
from mcubuild.tasks import Metric
from mcubuild.tasks.detection import MEAN_AP, OVERLAP
from mcubuild.tasks.detection.average_precision import Judged, average_precision, judge
from mcubuild.tasks.detection.boxes import Detections
from mcubuild.tasks.detection.decode import BOX_BYTES, Decoding, DeviceBoxes
from mcubuild.tasks.reading import Outputs


@dataclass(frozen=True)
class Detection:
    """How the outputs of a detector are read: int8 (N, elements of the output + ``BOX_BYTES`` * most)."""

    decoding: Decoding

    def __post_init__(self) -> None:
        if isinstance(self.decoding, dict):  # of a JSON file
            fields = dict(self.decoding)
            fields |= {key: tuple(fields[key]) for key in ("grid", "input")}
            fields["anchors"] = tuple(map(tuple, fields["anchors"]))
            object.__setattr__(self, "decoding", Decoding(**fields))

    @classmethod
    def of(cls, index: Index, graph: Graph, settings: DetectionSettings) -> "Detection":
        """That of a network with one output, (1, rows, columns, anchors * (5 + classes))."""
        return cls(after(index, graph, settings))

    @property
    def metric(self) -> Metric:
        """The mean average precision."""
        return MEAN_AP

    @property
    def classes(self) -> int:
        """Of boxes."""
        return self.decoding.classes

    def completed(self, outputs: Outputs, inputs: NDArray[np.int8]) -> Outputs:
        """The network's ``outputs`` (N, elements), and behind them the boxes that the device makes of them."""
        rows = np.zeros((len(outputs), self.decoding.most, BOX_BYTES // 2), np.uint16)
        for row, output in zip(rows, outputs, strict=True):
            boxes = self.decoding.boxes(output)
            row[: len(boxes), :4], row[: len(boxes), 4], row[: len(boxes), 5] = (
                boxes.corners, boxes.classes, boxes.scores,
            )  # fmt: skip
        return np.hstack([outputs, rows.astype("<u2").reshape(len(outputs), -1).view(np.int8)])

    def boxes(self, outputs: Outputs) -> list[DeviceBoxes]:
        """Those of each sample, from the highest score down."""
        size = self.decoding.most * BOX_BYTES
        rows = np.ascontiguousarray(outputs[:, -size:]).view("<u2").reshape(len(outputs), -1, BOX_BYTES // 2)
        found = []
        for row in rows.astype(np.int64):
            there = row[row[:, 5] > 0]  # no box has the score 0
            found.append(DeviceBoxes(there[:, :4], there[:, 4], there[:, 5]))
        return found

    def detections(self, outputs: Outputs) -> list[Detections]:
        """Those of each sample, as shares of its picture."""
        return [boxes.detections(self.decoding) for boxes in self.boxes(outputs)]

    def judged(self, outputs: Outputs, targets: Targets) -> list[Judged]:
        """What is right of them, by class."""
        return judge(unpacked(targets.astype(np.float32)), self.detections(outputs), self.classes, OVERLAP)

    def right(self, outputs: Outputs, targets: Targets) -> NDArray[np.bool_] | None:
        """None: pictures are not right or wrong as a whole."""
        return None

    def score(self, outputs: Outputs, targets: Targets) -> float:
        """The mean average precision; 0 where there is nothing to be found."""
        found = [of_class.average_precision("area") for of_class in self.judged(outputs, targets)]
        known = [one for one in found if one is not None]
        return sum(known) / max(1, len(known))

    def interval(self, outputs: Outputs, targets: Targets) -> tuple[float, float]:
        """By draws of pictures."""
        return average_precision(self.judged(outputs, targets)).interval


def after(index: Index, graph: Graph, settings: DetectionSettings) -> Decoding:
    """What the device does with the output of ``graph``, for the data set with this ``index``.

    Raises:
        BuildError: it has another output than such a detector.
    """
    head, output = index.detector, graph.tensor(graph.outputs[0])
    assert head is not None, "a data set with boxes"
    assert output.quantization is not None, "a quantised graph"
    given, wanted = graph.tensor(graph.inputs[0]), len(head.anchors) * (5 + len(index.classes))
    alone = len(graph.inputs) == len(graph.outputs) == 1 and output.dtype == given.dtype == "int8"
    if not alone or len(given.shape) != 4 or len(output.shape) != 4 or output.shape[3] != wanted:
        shapes = ", ".join("x".join(map(str, graph.tensor(name).shape)) for name in graph.outputs)
        raise BuildError(
            f"detection: found the outputs {shapes} ({output.dtype}); {len(head.anchors)} anchors and "
            f"{len(index.classes)} classes have one, int8, 1 x rows x columns x {wanted}: give the network's anchors, "
            f"and a data set with its classes."
        )
    _, height, width, _ = given.shape
    _, rows, columns, _ = output.shape
    return Decoding(
        (rows, columns),
        (height, width),
        head.anchors,
        len(index.classes),
        output.quantization.scale[0],
        output.quantization.zero_point,
        threshold=settings.threshold,
        overlap=settings.overlap,
        most=settings.max_boxes,
    )


READING = Detection
