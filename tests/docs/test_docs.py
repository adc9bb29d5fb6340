"""The README and docs/: what they quote from specs, commands and messages is as it is in the code."""

import ast
import json
import re
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from mcubuild import ROOT
from mcubuild.board import board_in
from mcubuild.spec.schema import spec_schema
from mcubuild.spec.spec import read_spec
from rules.front import COMMANDS
from rules.graph import STAGES
from rules.options import OPTIONS

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
DOITS = {"list", "info", "clean", "forget", "help"}


def pages_with(pattern: str) -> list[ParameterSet]:
    """What the pattern finds, page by page."""
    found = []
    for page in PAGES:
        for number, one in enumerate(re.findall(pattern, page.read_text(), re.M | re.S)):
            found.append(pytest.param(one, id=f"{page.relative_to(ROOT)}-{number}"))
    return found


@pytest.mark.parametrize("text", pages_with(r"^```toml\n(.*?)^```"))
def test_toml_is_a_spec_or_part_of_one_or_a_board(text: str, tmp_path: Path) -> None:
    path = tmp_path / "it.toml"
    whole = re.search(r"^(board =|\[model\])", text, re.M)
    data = "" if re.search(r"^dataset =", text, re.M) else 'dataset = "digits"\n'
    task = "" if re.search(r"^task =", text, re.M) else 'task = "image_classification"\n'
    path.write_text(text if whole else f'{task}{data}board = "stm32f412"\n{text}')
    if text.startswith("[desk"):
        board = (ROOT / "boards" / "stm32f412.toml").read_text()
        path.write_text(re.sub(r"^desk = .*\n", "", board, flags=re.M) + text)
    if text.startswith("[desk") or "[[memory]]" in text:
        board_in(path)
    else:
        read_spec(path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_exist(page: Path) -> None:
    text = page.read_text()
    code = re.findall(r"^(?: {4}|```).*$|`[^`\n]+`", text, re.M)
    words = {word for line in code for word in re.findall(r"(?:\bdoit|(?<!install )\bmcubuild) ([a-z_]+)\b", line)}
    known = {*COMMANDS, *OPTIONS, *DOITS, *(stage.name for stage in STAGES)}
    assert words <= known, f"{words - known}: no such command"


def test_all_commands_are_told() -> None:
    told = (ROOT / "docs" / "commands.md").read_text()
    assert [name for name in COMMANDS if f"`mcubuild {name}" not in told] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_keys_of_tables_exist(page: Path) -> None:
    described = json.loads(spec_schema())
    for table, key in re.findall(r"`\[([a-z]+)\] ([a-z_]+)", page.read_text()):
        value = described["properties"][table]
        [name] = [one["$ref"].rpartition("/")[2] for one in value.get("anyOf", [value]) if "$ref" in one]
        assert key in described["$defs"][name]["properties"], f"[{table}] {key}"


def strings() -> str:
    """All texts of the code, a line each; what is filled in is ``…``."""
    found = []
    for path in [*(ROOT / "mcubuild").rglob("*.py"), *(ROOT / "rules").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(" ".join(text.split()) for text in found)


def test_messages_that_are_explained_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| (\*.+?) \|", (ROOT / "docs" / "troubleshooting.md").read_text(), re.M)
    told, texts = [one for row in rows for one in re.findall(r"\*([^*]+)\*", row)], strings()
    assert len(told) > 40
    for message in told:
        parts = [re.escape(part.strip()) for part in message.split("…") if part.strip()]
        assert re.search(".*".join(parts), texts), message


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if not target.startswith(("http:", "https:")):
            # What is a link to a file of the root is read there, too.
            assert any((folder / target).exists() for folder in {page.parent, page.resolve().parent}), target
