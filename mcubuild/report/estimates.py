"""The latency model's error: the engine's estimates of cycles beside whole networks in the emulator.

``ESTIMATES`` has what ``doit bench latency=50`` found: a line of JSON a network, so that a change shows which networks
it concerns.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from mcubuild import ROOT
from mcubuild.artifacts.margin import Estimate, Margin
from mcubuild.report.model import Errors
from mcubuild.report.plot import Axis, Dot, Plot, Rule, linear
from mcubuild.spec.deployment import Deployment
from mcubuild.spec.engine import EngineSettings

ESTIMATES = ROOT / "mcubuild" / "engine" / "estimates.jsonl"
"""Beside the costs that it judges."""
TARGET = 0.05
"""Error that no network should exceed."""


def read(path: Path = ESTIMATES) -> list[Estimate]:
    """The estimates in a file that ``write`` wrote."""
    return msgspec.json.Decoder(Estimate).decode_lines(path.read_bytes())


def searched(block: str, *, series: bool = False) -> str:
    """What stands for searched networks in ``conditions``: those of each kind of blocks are measured by themselves."""
    return reading("searched" if block == "mobile" else f"searched, {block}", series=series)


def reading(networks: str, *, series: bool) -> str:
    """What stands in ``conditions`` for ``networks`` that read series, or images: kernels see other shapes."""
    return f"{networks}, of series" if series else networks


def conditions(deployment: Deployment, toolchain: str, networks: str) -> str:
    """All that decides how far an estimate is off, besides the network: nothing is claimed for anything else.

    Args:
        deployment: core and memories (where they lie and how large they are counts only for those that are tightly
            coupled), switches, the compiler's optimisation level, bits of weights and activations.
        toolchain: the compiler's name and version.
        networks: what ``searched`` says, the name of a published network (``reading``), or ``"brought"`` by the user.
    """
    board, default = deployment.board, EngineSettings()
    cache = board.cache
    memories = sorted(
        {
            f"{memory.kind} {memory.bus}{' for code' * memory.code_only} waits {memory.wait_states}"
            + f" of {memory.size} B" * (memory.bus == "tcm")
            for memory in board.memory
        }
    )
    switched = [f"{key} = {value}" for key, value in deployment.engine if value != getattr(default, key)]
    parts = [
        board.core,
        *(name for name, there in (("DSP", board.dsp), ("FPU", board.fpu != "none")) if there),
        f"caches of {cache.instruction} and {cache.data} B, lines of {cache.line}",
        *memories,
        f"{toolchain} -{deployment.firmware.optimize}",
        f"{deployment.bits}-bit weights",
        *(["4-bit activations"] if deployment.activations == 4 else []),
        *([f"{deployment.ends}-bit weights at the ends"] if deployment.ends else []),
        *switched,
        networks,
    ]
    return "; ".join(parts)


def holding(wanted: str) -> list[Estimate]:
    """Those in ESTIMATES that hold for these conditions."""
    return [estimate for estimate in read() if estimate.conditions == wanted]


def multiplied(margin: Margin, arch: Mapping[str, Any] | None) -> float:
    """What the search multiplied the engine's estimate of the network by.

    Args:
        margin: what other networks took.
        arch: the content of arch.json.
    """
    return margin.of(arch["space"]["block"] if arch and "space" in arch else "")


def beside(wanted: str, margin: Margin, scale: float) -> list[Estimate]:
    """Estimates of other networks under the conditions ``wanted``, as the search multiplied them.

    Args:
        wanted: see ``conditions``.
        margin: what the build asked; networks that it ran come first.
        scale: what they were ``multiplied`` by.
    """
    found = [estimate for estimate in margin.networks if estimate.conditions == wanted] or holding(wanted)
    return [msgspec.structs.replace(estimate, estimated=round(scale * estimate.estimated)) for estimate in found]


def write(estimates: Iterable[Estimate], path: Path) -> None:
    """A line of JSON an estimate."""
    lines = (json.dumps(msgspec.to_builtins(estimate), sort_keys=True) for estimate in estimates)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def keep(found: Sequence[Estimate], path: Path) -> None:
    """Put ``found`` in the place of what the file has for the same ``conditions``, behind all else."""
    measured = {estimate.conditions for estimate in found}
    write([*(one for one in read(path) if one.conditions not in measured), *found], path)


def origin(estimates: Sequence[Estimate]) -> str:
    """Of the figures: what was drawn, built and run."""
    names = sorted({estimate.space for estimate in estimates})
    boards = sorted({f"{estimate.board} ({estimate.core})" for estimate in estimates})
    streams = sum(estimate.streams for estimate in estimates)
    return (
        f"{len(estimates)} random networks of {', '.join(names)}, {streams} of which stream in a smaller arena; "
        f"emulated on {' and '.join(boards)}, {', '.join(sorted({estimate.toolchain for estimate in estimates}))}"
    )


def errors(estimates: Sequence[Estimate]) -> Errors:
    """How far at least one estimate is off."""
    found = np.array([estimate.error for estimate in estimates])
    return Errors(
        networks=len(found),
        mean=float(found.mean()),
        rms=float(np.sqrt(np.mean(found**2))),
        p95=float(np.percentile(abs(found), 95)),
        worst=float(found[abs(found).argmax()]),
        origin=origin(estimates),
    )


def by_core(estimates: Sequence[Estimate]) -> dict[str, list[Estimate]]:
    """Those on each core."""
    cores = sorted({estimate.core for estimate in estimates})
    return {core: [estimate for estimate in estimates if estimate.core == core] for core in cores}


def table(estimates: Sequence[Estimate]) -> list[list[str]]:
    """Errors by core and by kind of plan: a row of titles, then a row a group."""
    titles = ["core", "networks", "", "mean", "rms", "95th percentile", "worst", f"within {TARGET:.0%}"]
    rows = []
    for core, on_core in by_core(estimates).items():
        groups = {
            "all": on_core,
            "on whole tensors": [estimate for estimate in on_core if not estimate.streams],
            "streamed": [estimate for estimate in on_core if estimate.streams],
        }
        for name, group in groups.items():
            if group and (name == "all" or len(group) < len(on_core)):
                found, within = errors(group), sum(abs(estimate.error) <= TARGET for estimate in group)
                figures = [f"{found.mean:+.1%}", f"{found.rms:.1%}", f"{found.p95:.1%}", f"{found.worst:+.1%}"]
                rows.append([core, str(found.networks), name, *figures, str(within)])
    return [titles, *rows]


def lines(estimates: Sequence[Estimate]) -> Iterator[str]:
    """The table as text, the worst network, and where the figures come from."""
    yield "Estimated against emulated cycles of whole networks: relative errors of the estimates"
    for core, networks, group, mean, rms, p95, worst, within in table(estimates):
        yield f"{core:<14}{networks:>9} {group:<18}{mean:>8}{rms:>8}{p95:>17}{worst:>8}{within:>11}"
    worst_one = max(estimates, key=lambda estimate: abs(estimate.error))
    yield (
        f"Worst: one of {worst_one.space} on {worst_one.core}{', streamed' if worst_one.streams else ''}: "
        f"{worst_one.estimated:,} estimated, {worst_one.emulated:,.0f} emulated."
    )
    yield f"{origin(estimates)}."


def plot(estimates: Sequence[Estimate], here: tuple[float, float] | None = None) -> Plot:
    """The error of each estimate against the cycles, ``here`` (emulated cycles, error) ringed."""
    dots = [
        Dot(
            estimate.emulated / 1e6,
            100 * estimate.error,
            "random" if estimate.streams else "cycles",
            f"{estimate.space} on {estimate.core}: {estimate.emulated:,.0f} cycles, {estimate.error:+.1%}",
        )
        for estimate in estimates
    ]
    if here is not None:
        dots.append(Dot(here[0] / 1e6, 100 * here[1], "ring", f"this build: {here[0]:,.0f} cycles, {here[1]:+.1%}", 8))
    limit = 100 * TARGET
    reach = max(1.3 * limit, *(1.1 * abs(dot.y) for dot in dots))
    ticks = linear([-reach, reach], "", lambda tick: f"{tick:+g}" if tick else "0", room=0).ticks
    cores = " and ".join(sorted({estimate.core for estimate in estimates}))
    return Plot(
        name="Error of the estimated cycles of random networks",
        x=linear([dot.x for dot in dots], "million cycles, emulated", "{:g}".format, zero=True),
        y=Axis(-reach, reach, f"{cores}: error of the estimate, %", ticks),
        dots=dots,
        rules=(Rule(limit, "target"), Rule(-limit, ""), Rule(0, "", style="mean")),
        legend=(
            ("cycles", "on whole tensors"),
            ("random", "streamed"),
            *((("ring", "this build"),) if here is not None else ()),
        ),
        height=260,
        key="dot",
    )
