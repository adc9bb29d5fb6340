"""Training curves, round by round."""

from collections.abc import Mapping, Sequence
from itertools import accumulate

from mcubuild.report.amounts import titled
from mcubuild.report.plot import Axis, Curve, Dot, Plot, linear, nice_ticks
from mcubuild.tasks import Metric

STYLES = {"val_accuracy_largest": "largest", "val_accuracy_smallest": "smallest", "val_accuracy": "largest"}
"""By the figure's name in the log; others are dashed."""


def plots(log: Sequence[Mapping[str, float]], metric: Metric) -> list[Plot]:
    """Scores above, loss below; the log has one entry a round, in which all of its figures are named."""
    steps = list(accumulate(entry["steps"] for entry in log))
    count = steps[-1]
    accuracies = sorted((key for key in log[0] if "accuracy" in key), key=lambda key: ("train" in key, key))
    series = {key: [(step, 100 * entry[key]) for step, entry in zip(steps, log, strict=True)] for key in accuracies}
    loss = [(step, entry["loss"]) for step, entry in zip(steps, log, strict=True)]
    ticks = tuple((tick, f"{tick:.0f}") for tick in nice_ticks(0, count, 5) if tick == int(tick))
    scores = [y for points in series.values() for _, y in points]
    return [
        Plot(
            name=f"{titled(metric.name)} after so many steps",
            x=Axis(0, count, "", ticks),
            y=linear(scores, f"{metric.name}, %", "{:g}".format, most=100),
            curves=[Curve(points, _style(key)) for key, points in series.items()],
            dots=[dot for key, points in series.items() for dot in _alone(points, _style(key))],
            legend=tuple((_style(key), _title(key, metric)) for key in series),
            height=200,
        ),
        Plot(
            name="Loss",
            x=Axis(0, count, "step", ticks),
            y=linear([y for _, y in loss], "loss", "{:g}".format, count=3),
            curves=[Curve(loss, "loss")],
            dots=_alone(loss, "loss"),
            height=90,
        ),
    ]


def _alone(points: Sequence[tuple[float, float]], style: str) -> list[Dot]:
    """The dot of a single round, through which there is no line."""
    return [Dot(x, y, style) for x, y in points] if len(points) == 1 else []


def _style(key: str) -> str:
    return STYLES.get(key, "training dashed")


def _title(key: str, metric: Metric) -> str:
    """``val_accuracy_largest`` as "largest, validation"."""
    split = {"val": "validation", "train": metric.hits}.get(key.split("_")[0], "")
    rest = " ".join(word for word in key.split("_") if word not in ("val", "train", "accuracy"))
    return ", ".join(part for part in (rest, split) if part)
