"""The race of the search spaces: who competed, what each round saw of whom, and why the winner won."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from mcubuild.artifacts.spaces import Race, Raced, SpaceTable
from mcubuild.report.amounts import titled
from mcubuild.report.interval import score_text
from mcubuild.report.plot import Axis, Curve, Dot, Plot, linear
from mcubuild.tasks import Metric


@dataclass(frozen=True)
class Heading:
    """Of a round."""

    number: int
    """From 1 on."""
    steps: int
    """Of each training."""
    trainings: int
    """Of each contender, on other samples each."""
    samples: int
    """That each contender was judged by, in all of its trainings."""


@dataclass(frozen=True)
class Result:
    """Of a contender in a round."""

    score: str
    """In percent, with its 95 % interval where that is known."""
    loss: float


@dataclass(frozen=True)
class Row:
    """A contender."""

    name: str
    block: str
    """What its networks are made of."""
    flash: int
    """Bytes that the network needs which stands for the space."""
    won: bool
    results: list[Result | None]
    """A round each; ``None``: it was out already."""


@dataclass(frozen=True)
class Table:
    """A row a contender: those that came furthest first, of these the one with the least loss."""

    rounds: list[Heading]
    rows: list[Row]
    reason: str
    """Why the winner won; a sentence without the full stop."""


def table(race: Race, spaces: SpaceTable, metric: Metric) -> Table | None:
    """What race.json tells of the ``spaces`` of space_table.json; ``None`` if a single space needed no race."""
    rounds = list(_rounds(race))
    if not rounds:
        return None
    blocks = {row.name: row.block for row in spaces.spaces}
    # Whoever is out in a round is behind all that went on; rows of a round come with the least loss first.
    order = dict.fromkeys(row.name for rows in reversed(rounds) for row in rows)
    results = [{row.name: row for row in rows} for rows in rounds]
    flash = {name: row.flash for rows in results for name, row in rows.items()}
    return Table(
        [Heading(n, rows[0].steps, rows[0].folds, rows[0].samples) for n, rows in enumerate(rounds, 1)],
        [
            Row(
                name,
                blocks[name],
                flash[name],
                name == race.winner,
                [_result(rows.get(name), metric) for rows in results],
            )
            for name in order
        ],
        _reason(race.winner, rounds[-1]),
    )


def plot(race: Race, metric: Metric) -> Plot:
    """The score of each contender after each round that it was in."""
    rounds = list(_rounds(race))
    points: dict[str, list[tuple[float, float]]] = {}
    dots = []
    for number, rows in enumerate(rounds, 1):
        for row in rows:
            points.setdefault(row.name, []).append((number, 100 * row.accuracy))
            hint = f"{row.name}, round {number}: {_score(row, metric)}"
            dots.append(Dot(number, 100 * row.accuracy, _style(row.name, race), hint))
    names = sorted(points, key=lambda name: name == race.winner)  # the winner lies on top
    ticks = tuple((number, f"{rows[0].steps}") for number, rows in enumerate(rounds, 1))
    scores = [y for line in points.values() for _, y in line]
    return Plot(
        name=f"{titled(metric.name)} of each contender after each round of the race",
        x=Axis(0.8, len(rounds) + 0.2, "steps of the round", ticks),
        y=linear(scores, f"validation {metric.name}, %", "{:g}".format, most=100.5),
        curves=[Curve(points[name], _style(name, race)) for name in names],
        dots=sorted(dots, key=lambda dot: dot.style == "winner"),
        legend=(("winner", f"{race.winner}, the winner"), ("other", f"{len(names) - 1} others")),
        height=280,
    )


def _rounds(race: Race) -> Iterator[list[Raced]]:
    for _, rows in groupby(race.rounds, key=lambda row: row.round):
        yield list(rows)


def _result(row: Raced | None, metric: Metric) -> Result | None:
    return None if row is None else Result(_score(row, metric), row.loss)


def _score(row: Raced, metric: Metric) -> str:
    return score_text(row.accuracy, metric.ends(row.accuracy, row.samples))


def _style(name: str, race: Race) -> str:
    return "winner" if name == race.winner else "other"


def _reason(winner: str, finalists: list[Raced]) -> str:
    best = min(finalists, key=lambda row: row.loss).name
    if winner == best:
        return f"{winner} won with the least loss in the last round"
    return (
        f"{winner} won: {best} has the least loss, but validation does not tell the two apart (by a standard error of "
        f"their difference), and {winner} is the smaller one"
    )
