"""The competing search spaces: distributions of their networks' work, and a table over width and resolution."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from mcubuild.artifacts.spaces import ComparedSpace, SpaceTable
from mcubuild.nas.space.optimisation import ENOUGH, PERCENTILE
from mcubuild.report.plot import Axis, Curve, Plot, Rule, linear
from mcubuild.resolution import Resolution
from mcubuild.units import format_energy, format_size, format_time


def block(table: SpaceTable) -> str:
    """What the winner's networks are made of."""
    return next(row.block for row in table.spaces if row.name == table.winner)


def cdf_plot(winner: str, spaces: Sequence[ComparedSpace]) -> Plot:
    """The distribution of the multiply-accumulates of the networks that fit: a curve a space of the winner's kind."""
    best = next(row for row in spaces if row.name == winner)
    rows = [row for row in spaces if row.block == best.block and _competes(row, winner)]
    rows.sort(key=lambda row: row is best)
    curves = [
        Curve([(macs / 1e6, 100 * share) for macs, share in row.cdf], "winner" if row is best else "other")
        for row in rows
    ]
    millions = [macs / 1e6 for row in rows for macs, _ in row.cdf]
    return Plot(
        name="Distribution of multiply-accumulates in each search space",
        x=linear(millions, "million MACs of a network that fits", "{:g}".format, zero=True),
        y=Axis(0, 100, "networks with fewer MACs, %", tuple((tick, str(tick)) for tick in (0, 20, 40, 60, 80, 100))),
        curves=curves,
        rules=(Rule(PERCENTILE, f"{PERCENTILE}th percentile", style="mean"),),
        legend=(("winner", winner), ("other", f"{len(rows) - 1} others that compete")),
        height=280,
    )


def ranked(table: SpaceTable) -> list[list[str]]:
    """The spaces in which something fits, ranked among those of the same blocks: a row of titles, then a row a space.

    The winner comes first, then the others of its kind, the best first, then those of other kinds. Those in which too
    few fit come last of their kind; ``nothing_fits`` tells of the others.
    """
    titles = ["", "space", "fit", "80th percentile", "median", "most", "smallest network, estimated"]
    best = next(row for row in table.spaces if row.name == table.winner)
    order = sorted(
        (row for row in table.spaces if row.macs),
        key=lambda row: (
            row != best, row.block != best.block, row.block,
            not _competes(row, table.winner), -row.score, -row.share,
        ),
    )  # fmt: skip
    rows = []
    for _, same in groupby(order, key=lambda row: row.block):
        for place, row in enumerate(same, 1):
            macs, least = row.macs, row.smallest
            assert macs is not None
            figures = [f"{count / 1e6:.3g} M" for count in (macs.p80, macs.median, macs.max)]
            rank = str(place) if _competes(row, table.winner) else ""
            rows.append([rank, row.name, f"{row.share:.1%}", *figures, _needs(least.sram, least.flash, least.latency)])
    return [titles, *rows]


def _needs(sram: int, flash: int, latency: float) -> str:
    return f"{format_size(sram)} SRAM, {format_size(flash)} Flash, {format_time(latency)}"


def nothing_fits(table: SpaceTable) -> str:
    """How many spaces have no network that fits, and the least that their smallest networks need; empty: all have."""
    least = [row.smallest for row in table.spaces if not row.macs]
    if not least:
        return ""
    needs = _needs(min(one.sram for one in least), min(one.flash for one in least), min(one.latency for one in least))
    return (
        f"Nothing fits in {len(least)} of the {len(table.spaces)} spaces; "
        f"the least that any of their smallest networks needs: {needs}."
    )


def limits(table: SpaceTable) -> str:
    """What networks had to keep to."""
    allowed, power = table.limits, table.active_power_mw
    text = f"Limits: {format_size(allowed.sram)} SRAM, {format_size(allowed.flash)} Flash"
    if allowed.latency is not None:
        text += f", {format_time(allowed.latency)}"
    if allowed.energy is not None and power is not None:
        longest = format_time(allowed.energy / (power / 1e3))
        text += f"; {format_energy(allowed.energy)} are {longest} at {power:g} mW (modelled: active power x time)"
    return text + "."


def lines(table: SpaceTable) -> Iterator[str]:
    """The same as text."""
    yield table.axes
    yield limits(table)
    yield f"MACs of the networks that keep to them, of {table.spaces[0].samples} a space"
    rows = ranked(table)
    widest = max(len(name) for _, name, *_ in rows)
    for rank, name, share, p80, median, most, least in rows:
        yield f"{rank:>4} {name:{widest}}{share:>8}{p80:>17}{median:>10}{most:>10}  {least}"
    if rest := nothing_fits(table):
        yield rest
    yield f"No rank: less than {ENOUGH:.0%} of the networks fit. {_next(table)}"


def _next(table: SpaceTable) -> str:
    """What comes after the comparison."""
    if len(table.contenders) == 1:
        return f"Chosen: {table.winner}."
    return f"Short trainings decide among {', '.join(table.contenders)}."


def _competes(row: ComparedSpace, winner: str) -> bool:
    """Whether enough of the networks fit; the winner counts in any case (where none has enough, the best one wins)."""
    return row.share >= ENOUGH or row.name == winner


@dataclass(frozen=True)
class Cell:
    """A space in the table."""

    text: str
    heat: float
    """0 ... 1 of the best score."""
    best: bool
    competes: bool
    """Whether enough of its networks fit."""
    hint: str


@dataclass(frozen=True)
class Table:
    """Width multipliers down, resolutions across."""

    block: str
    """What the networks are made of."""
    resolutions: list[Resolution]
    rows: list[tuple[float, list[Cell | None]]]
    """Width and its cells, the widest first; ``None`` where no network fits."""
    enough: float
    """Share of networks that must fit for a space to compete."""


def heat_tables(table: SpaceTable) -> list[Table]:
    """The 80th percentile of the million MACs in each space: a table for each kind in which something fits."""
    blocks = dict.fromkeys(row.block for row in table.spaces if row.macs)
    return [_heat_table(table, block) for block in blocks]


def _heat_table(table: SpaceTable, block: str) -> Table:
    spaces = {(row.width, row.resolution): row for row in table.spaces if row.block == block}
    widths, resolutions = sorted({w for w, _ in spaces}, reverse=True), sorted({r for _, r in spaces})
    top = max(row.score for row in spaces.values())

    def cell(width: float, resolution: Resolution) -> Cell | None:
        row = spaces.get((width, resolution))
        if row is None or not row.macs:
            return None
        score = row.score
        text = f"{score / 1e6:.0f}" if score >= 99.5e6 else f"{score / 1e6:.{1 if score < 1e5 else 2}g}"
        hint = f"{row.name}: {score / 1e6:.2f} million MACs, {row.share:.0%} of {row.samples} networks fit"
        return Cell(text, score / top, row.name == table.winner, _competes(row, table.winner), hint)

    return Table(block, resolutions, [(w, [cell(w, r) for r in resolutions]) for w in widths], ENOUGH)
