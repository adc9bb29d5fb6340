"""The machine code: small for deep networks, in loops that a flash accelerator keeps, as fast from either compiler."""

import json
from pathlib import Path

import capstone
import numpy as np
import pytest

from mcubuild import ROOT
from mcubuild.bench.values import with_random_values
from mcubuild.board import Board, read_board
from mcubuild.importers.tflite import import_tflite
from mcubuild.ir.graph import Graph
from mcubuild.measure.runner import measure
from mcubuild.nas.space.arch import Space, draw
from mcubuild.nas.space.skeleton import skeleton
from mcubuild.resolution import square
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.spec.measure import MeasureSettings
from mcubuild.toolchain.sizes import read_image
from tests.engine.building import build
from tests.engine.networks import keyword_like
from tests.networks import random_inputs
from tests.toolchains import needs_arm_gcc

MODELS = ROOT.parent / "shared" / "models"
M4, M7 = "stm32f412", "stm32f746"


def deep_network() -> Graph:
    """The first network of 60 layers or more that is drawn from a search space."""
    space, rng = Space(0.5, square(80), 3, 2), np.random.default_rng(0)
    while True:
        graph = skeleton(draw(space, rng), 8)
        if len(graph.ops) >= 60:
            return with_random_values(graph)


def compiled(graph: Graph, board: Board, toolchain: str, plan: str, folder: Path) -> dict[str, dict[str, int]]:
    """Build ``graph``; the sections of the ELF."""
    folder.mkdir(exist_ok=True)
    engine = EngineSettings.model_validate({"plan": plan})
    build(graph, board, FirmwareSettings.model_validate({"toolchain": toolchain}), folder, engine)
    sections: dict[str, dict[str, int]] = json.loads((folder / "sizes.json").read_text())["sections"]
    return sections


@pytest.mark.parametrize(
    ("board", "toolchain", "plan"),
    [
        (M7, "zig", "smallest"),
        pytest.param(M7, "zig", "fastest", marks=pytest.mark.slow),
        pytest.param(M4, "zig", "smallest", marks=pytest.mark.slow),
        pytest.param(M4, "zig", "fastest", marks=pytest.mark.slow),
        pytest.param(M7, "gcc", "smallest", marks=(pytest.mark.slow, needs_arm_gcc)),
        pytest.param(M4, "gcc", "fastest", marks=(pytest.mark.slow, needs_arm_gcc)),
    ],
)
def test_code_of_sixty_layers(tmp_path: Path, board: str, toolchain: str, plan: str) -> None:
    """Below 40 kB, everything that is not the layers' constants."""
    sections = compiled(deep_network(), read_board(board), toolchain, plan, tmp_path)
    code = sum(sections.get(name, {"bytes": 0})["bytes"] for name in (".vectors", ".text", ".rodata", ".data"))
    assert 20_000 < code < 40 << 10


def innermost_loops(code: bytes) -> list[int]:
    """Bytes of each loop of Thumb code that has no loop inside: from the target of a branch back to its end."""
    machine = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    loops = []
    for instruction in machine.disasm(code, 0):
        if instruction.mnemonic.startswith("b") and instruction.op_str.startswith("#"):
            target = int(instruction.op_str[1:], 0)
            if target <= instruction.address:
                loops.append((target, instruction.address + instruction.size))
    return [end - start for start, end in loops if not any(start <= s and e < end for s, e in loops)]


@pytest.mark.parametrize("board", [M4, M7])
def test_inner_loops_are_short(tmp_path: Path, board: str) -> None:
    """1 kB is what the STM32F4's accelerator keeps of code."""
    compiled(deep_network(), read_board(board), "zig", "fastest", tmp_path)
    image = read_image(tmp_path / "firmware.elf")
    content = {section.name: section for section in image.sections}
    lengths: dict[str, int] = {}
    for symbol in image.symbols:
        if symbol.section == ".text" and symbol.name.startswith(("model_product", "model_depthwise")):
            start = symbol.address - content[".text"].address
            lengths[symbol.name] = max(innermost_loops(content[".text"].content[start : start + symbol.size]))
    assert len(lengths) > 12
    assert max(lengths.values()) <= 1024, lengths


def cycles(graph: Graph, board: Board, toolchain: str, folder: Path) -> float:
    """Core cycles of an inference, with memory that never waits."""
    compiled(graph, board, toolchain, "fastest", folder)
    measured = measure(folder / "firmware.elf", board, MeasureSettings(), random_inputs(graph, 1), [])
    assert measured.zero_wait_cycles is not None
    return measured.zero_wait_cycles


@needs_arm_gcc
@pytest.mark.parametrize("board", [M4, M7])
@pytest.mark.parametrize(
    "name", ["keyword-like", *(pytest.param(n, marks=pytest.mark.slow) for n in ("kws", "resnet", "vww96", "ad01"))]
)
def test_either_compiler_gives_the_same_speed(tmp_path: Path, name: str, board: str) -> None:
    """Within 3 %."""
    if name == "keyword-like":
        graph = keyword_like()
    elif (MODELS / f"{name}.tflite").exists():
        graph = import_tflite(MODELS / f"{name}.tflite").graph
    else:
        pytest.skip("the reference networks (../shared/models) are not here")
    gcc, zig = (cycles(graph, read_board(board), toolchain, tmp_path / toolchain) for toolchain in ("gcc", "zig"))
    assert gcc == pytest.approx(zig, rel=0.03)
