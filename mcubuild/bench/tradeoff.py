"""Cycles against arena: plans of a network, from the fastest to the smallest, as the emulator counts them."""

from collections.abc import Iterator, Mapping, Sequence

from mcubuild.bench.workbench import CORES, Figures, Workbench, core
from mcubuild.board import Board
from mcubuild.engine.memory.footprint import with_arena
from mcubuild.engine.memory.pieces import pieces
from mcubuild.engine.memory.segments import choose_segments
from mcubuild.engine.target import Target
from mcubuild.ir.graph import Graph
from mcubuild.progress import bar
from mcubuild.report.plot import Curve, Dot, Plot, linear, stairs
from mcubuild.spec.deployment import Deployment
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.firmware import FirmwareSettings

POINTS = 8
"""Plans to run on each core."""
_STYLES = {"m4": "random", "m7": "cycles"}


def limits(graph: Graph, board: Board) -> list[int | None]:
    """Limits of the arena for which the planner chooses different plans, at most POINTS, the fastest plan first."""
    cut = pieces(graph, Target.of(board, EngineSettings()))
    heights = [max(segment.height for segment in choose_segments(cut, limit)) for limit in (None, 0)]
    least = heights.pop()
    while heights[-1] > least:
        heights.append(max(segment.height for segment in choose_segments(cut, heights[-1] - 4)))
    last = len(heights) - 1
    picked = sorted({round(last * index / (POINTS - 1)) for index in range(POINTS)})
    return [None if index == 0 else heights[index] for index in picked]


def curves(graph: Graph, bench: Workbench, firmware: FirmwareSettings) -> dict[str, list[Figures]]:
    """Figures of the plans, by core, as ``firmware`` has them compiled.

    Raises:
        BuildError: a firmware's outputs are not the reference executor's.
    """
    wanted = {key: limits(graph, core(key)) for key in CORES}
    boards = {key: Deployment(core(key), firmware=firmware) for key in CORES}
    result: dict[str, list[Figures]] = {}
    with bar("trade-off", sum(map(len, wanted.values()))) as progress:
        for key, arenas in wanted.items():
            result[key] = []
            for arena in arenas:
                within = boards[key] if arena is None else with_arena(boards[key], arena)
                result[key].append(bench.figures(graph, within))
                progress.advance(core=key)
    return result


def lines(name: str, found: Mapping[str, Sequence[Figures]]) -> Iterator[str]:
    """The curve as text."""
    yield f"{name}: arena and cycles a MAC (memory that never waits) from the fastest plan to the smallest"
    for key, points in found.items():
        yield from (f"  {key.upper()}  {p.arena / 1024:8.1f} kB  {p.cycles_per_mac:6.3f}" for p in points)


def plot(name: str, found: Mapping[str, Sequence[Figures]]) -> Plot:
    """The curve as a picture."""
    places = {key: [(p.arena / 1024, p.cycles_per_mac) for p in points] for key, points in found.items()}
    everything = [place for points in places.values() for place in points]
    return Plot(
        name=f"Cycles a MAC against arena of {name}",
        x=linear([x for x, _ in everything], "arena, kB", "{:g}".format, zero=True),
        y=linear([y for _, y in everything], "cycles a MAC, memory that never waits", "{:g}".format, zero=True),
        curves=[Curve(stairs(sorted(points)), _STYLES[key]) for key, points in places.items()],
        dots=[
            Dot(x, y, _STYLES[key], f"Cortex-{key.upper()}: {x:.1f} kB, {y:.3f} cycles a MAC")
            for key, points in places.items()
            for x, y in points
        ],
        legend=tuple((_STYLES[key], f"Cortex-{key.upper()}") for key in found),
        height=300,
    )
