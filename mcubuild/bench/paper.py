"""Figures 3 and 12 of MCUNet (arXiv 2007.10319): which search space suits a board, by the memory planner here.

What the paper leaves open is assumed (``ASSUMED``); what its engine did is set by switches (``TINY_ENGINE``).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, replace
from itertools import cycle
from typing import TypeAlias

from scipy.stats import spearmanr

from mcubuild.board import read_board
from mcubuild.engine.memory.footprint import STATIC_BYTES
from mcubuild.nas.space.arch import BASE_RESOLUTIONS, Space
from mcubuild.nas.space.candidates import Limits
from mcubuild.nas.space.footprints import Footprints
from mcubuild.nas.space.optimisation import Row, draw_samples, survey, winner
from mcubuild.processes import processes
from mcubuild.progress import bar
from mcubuild.report.plot import Axis, Curve, Dot, Plot, linear
from mcubuild.report.space import cdf_plot
from mcubuild.resolution import square
from mcubuild.spec.budget import Budget
from mcubuild.spec.deployment import Deployment
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.spec.space import SpaceSettings

BOARD = "stm32f746"
SRAM, FLASH, CLASSES = 320 << 10, 1 << 20, 100
TINY_ENGINE = EngineSettings(overlap=False, fused_blocks=False)
"""What the paper's engine did: depthwise convolutions in place, every tensor in full."""
ENGINES = {"TinyEngine's memory": TINY_ENGINE, "this engine": EngineSettings()}

PRINTED: Mapping[tuple[float, int], float] = {
    (0.5, 144): 52.0,
    (0.4, 144): 46.9,
    (0.5, 128): 46.9,
    (0.6, 112): 41.3,
    (0.4, 128): 39.3,
    (0.7, 112): 38.4,
    (0.5, 112): 38.3,
    (0.3, 160): 32.5,
    (0.4, 112): 32.4,
    (0.7, 96): 31.4,
}
"""Figure 3's ten spaces, width and resolution: million FLOPs (multiply-accumulates) that its legend prints."""
ASSUMED = (
    "Assumed, as the paper does not say: depth, kernel and expansion are drawn uniformly and independently, and the",
    "smallest network of each space is among the samples; RGB images, int8 weights; SRAM holds a stack of",
    f"{FirmwareSettings().stack} B and {STATIC_BYTES} B of variables, too, and Flash this engine's estimate of code.",
    "The score is the 80th percentile of the MACs of the networks that fit.",
)

SRAMS = tuple(size << 10 for size in (192, 256, 320, 384, 512))
FLASHES = tuple(size << 10 for size in (512, 1024, 2048))
"""Bytes of figure 12."""
Chosen: TypeAlias = dict[tuple[int, int], Row | None]
"""The winning space by bytes of SRAM and Flash."""


def paper_spaces() -> list[Space]:
    """The 108 spaces of the paper."""
    return [Space(width, square(side), 3, CLASSES) for width in SpaceSettings().widths for side in BASE_RESOLUTIONS]


def footprints(engine: EngineSettings, sram: int) -> Footprints:
    """On the paper's board, with ``sram`` bytes of RAM."""
    return Footprints(Deployment(read_board(BOARD), engine, budget=Budget(sram=sram)))


@dataclass(frozen=True)
class Figure3:
    """The spaces under the limits of the figure's board."""

    rows: Mapping[str, Sequence[Row]]
    """By engine."""

    def ten(self, engine: str) -> list[Row]:
        """The ten spaces of the figure, in the order in which they are printed."""
        known = {(row.space.width, row.space.resolution.height): row for row in self.rows[engine]}
        return [known[place] for place in PRINTED]

    def correlation(self, engine: str) -> float:
        """Spearman's rank correlation with the printed figures over the ten spaces."""
        return float(spearmanr(list(PRINTED.values()), [row.score for row in self.ten(engine)]).statistic)

    def best(self, engine: str) -> Space:
        """Of the ten spaces, the one that wins."""
        best = winner(self.ten(engine))
        assert best is not None, "the smallest networks fit"
        return best.space


def figure_3(spaces: Sequence[Space], samples: int, seed: int) -> Figure3:
    """``spaces``, the ten of the figure among them, with ``samples`` networks each, for both engines."""
    limits = Limits(FLASH, None)
    return Figure3(
        {
            name: survey(spaces, samples, footprints(engine, SRAM), limits, seed, title=name)
            for name, engine in ENGINES.items()
        }
    )


def table_3(figure: Figure3) -> list[list[str]]:
    """The ten spaces beside what the paper prints: a row of titles, then a row a space."""
    rows = [["million MACs", "paper", *(title for name in figure.rows for title in (name, "fit"))]]
    for index, ((width, resolution), printed) in enumerate(PRINTED.items()):
        found = [figure.ten(name)[index] for name in figure.rows]
        cells = [cell for row in found for cell in (f"{row.score / 1e6:.1f}", f"{row.share:.0%}")]
        rows.append([Space(width, square(resolution), 3, CLASSES).name, f"{printed:.1f}", *cells])
    return rows


def lines_3(figure: Figure3) -> Iterator[str]:
    """The ten spaces beside what the paper prints, and what wins."""
    for name, printed, *cells in table_3(figure):
        yield f"{name:14}{printed:>8}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, cycle((24, 7))))
    for name, rows in figure.rows.items():
        overall = winner(rows)
        assert overall is not None
        yield (
            f"{name}: of the ten {figure.best(name).name} is best, rank correlation {figure.correlation(name):.2f}; "
            f"of all {len(rows)} {overall.space.name} ({overall.score / 1e6:.1f} million MACs, {overall.share:.0%} fit)"
        )
    yield from ASSUMED


def plots_3(figure: Figure3) -> list[Plot]:
    """The distributions of the ten spaces, a plot an engine."""
    return [_distributions(figure, name) for name in figure.rows]


def _distributions(figure: Figure3, engine: str) -> Plot:
    rows, clock = figure.ten(engine), read_board(BOARD).clock
    plot = cdf_plot(figure.best(engine).name, [row.described(clock) for row in rows])
    return replace(plot, name=f"{plot.name}: {engine}")


def figure_12(spaces: Sequence[Space], samples: int, seed: int) -> dict[str, Chosen]:
    """The winner of ``spaces`` for every SRAM and Flash, by engine."""
    result = {}
    for name, engine in ENGINES.items():
        rows: dict[tuple[int, int], list[Row]] = {(sram, flash): [] for sram in SRAMS for flash in FLASHES}
        with bar(name, len(spaces)) as progress, processes() as executor:
            waiting = [executor.submit(_under_all_limits, space, samples, engine, seed) for space in spaces]
            for future in as_completed(waiting):
                for limits, row in future.result().items():
                    rows[limits].append(row)
                progress.advance()
        result[name] = {limits: winner(found) for limits, found in rows.items()}
    return result


def _under_all_limits(space: Space, samples: int, engine: EngineSettings, seed: int) -> dict[tuple[int, int], Row]:
    drawn = draw_samples(space, samples, seed)
    rows, known = {}, footprints(engine, SRAMS[0])
    for sram in SRAMS:
        known = known.within(sram)
        fitting, least = drawn, known.of(drawn[0])
        for flash in sorted(FLASHES, reverse=True):
            fitting = [arch for arch in fitting if known.fits(arch, flash)]
            rows[sram, flash] = Row(space, samples, tuple(sorted(map(known.macs, fitting))), least)
    return rows


def table_12(chosen: Chosen) -> list[list[str]]:
    """The winners: a row of titles, then a row an SRAM."""
    titles = ["SRAM", *(f"{flash >> 10} kB Flash" for flash in FLASHES)]
    return [titles, *([f"{sram >> 10} kB", *(_cell(chosen[sram, flash]) for flash in FLASHES)] for sram in SRAMS)]


def _cell(row: Row | None) -> str:
    return "nothing fits" if row is None else f"{row.space.name} ({row.score / 1e6:.0f} M)"


def lines_12(found: Mapping[str, Chosen]) -> Iterator[str]:
    """The winners as text."""
    for name, chosen in found.items():
        yield f"{name}: the best space, and the 80th percentile of its networks' MACs"
        yield from ("  " + "".join(f"{cell:>20}" for cell in row) for row in table_12(chosen))
    yield from ASSUMED


def plots_12(found: Mapping[str, Chosen]) -> list[Plot]:
    """Resolution and width of the winners against SRAM, a curve a Flash."""
    return [
        _plot(f"{what} of the best space: {name}", title, chosen, value)
        for name, chosen in found.items()
        for what, title, value in (
            ("Resolution", "pixels", lambda space: float(space.resolution.height)),
            ("Width", "width multiplier", lambda space: space.width),
        )
    ]


_STYLES = ("random", "macs", "cycles")


def _plot(name: str, title: str, chosen: Chosen, value: Callable[[Space], float]) -> Plot:
    curves = {
        (style, flash): [(sram >> 10, value(row.space)) for sram in SRAMS if (row := chosen[sram, flash])]
        for style, flash in zip(_STYLES, FLASHES, strict=True)
    }
    return Plot(
        name=name,
        x=Axis(176, 528, "SRAM, kB", tuple((sram >> 10, str(sram >> 10)) for sram in SRAMS)),
        y=linear([y for points in curves.values() for _, y in points], title, "{:g}".format, zero=True),
        curves=[Curve(points, style) for (style, _), points in curves.items()],
        dots=[Dot(x, y, style, f"{x} kB: {y:g}") for (style, _), points in curves.items() for x, y in points],
        legend=tuple((style, f"{flash >> 10} kB Flash") for style, flash in curves),
    )
