"""What model.h says besides the arena: classes, sizes, hash, and the label that the network chose."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mcubuild.board import read_board
from mcubuild.engine.emit.codegen import generate
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.ir.executor import run
from mcubuild.ir.files import fingerprint
from mcubuild.ir.graph import Graph
from mcubuild.spec.engine import EngineSettings
from mcubuild.toolchain.compile import find
from tests.networks import random_inputs, random_network

NAMES = ('say "cheese"', "back\\slash */ ??/", "Bär\n#error 7")
PROGRAM = """
#include "model.h"
#include <stdio.h>
int main(void)
{
    static const char *const names[MODEL_CLASSES] = MODEL_CLASS_NAMES;
    static int8_t arena[MODEL_ARENA_BYTES];
    while (fread(model_input(arena), 1, MODEL_INPUT_HEIGHT * MODEL_INPUT_WIDTH * MODEL_INPUT_CHANNELS, stdin)) {
        model_run(arena);
        printf("%s%c", names[model_argmax(arena)], 0);
    }
    return 0;
}
"""


def write_c(graph: Graph, folder: Path, classes: tuple[str, ...] = ()) -> str:
    """The header."""
    target = Target.of(read_board("stm32f412"), EngineSettings())
    generate(graph, plan(graph, target), target, folder, stack=2048, classes=classes)
    return (folder / "model.h").read_text()


def test_classes_and_the_label(tmp_path: Path) -> None:
    graph = random_network(7)
    write_c(graph, tmp_path, NAMES)
    (tmp_path / "main.c").write_text(PROGRAM)
    flags = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror"]
    command = [*find("zig").command, *flags, "-o", "program", "main.c", "model.c", "weights.c"]
    subprocess.run(command, cwd=tmp_path, check=True)
    inputs = random_inputs(graph, 20)
    result = subprocess.run([tmp_path / "program"], input=inputs.tobytes(), capture_output=True, check=True)
    expected = [NAMES[label] for label in run(graph, inputs).reshape(20, -1).argmax(axis=1)]
    assert result.stdout.decode().split("\0")[:-1] == expected


def test_without_a_data_set_there_are_no_classes(tmp_path: Path) -> None:
    assert "MODEL_CLASS" not in write_c(random_network(7), tmp_path)


def test_the_hash_is_of_what_is_computed() -> None:
    graph = random_network(7)
    assert fingerprint(replace(graph, name="other")) == fingerprint(random_network(7)) != fingerprint(random_network(8))
    name = next(iter(graph.constants))
    changed = -graph.constants[name]
    assert fingerprint(replace(graph, constants={**graph.constants, name: changed})) != fingerprint(graph)


@pytest.mark.parametrize("seed", [4, 7])
def test_the_assembly_asks_for_no_executable_stack(tmp_path: Path, seed: int) -> None:
    write_c(random_network(seed), tmp_path)
    command = [*find("zig").command, "-c", "kernels.S", "-o", "kernels.o"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert b".note.GNU-stack" in (tmp_path / "kernels.o").read_bytes()
