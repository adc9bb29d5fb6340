"""Firmware of graphs, for tests that look at what became of it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mcubuild.bench.calibrate import Sample, samples
from mcubuild.bench.workbench import Workbench
from mcubuild.board import Board, read_board
from mcubuild.engine.emit.codegen import generate
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.ir.graph import Graph
from mcubuild.spec.deployment import Deployment
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.store import Store
from mcubuild.toolchain import firmware
from mcubuild.toolchain.compile import link


def build(
    graph: Graph,
    board: Board,
    settings: FirmwareSettings,
    folder: Path,
    engine: EngineSettings | None = None,
    tuned: Mapping[str, str] | None = None,
) -> None:
    """Generate and link the firmware of ``graph``, all in ``folder``; ``tuned`` says which kernels to take."""
    target = replace(Target.of(board, engine or EngineSettings()), tuned=tuned or {})
    generate(graph, plan(graph, target), target, folder, stack=settings.stack)
    firmware.generate(board, settings.stack, folder)
    link(folder, board, settings, folder)


def run_layers(graph: Graph, board: str, store: Path) -> list[Sample]:
    """What each layer takes on ``board``, with the kernels that estimates choose."""
    return samples(graph, Deployment(read_board(board)), Workbench(Store(store), "test"), {})
