"""Figures of a network's firmware, for one board, one set of switches and one limit of the arena."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mcubuild.artifacts import A, Artifact, read_artifact, write_artifact
from mcubuild.board import DESCRIPTIVE, Board, read_board
from mcubuild.errors import BuildError
from mcubuild.ir.executor import run, sample_shape
from mcubuild.ir.files import fingerprint
from mcubuild.ir.graph import Graph
from mcubuild.measure.build import build_and_run
from mcubuild.spec.deployment import Deployment
from mcubuild.store import Store, digest_json
from mcubuild.toolchain.compile import find

CORES: Mapping[str, str] = {"m4": "stm32f412", "m7": "stm32f746"}
"""The boards whose cores are compared."""
_ROOM = 8 << 20
"""Bytes of each memory of a board with room for every network."""
_FILE = "figures.json"


class Figures(Artifact, frozen=True):
    """What one inference takes."""

    macs: int
    """Multiply-accumulates."""
    instructions: float
    """Counted."""
    cycles: float
    """Modelled, with what the board's memories cost."""
    zero_wait_cycles: float
    """Modelled, with memory that never waits."""
    arena: int
    """Bytes of the arena in the linked ELF."""
    static: int
    """Bytes of other variables."""
    stack: int
    """Bytes of stack, the deepest seen."""
    flash: int
    """Bytes of code and constants."""

    @property
    def sram(self) -> int:
        """Bytes of RAM at the worst moment."""
        return self.arena + self.static + self.stack

    @property
    def cycles_per_mac(self) -> float:
        """With memory that never waits."""
        return self.zero_wait_cycles / self.macs


def roomy(board: Board) -> Board:
    """``board`` with room for every network; its core and what its memories cost stay as they are."""
    largest = (board.flash, board.ram_banks[0][-1])
    memory = tuple(m.model_copy(update={"size": _ROOM}) if m in largest else m for m in board.memory)
    return board.model_copy(update={"memory": memory})


def core(name: str) -> Board:
    """The board for ``name``, a key of CORES."""
    return roomy(read_board(CORES[name]))


class Workbench:
    """Builds firmware, runs it, and remembers what came out."""

    def __init__(self, store: Store, code: str) -> None:
        """``code`` identifies the code that results depend on."""
        self._store, self._code = store, code

    def figures(self, graph: Graph, deployment: Deployment, tuned: Mapping[str, str] | None = None) -> Figures:
        """Generate, link and run ``graph`` on a random input, or look up what that gave before.

        Args:
            graph: a network with values.
            deployment: what to build for.
            tuned: kernels by their layer's output; others are chosen by their estimates.

        Raises:
            BuildError: the firmware does not fit the board, or its outputs are not the reference executor's.
        """
        ingredients = {
            "graph": fingerprint(graph),
            "engine": deployment.engine.model_dump(mode="json"),
            "sram": deployment.sram,
            "tuned": tuned,
        }
        return self.kept(ingredients, deployment, Figures, lambda folder: _figures(graph, deployment, folder, tuned))

    def kept(
        self, ingredients: Mapping[str, Any], deployment: Deployment, kind: type[A], make: Callable[[Path], A]
    ) -> A:
        """What ``make`` gives, or gave before for the same.

        Args:
            ingredients: what it depends on, as JSON, besides code, board and compiler.
            deployment: has the latter two.
            kind: of the result.
            make: gets an empty folder to work in.
        """
        key = digest_json(
            {
                **ingredients,
                "code": self._code,
                "board": deployment.board.model_dump(mode="json", exclude=set(DESCRIPTIVE)),
                "firmware": deployment.firmware.model_dump(mode="json"),
                "tool": compiler(deployment),
            }
        )
        with tempfile.TemporaryDirectory() as folder, self._store.lock(key, lambda: None):
            result, work = Path(folder) / "result", Path(folder) / "work"
            result.mkdir()
            work.mkdir()
            if not self._store.fetch(key, result, [_FILE]):
                write_artifact(make(work), result / _FILE)
                self._store.put(key, result, [_FILE])
            return read_artifact(result / _FILE, kind)


def compiler(deployment: Deployment) -> str:
    """Name and version of the compiler.

    Raises:
        BuildError: it is not installed.
    """
    return find(deployment.firmware.toolchain).identity


def _figures(graph: Graph, deployment: Deployment, folder: Path, tuned: Mapping[str, str] | None) -> Figures:
    board = deployment.board
    inputs = np.random.default_rng(0).integers(-128, 128, (1, *sample_shape(graph)), np.int8)
    outcome = build_and_run(graph, deployment, inputs, folder, tuned)
    measured, sizes = outcome.measured, outcome.sizes
    wrong = int((measured.outputs != run(graph, inputs).reshape(1, -1)).sum())
    if wrong:
        raise BuildError(
            f"{graph.name}: {wrong} of {measured.outputs.size} outputs of the firmware for {board.name!r} differ "
            f"from the reference executor's; with {deployment.engine}, that is a defect of the engine."
        )
    if measured.cycles is None or measured.zero_wait_cycles is None:
        raise BuildError(f"board {board.name!r}: there is no cycle model of its core, {board.core}; choose another.")
    return Figures(
        macs=graph.macs(),
        instructions=measured.instructions.mean,
        cycles=measured.cycles.mean,
        zero_wait_cycles=measured.zero_wait_cycles,
        arena=sizes.arena,
        static=sizes.static,
        stack=measured.stack_bytes,
        flash=sizes.flash_bytes,
    )
