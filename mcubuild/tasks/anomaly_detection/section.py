"""What a report shows of anomalies: the ROC curve, and how errors of normal and anomalous recordings lie."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.splits import Index
from mcubuild.report.artifacts import Artifacts
from mcubuild.report.model import Accuracy, ClassResult
from mcubuild.report.plot import Axis, Box, Curve, Dot, Plot, Rule, linear
from mcubuild.tasks.anomaly_detection.reading import Anomaly
from mcubuild.tasks.anomaly_detection.roc import area, curve

_FEW: Final = 20
"""Recordings of a class below which the area is luck."""
_BINS: Final = 24
_STYLES: Final = ("cycles", "macs")
"""Of normal and anomalous recordings."""
_TICKS: Final = tuple((share / 100, f"{share}") for share in (0, 20, 40, 60, 80, 100))


@dataclass(frozen=True)
class Row:
    """The recordings of a class."""

    name: str
    recordings: int
    above: int
    """With a mean error above the threshold."""
    median: float
    """Of their mean errors."""


def classes(artifacts: Artifacts) -> list[ClassResult] | None:
    """None: windows are not answered one by one."""
    return None


def details(artifacts: Artifacts) -> dict[str, Any] | None:
    """The threshold, and what is above it, by the integer reference."""
    reads = _reading(artifacts)
    rows = _rows(reads, artifacts.classes, *reads.judged(artifacts.expected, artifacts.targets))
    return {
        "threshold": reads.errors.threshold,
        "classes": [{"name": row.name, "recordings": row.recordings, "above": row.above} for row in rows],
    }


def cautions(artifacts: Artifacts, accuracy: Accuracy) -> Iterator[str]:
    """Classes of which there are few recordings."""
    reads = _reading(artifacts)
    rows = _rows(reads, artifacts.classes, *reads.judged(artifacts.expected, artifacts.targets))
    few = [f"{row.name} ({row.recordings})" for row in rows if row.recordings < _FEW]
    if few:
        yield f"Classes with fewer than {_FEW} recordings in the test split: {', '.join(few)}"


def guessing(artifacts: Artifacts) -> float:
    """The loss of the first round that is known: what is lost by a network that has learned nothing."""
    logs = (artifacts.train_log, artifacts.supernet_log, artifacts.finetune_log)
    return next((log[0]["loss"] for log in logs if log), 1.0)


def augmentation(index: Index) -> str:
    """Samples are not varied."""
    return "windows as they are: whatever differs from them is anomalous"


def values(artifacts: Artifacts, samples: NDArray[np.int64], examples: int) -> dict[str, Any]:
    """Of the firmware's errors: curve, histogram, and a table of classes."""
    reads = _reading(artifacts)
    scores, labels = reads.judged(artifacts.outputs, artifacts.targets[samples])
    rows = _rows(reads, artifacts.classes, scores, labels)
    return {
        "threshold": reads.errors.threshold,
        "area": area(scores, labels),
        "rows": rows,
        "curve": _curve(scores, labels, rows),
        "histogram": _histogram(scores, labels, reads.errors.threshold, artifacts.classes),
    }


def _reading(artifacts: Artifacts) -> Anomaly:
    reads = artifacts.reading
    assert isinstance(reads, Anomaly), "called where labels are known"
    return reads


def _rows(reads: Anomaly, names: tuple[str, ...], scores: NDArray[np.float64], labels: NDArray[np.int64]) -> list[Row]:
    found = []
    for label, name in enumerate(names):
        own = scores[labels == label]
        above = int((own > reads.errors.threshold).sum())
        found.append(Row(name, len(own), above, float(np.median(own)) if len(own) else 0.0))
    return found


def _curve(scores: NDArray[np.float64], labels: NDArray[np.int64], rows: list[Row]) -> Plot:
    dots, curves = [], [Curve([(0.0, 0.0), (1.0, 1.0)], "mean")]
    if all(row.recordings for row in rows):
        false, found = curve(scores, labels)
        curves.append(Curve([*zip(false.tolist(), found.tolist(), strict=True)], _STYLES[0]))
        at = [row.above / row.recordings for row in rows]
        hint = f"at the threshold: {at[1]:.0%} of the anomalies, {at[0]:.0%} false alarms"
        dots.append(Dot(at[0], at[1], _STYLES[1], hint))
    return Plot(
        name="Anomalous recordings found against false alarms",
        x=Axis(0, 1, "normal recordings above the threshold, %", _TICKS),
        y=Axis(0, 1, "anomalous ones, %", _TICKS),
        curves=curves,
        dots=dots,
        legend=[(_STYLES[0], "by the threshold"), (_STYLES[1], "the firmware's"), ("mean", "guessing")],
    )


def _histogram(scores: NDArray[np.float64], labels: NDArray[np.int64], threshold: int, names: tuple[str, ...]) -> Plot:
    """Recordings by mean error: on a logarithmic axis, as anomalous ones may be many times as large."""
    logs = np.log10(np.maximum(scores, 1))
    edges = np.linspace(logs.min(), max(logs.max(), logs.min() + 0.1), _BINS + 1)
    boxes, highest = [], 1
    for label, (name, style) in enumerate(zip(names, _STYLES, strict=True)):
        counts, _ = np.histogram(logs[labels == label], edges)
        highest = max(highest, int(counts.max()))
        for place, count in enumerate(counts.tolist()):
            low, high = edges[place], edges[place + 1]
            half = (high - low) / 2
            start = low + label * half
            hint = f"{count} {name}, error {10**low:.0f} to {10**high:.0f}"
            if count:
                boxes.append(Box((float(start), float(start + half)), (0, count), style, hint))
    ends = [float(edges[0]), float(edges[-1]), float(np.log10(max(1, threshold)))]
    return Plot(
        name="Recordings by their mean error",
        x=linear(ends, "mean error of a recording, powers of ten", lambda value: f"{value:g}"),
        y=linear([float(highest)], "recordings", lambda value: f"{value:g}", zero=True),
        boxes=boxes,
        rules=[Rule(ends[2], f"threshold {threshold}", vertical=True)],
        legend=list(zip(_STYLES, names, strict=True)),
        key="box",
    )
