"""Figures come from an ELF that was run, once."""

from pathlib import Path

import pytest

from mcubuild.bench import workbench
from mcubuild.bench.sketch import Sketch
from mcubuild.bench.values import with_random_values
from mcubuild.bench.workbench import CORES, Figures, Workbench, core, roomy
from mcubuild.board import read_board
from mcubuild.engine.memory.footprint import with_arena
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.errors import BuildError
from mcubuild.ir.executor import run
from mcubuild.ir.graph import Graph
from mcubuild.spec.deployment import Deployment
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.store import Store


def small() -> Graph:
    sketch = Sketch((1, 6, 6, 4))
    sketch.conv(sketch.depthwise("input"), 8)
    return with_random_values(sketch.graph())


def bench(folder: Path, code: str = "code") -> Workbench:
    return Workbench(Store(folder), code)


def test_figures_are_those_of_the_elf_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, board = small(), core("m4")
    built = Deployment(board)
    made = bench(tmp_path).figures(graph, built)
    assert made.macs == 36 * (4 * 9 + 4 * 8)
    assert 0 <= made.arena - plan(graph, Target.of(board, EngineSettings())).arena < 32
    assert made.instructions > made.macs / 4 and made.cycles >= made.zero_wait_cycles > 0

    other = bench(tmp_path).figures(graph, built, tuned={"t0": "depthwise_columns"})
    assert other.instructions != made.instructions, "the tuned kernel is not the one that estimates choose"

    def again(*arguments: object) -> Figures:
        raise AssertionError("it was run again")

    monkeypatch.setattr(workbench, "build_and_run", again)
    assert bench(tmp_path).figures(graph, built) == made
    for code, other_build in (
        ("other code", built),
        ("code", Deployment(core("m7"))),
        ("code", Deployment(board, EngineSettings(tiling=False))),
        ("code", Deployment(board, firmware=FirmwareSettings(optimize="Os"))),
        ("code", with_arena(built, 0)),
    ):
        with pytest.raises(AssertionError, match="run again"):
            bench(tmp_path, code).figures(graph, other_build)


def test_wrong_outputs_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbench, "run", lambda graph, inputs: run(graph, inputs) ^ 1)
    with pytest.raises(BuildError, match=r"sketch: 288 of 288 outputs .* 'stm32f412' differ"):
        bench(tmp_path).figures(small(), Deployment(core("m4")))


@pytest.mark.parametrize("name", CORES.values())
def test_a_roomy_board_differs_in_sizes_only(name: str) -> None:
    board = read_board(name)
    larger = roomy(board)
    assert larger.sram_bytes > board.sram_bytes and larger.flash_bytes > board.flash_bytes
    sizes = [{"memory": tuple(m.model_copy(update={"size": 1}) for m in b.memory)} for b in (board, larger)]
    assert board.model_copy(update=sizes[0]) == larger.model_copy(update=sizes[1])
