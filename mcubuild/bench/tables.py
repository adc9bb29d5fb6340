"""Speed and memory of networks beside other engines and targets, as text."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mcubuild.bench.peers import Compared, Peers, Result
from mcubuild.bench.workbench import CORES, Figures, Workbench, core
from mcubuild.engine.memory.footprint import with_arena
from mcubuild.ir.graph import Graph
from mcubuild.progress import bar
from mcubuild.spec.deployment import Deployment
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.firmware import FirmwareSettings

NOTHING = "-"


@dataclass(frozen=True)
class Row:
    """A network."""

    name: str
    fastest: Mapping[str, Figures]
    """Of the fastest plan, by core."""
    smallest: Figures
    """Of the smallest plan, on the core of ARENA_CORE."""
    aimed: Figures | None
    """Of the fastest plan whose arena is within the target, on that core; None if there is no target."""


ARENA_CORE = "m7"
"""For which the arenas are compared: they depend little on the core."""


def measured(networks: Mapping[str, Graph], peers: Peers, bench: Workbench, firmware: FirmwareSettings) -> list[Row]:
    """Build every network, as ``firmware`` has it compiled, and run it.

    Raises:
        BuildError: a firmware's outputs are not the reference executor's.
    """
    rows = []
    boards = {key: Deployment(core(key), firmware=firmware) for key in CORES}
    least = replace(boards[ARENA_CORE], engine=EngineSettings(plan="smallest"))
    with bar("bench", len(networks) * (len(CORES) + 2)) as progress:
        for name, graph in networks.items():
            fastest = {}
            for key in CORES:
                fastest[key] = bench.figures(graph, boards[key])
                progress.advance(network=name)
            smallest = bench.figures(graph, least)
            progress.advance(network=name)
            limit = peers.of(name).target.arena
            within = None if limit is None else with_arena(boards[ARENA_CORE], int(1024 * limit))
            aimed = None if within is None else bench.figures(graph, within)
            progress.advance(network=name)
            rows.append(Row(name, fastest, smallest, aimed))
    return rows


def speed(rows: Sequence[Row], peers: Peers) -> Iterator[str]:
    """Cycles a multiply-accumulate."""
    yield "cycles a MAC of a whole inference, memory that never waits, exact arithmetic, fastest plan"
    names = [peer.name for peer in peers.peer]
    titles = [f"{key.upper()}: here" if first else title for key in CORES for first, title in _titles(names)]
    yield _line("network", ["MACs", *titles])
    for row in rows:
        known = peers.of(row.name)
        cells = [f"{row.smallest.macs / 1e6:.2f} M"]
        for key in CORES:
            figure = row.fastest[key].cycles_per_mac
            cells += [f"{figure:.2f}", _of(known.target, key), *(_of(known.peers.get(n), key) for n in names)]
        missed = [
            f"missed on {key.upper()}" for key in CORES if _above(row.fastest[key].cycles_per_mac, known.target, key)
        ]
        yield _line(row.name, cells, ", ".join(missed))


def memory(rows: Sequence[Row], peers: Peers) -> Iterator[str]:
    """Arenas."""
    yield "kB of arena in the linked ELF, image, row buffers and scratch included; cycles beyond the fastest plan's"
    names = [peer.name for peer in peers.peer]
    yield _line("network", ["fastest", "smallest", "cycles", "target", "cycles", *names])
    for row in rows:
        known, fastest = peers.of(row.name), row.fastest[ARENA_CORE]
        smallest = row.smallest.arena / 1024
        cells = [f"{fastest.arena / 1024:.1f}", f"{smallest:.1f}", _more(row.smallest, fastest)]
        cells += [_of(known.target, "arena"), NOTHING if row.aimed is None else _more(row.aimed, fastest)]
        cells += [_of(known.peers.get(name), "arena") for name in names]
        yield _line(row.name, cells, "missed" if _above(smallest, known.target, "arena") else "")


def notes(rows: Sequence[Row], peers: Peers) -> Iterator[str]:
    """Where the peers' figures come from."""
    for peer in peers.peer:
        yield f"{peer.name}: {peer.origin}."
        for known in (peers.of(row.name) for row in rows):
            yield from (f"  {known.name}: {text}." for text in _noted(known, peer.name))


def _more(slow: Figures, fast: Figures) -> str:
    return f"{slow.zero_wait_cycles / fast.zero_wait_cycles - 1:+.1%}"


def _titles(names: Sequence[str]) -> list[tuple[bool, str]]:
    return [(True, ""), (False, "target"), *((False, name) for name in names)]


def _noted(known: Compared, peer: str) -> list[str]:
    result = known.peers.get(peer)
    return [result.note] if result and result.note else []


def _of(result: Result | None, key: str) -> str:
    value = getattr(result, key, None)
    return NOTHING if value is None else f"{value:g}" if key == "arena" else f"{value:.2f}"


def _above(figure: float, target: Result, key: str) -> bool:
    limit = getattr(target, key)
    return limit is not None and figure > limit


def _line(first: str, cells: Sequence[str], last: str = "") -> str:
    return f"{first:22}{''.join(f'{cell:>12}' for cell in cells)}  {last}".rstrip()
