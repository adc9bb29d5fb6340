"""What a report shows of detectors: pictures with boxes, curves of precision and recall, thresholds to choose from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.boxes import BoxLists, unpacked
from mcubuild.data.splits import Index
from mcubuild.report.artifacts import Artifacts
from mcubuild.report.model import Accuracy, ClassResult
from mcubuild.report.picture import png
from mcubuild.report.plot import Axis, Curve, Plot, Rule
from mcubuild.tasks.detection import OVERLAP
from mcubuild.tasks.detection.average_precision import Judged, judge
from mcubuild.tasks.detection.boxes import Detections, overlaps
from mcubuild.tasks.detection.reading import Detection

_STYLES: Final = ("cycles", "macs", "code", "data", "weights")
"""Of curves, class by class."""
_DRAWN: Final = 5
"""Classes whose curves are drawn: of more, those with the most boxes."""
_FEW: Final = 20
"""True boxes of a class below which its average precision is luck."""
_LARGE: Final = 320
"""Pixels of an example's longer side."""
_TICKS: Final = tuple((share / 100, f"{share}") for share in (0, 20, 40, 60, 80, 100))


@dataclass(frozen=True)
class Row:
    """How the firmware does on a class."""

    name: str
    boxes: int
    """To be found, without difficult ones."""
    precision: float | None
    """Average precision; None: there is nothing to be found."""
    eleven: float | None
    """As Pascal VOC defined it in 2007."""
    found: int
    """Of ``boxes``, at the threshold where F1 is best."""
    confused: int
    """Boxes there that lie on an object of another class."""
    background: int
    """Boxes there that lie on nothing."""


@dataclass(frozen=True)
class Example:
    """A picture with true and found boxes."""

    sample: int
    """Index in the test split."""
    image: str
    """PNG as a data URI: true boxes alone,"""
    answer: str
    """and found ones."""
    found: int
    missed: int
    wrong: int


def classes(artifacts: Artifacts) -> list[ClassResult] | None:
    """None: a picture has no class."""
    return None


def details(artifacts: Artifacts) -> dict[str, Any] | None:
    """Average precision of each class, of the integer reference, and the threshold with the best F1."""
    reads = _reading(artifacts)
    judged = reads.judged(artifacts.expected, artifacts.targets)
    threshold, best = _best(judged)
    return {
        "threshold": threshold,
        "f1": best,
        "classes": [
            {
                "name": name,
                "boxes": int(of_class.positives.sum()),
                "average_precision": of_class.average_precision("area"),
                "average_precision_2007": of_class.average_precision("eleven"),
            }
            for name, of_class in zip(artifacts.classes, judged, strict=True)
        ],
    }


def cautions(artifacts: Artifacts, accuracy: Accuracy) -> Iterator[str]:
    """Classes of which there is little or nothing to be found."""
    truth = unpacked(artifacts.targets.astype(np.float32)).all
    counts = np.bincount(truth.classes[~truth.difficult], minlength=len(artifacts.classes))
    few = [f"{name!r} ({count})" for name, count in zip(artifacts.classes, counts, strict=True) if count < _FEW]
    if few:
        more = f" and {len(few) - 3} more" if len(few) > 3 else ""
        yield f"Classes with fewer than {_FEW} boxes in the test split: {', '.join(few[:3])}{more}"


def guessing(artifacts: Artifacts) -> float:
    """The loss of the first round that is known: what is lost by a detector that has learned nothing."""
    logs = (artifacts.train_log, artifacts.supernet_log, artifacts.finetune_log)
    return next((log[0]["loss"] for log in logs if log), 1.0)


def augmentation(index: Index) -> str:
    """How training samples are varied."""
    mirrored = "mirrored, " if index.mirror else ""
    return f"pictures with boxes: {mirrored}cut out and moved with them, of other light and colour"


def values(artifacts: Artifacts, samples: NDArray[np.int64], examples: int) -> dict[str, Any]:
    """Of the firmware's boxes: curves, a table of classes, thresholds, and pictures."""
    reads, names = _reading(artifacts), artifacts.classes
    found, truth = reads.detections(artifacts.outputs), unpacked(artifacts.targets[samples].astype(np.float32))
    judged = judge(truth, found, reads.classes, OVERLAP)
    threshold, best = _best(judged)
    shown = [_above(one, threshold) for one in found]
    kept = judge(truth, shown, reads.classes, OVERLAP)
    pictures = []
    if artifacts.test is not None:
        shape = None if artifacts.index is None or artifacts.index.pictures is None else artifacts.index.pictures.size
        pictures = _examples(artifacts.test.x[samples], samples, truth, shown, examples, shape)
    return {
        "threshold": threshold,
        "f1": best,
        "built": reads.decoding.threshold,
        "most": reads.decoding.most,
        "rows": [_row(label, name, judged[label], kept[label], truth, shown) for label, name in enumerate(names)],
        "curves": _curves(judged, names),
        "thresholds": _thresholds(judged, threshold),
        "pictures": pictures,
    }


def _reading(artifacts: Artifacts) -> Detection:
    reads = artifacts.reading
    assert isinstance(reads, Detection), "called where boxes are known"
    return reads


def _above(found: Detections, threshold: float) -> Detections:
    sure = found.scores >= threshold
    return Detections(found.corners[sure], found.classes[sure], found.scores[sure])


def _counts(judged: Sequence[Judged]) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], int]:
    """Scores of all classes from the highest down, boxes down to each that are right, that there are; all true ones."""
    scores = np.concatenate([of_class.scores for of_class in judged])
    right = np.concatenate([of_class.right for of_class in judged])
    order = np.argsort(-scores, kind="stable")
    total = sum(int(of_class.positives.sum()) for of_class in judged)
    return scores[order], np.cumsum(right[order]), np.arange(1, len(order) + 1), total


def _best(judged: Sequence[Judged]) -> tuple[float, float]:
    """The threshold with the best F1, the harmonic mean of precision and recall over all boxes, and that F1."""
    scores, right, seen, total = _counts(judged)
    if not len(scores):
        return 0.0, 0.0
    f1 = 2 * right / (seen + total)
    place = int(f1.argmax())
    return float(scores[place]), float(f1[place])


def _row(label: int, name: str, judged: Judged, kept: Judged, truth: BoxLists, shown: Sequence[Detections]) -> Row:
    confused = background = 0
    for boxes, found in zip(truth, shown, strict=True):
        of_class = found.corners[found.classes == label]
        same, others = boxes.corners[boxes.classes == label], boxes.corners[boxes.classes != label]
        on_same = overlaps(of_class, same).max(axis=1, initial=0) >= OVERLAP
        on_others = overlaps(of_class, others).max(axis=1, initial=0) >= OVERLAP
        confused += int((on_others & ~on_same).sum())
        background += int((~on_others & ~on_same).sum())
    return Row(
        name,
        int(judged.positives.sum()),
        judged.average_precision("area"),
        judged.average_precision("eleven"),
        int(kept.right.sum()),
        confused,
        background,
    )


def _curves(judged: Sequence[Judged], names: Sequence[str]) -> Plot:
    order = sorted(range(len(names)), key=lambda label: -int(judged[label].positives.sum()))[:_DRAWN]
    curves, legend = [], []
    for style, label in zip(_STYLES, order, strict=False):
        recall, precision = judged[label].curve()
        points = [(float(x), float(y)) for x, y in zip(recall, precision, strict=True)]
        curves.append(Curve([(0.0, points[0][1]), *points] if points else [(0.0, 0.0)], style))
        legend.append((style, names[label]))
    return Plot(
        name="Precision against recall of each class",
        x=Axis(0, 1, "recall, %", _TICKS),
        y=Axis(0, 1, "precision, %", _TICKS),
        curves=curves,
        legend=legend,
    )


def _thresholds(judged: Sequence[Judged], chosen: float) -> Plot:
    scores, right, seen, total = _counts(judged)
    precision, recall = right / seen, right / max(1, total)
    f1 = 2 * right / (seen + total)
    curves = [
        Curve([(float(x), float(y)) for x, y in zip(scores, values, strict=True)], style)
        for values, style in ((precision, "cycles"), (recall, "macs"), (f1, "data"))
    ]
    return Plot(
        name="Precision, recall and F1 by the threshold of the score",
        x=Axis(0, 1, "threshold, %", _TICKS),
        y=Axis(0, 1, "%", _TICKS),
        curves=[curve for curve in curves if curve.points],
        rules=[Rule(chosen, f"{100 * chosen:.0f} %", vertical=True)],
        legend=[("cycles", "precision"), ("macs", "recall"), ("data", "F1")],
    )


def _examples(
    pictures: NDArray[np.uint8],
    samples: NDArray[np.int64],
    truth: BoxLists,
    shown: Sequence[Detections],
    count: int,
    shape: tuple[int, int] | None,
) -> list[Example]:
    """The pictures with the most mistakes, and as many with the fewest for their boxes."""
    found = [_example(*one, shape) for one in zip(pictures, samples.tolist(), truth, shown, strict=True)]
    order = sorted(found, key=lambda one: (one.missed + one.wrong - 0.01 * one.found, one.sample))
    half = count // 2
    return order[: count - half] + order[::-1][: min(half, max(0, len(order) - (count - half)))]


def _example(
    picture: NDArray[np.uint8], sample: int, boxes: Any, found: Detections, shape: tuple[int, int] | None
) -> Example:
    asked = boxes.part(~boxes.difficult)
    matches = overlaps(found.corners, boxes.corners) * (found.classes[:, None] == boxes.classes[None])
    right = int((overlaps(asked.corners, found.corners) * (asked.classes[:, None] == found.classes[None])
                 >= OVERLAP).any(axis=1).sum())  # fmt: skip
    wrong = int((matches.max(axis=1, initial=0) < OVERLAP).sum())
    return Example(
        sample,
        png(picture, _frames(boxes.classes, boxes.corners), _LARGE, shape),
        png(picture, _frames(found.classes, found.corners), _LARGE, shape),
        right,
        len(asked) - right,
        wrong,
    )


def _frames(labels: NDArray[np.int64], corners: NDArray[np.float32]) -> list[tuple[int, float, float, float, float]]:
    return [(label, *row) for label, row in zip(labels.tolist(), corners.tolist(), strict=True)]
