"""Somebody's text as part of another language: it stays text, whatever it holds and wherever it stands."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
import pytest

from mcubuild.board import read_board
from mcubuild.engine.emit.codegen import FILES, generate
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.errors import BuildError
from mcubuild.escape import Text, add_filters, c_comment, c_string, line_comment, markdown
from mcubuild.importers.tflite import import_tflite
from mcubuild.ir.graph import Graph
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.firmware import FirmwareSettings
from tests.hostile import HOSTILE
from tests.importers.networks import random_network as tflite_network
from tests.networks import random_network
from tests.toolchain.building import build


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_text_stays_text(text: str) -> None:
    comment = c_comment(text)
    assert "*/" not in comment and "/*" not in comment and comment.isprintable() and len(comment) <= 250
    assert line_comment(text).isprintable() and markdown(text).isprintable()
    literal = c_string(text)
    assert literal[0] == literal[-1] == '"' and literal.isascii() and literal.isprintable()
    inside = literal[1:-1]
    assert '"' not in inside and "?" not in inside
    # Octal is also what JSON lacks and Python has: the literal's bytes are the text's.
    value = bytes(inside, "ascii").decode("unicode_escape").encode("latin-1")
    assert value == text.encode(errors="backslashreplace")
    assert str(BuildError(f"{text}: found")).replace("\n", "").isprintable()


def test_a_template_that_forgets_to_escape_fails() -> None:
    environment = jinja2.Environment()
    add_filters(environment)
    values = {"name": Text("*/ x"), "names": [Text("a"), Text("b")]}
    assert environment.from_string("/* {{ name | c_comment }} */").render(values) == "/* * / x */"
    for template in ("{{ name }}", "{{ 'x' ~ name }}", "{{ names | join }}", "{{ '%s' | format(name) }}"):
        with pytest.raises(TypeError, match="needs a filter"):
            environment.from_string(template).render(values)


def renamed(graph: Graph, names: Mapping[str, str], name: str) -> Graph:
    """``graph`` with other names of itself and of its tensors."""

    def other(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(other, value))
        return names.get(value, value) if isinstance(value, str) else value

    return Graph(
        name,
        {names[tensor]: replace(description, name=names[tensor]) for tensor, description in graph.tensors.items()},
        tuple(op.changed(**{name: other(value) for name, value in vars(op).items()}) for op in graph.ops),
        other(graph.inputs),
        other(graph.outputs),
        {names[tensor]: values for tensor, values in graph.constants.items()},
    )


def brought(folder: Path) -> Graph:
    """Two inputs, four outputs, and operands that are constants."""
    file = folder / "net.tflite"
    file.write_bytes(tflite_network(3, 8).finish())
    return import_tflite(file).graph


@pytest.mark.parametrize("kind", ["chains on a board with a clock", "several inputs on a board without"])
def test_hostile_names_change_nothing_but_comments(tmp_path: Path, kind: str) -> None:
    """Names of the network, of every tensor and of the board: the firmware has the same bytes as with plain ones."""
    graph, board, settings = random_network(5), read_board("stm32f412"), FirmwareSettings()
    if kind.startswith("several"):
        graph, board = brought(tmp_path), board.model_copy(update={"clock_setup": None, "reset_clock": 16_000_000})
    plain = {tensor: f"t{number}" for number, tensor in enumerate(graph.tensors)}
    evil = {tensor: f"{HOSTILE[number % 10]} {number}" for number, tensor in enumerate(graph.tensors)}
    made = {}
    for kind, names, name in (("plain", plain, "net"), ("evil", evil, "".join(HOSTILE[:9]))):
        network = renamed(graph, names, name)
        title = "Board" if kind == "plain" else "".join(HOSTILE[:9])
        folder = tmp_path / kind / "c"
        folder.mkdir(parents=True)
        target = Target.of(board, EngineSettings())
        generate(network, plan(network, target), target, folder, stack=settings.stack, classes=HOSTILE)
        out = build(folder, board.model_copy(update={"title": title, "source": title}), settings)
        made[kind] = (out / "firmware.elf").read_bytes(), {n: (folder / n).read_text().splitlines() for n in FILES}
        assert json.loads((folder / "plan.json").read_text())
    (elf, files), (evil_elf, evil_files) = made["plain"], made["evil"]
    assert evil_elf == elf
    for file, lines in files.items():
        assert len(lines) == len(evil_files[file]), file
    assert files["CMakeLists.txt"][1:] == evil_files["CMakeLists.txt"][1:]
    assert all(not line.startswith("execute_process") for line in evil_files["CMakeLists.txt"])
