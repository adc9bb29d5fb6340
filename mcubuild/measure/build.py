"""From a network to what it costs: planned, generated, linked and run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcubuild.artifacts import read_artifact
from mcubuild.artifacts.plan import PLAN, Planned
from mcubuild.artifacts.sizes import SIZES, Sizes
from mcubuild.engine.emit.codegen import generate
from mcubuild.engine.memory.footprint import target_of
from mcubuild.engine.memory.planner import plan
from mcubuild.ir.graph import Graph
from mcubuild.measure.result import Measurement
from mcubuild.measure.runner import measure
from mcubuild.spec.deployment import Deployment
from mcubuild.spec.measure import MeasureSettings
from mcubuild.toolchain import firmware
from mcubuild.toolchain.compile import link


@dataclass(frozen=True)
class Outcome:
    """Of a firmware that was built and run."""

    measured: Measurement
    sizes: Sizes


def build_and_run(
    graph: Graph,
    deployment: Deployment,
    inputs: NDArray[np.int8],
    folder: Path,
    tuned: Mapping[str, str] | None = None,
) -> Outcome:
    """Make firmware of ``graph`` and run it in the emulator.

    Args:
        graph: a network with values.
        deployment: where it is to run, and how it is compiled.
        inputs: int8 (N, ...), as for ``measure``.
        folder: an empty one; C, ELF and sizes stay there.
        tuned: kernels by their layer's output; others are chosen by their estimates.

    Raises:
        BuildError: the network cannot be computed exactly, does not fit the board, or does not run.
    """
    write_c(graph, deployment, folder, tuned)
    return link_and_run(deployment, inputs, folder)


def write_c(graph: Graph, deployment: Deployment, folder: Path, tuned: Mapping[str, str] | None = None) -> Path:
    """The first half of ``build_and_run``: the folder with the C, on which all that is measured depends."""
    target, c = target_of(deployment, tuned), folder / "c"
    c.mkdir()
    stack, prefix = deployment.stack, deployment.firmware.prefix
    generate(graph, plan(graph, target), target, c, stack=stack, prefix=prefix)
    firmware.generate(deployment.board, stack, c, prefix)
    return c


def link_and_run(deployment: Deployment, inputs: NDArray[np.int8], folder: Path) -> Outcome:
    """The second half: what becomes of the C that ``write_c`` has left in ``folder``."""
    link(folder / "c", deployment.board, deployment.firmware, folder)
    names = [layer.name for layer in read_artifact(folder / "c" / PLAN, Planned).layers]
    measured = measure(folder / "firmware.elf", deployment.board, MeasureSettings(), inputs, names)
    return Outcome(measured, read_artifact(folder / SIZES, Sizes))
