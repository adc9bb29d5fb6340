"""From the float network to the device: what the score becomes on the way."""

from collections.abc import Sequence

from mcubuild.report.amounts import titled
from mcubuild.report.plot import Axis, Curve, Dot, Label, Plot, linear


def score_plot(metric: str, steps: Sequence[tuple[str, float, tuple[float, float]]]) -> Plot:
    """From float to device: title, score 0 ... 1 and its 95 % interval of each step."""
    rows = [(title, 100 * score, [100 * end for end in ends]) for title, score, ends in steps]
    count = len(rows)
    curves, dots, labels = [], [], []
    for number, (title, score, (low, high)) in enumerate(rows):
        y = count - number - 0.5
        curves.append(Curve(((low, y), (high, y)), "int8"))
        dots.append(Dot(score, y, "int8", f"{title}: {score:.2f} %, 95 % interval {low:.1f} to {high:.1f} %", 6))
        labels.append(Label(score, y, f"{score:.2f} %"))
    return Plot(
        name=f"{titled(metric)} from floating point to the device",
        x=linear([end for row in rows for end in row[2]], f"test {metric}, %", "{:g}".format, most=100),
        y=Axis(0, count, "", tuple((count - n - 0.5, row[0]) for n, row in enumerate(rows))),
        curves=curves,
        dots=dots,
        labels=labels,
        height=52 * count,
    )
