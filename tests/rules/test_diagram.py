"""The picture of a spec's stages."""

import re
from pathlib import Path

import pytest

from mcubuild.store import Store
from mcubuild.units import format_time
from rules.commands.diagram import mermaid, reads
from rules.foresight import Foreseen, foresee
from rules.resolve import resolve

SPEC = 'task = "image_classification"\ndataset = "digits"\nboard = "stm32f412"\n'


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Foreseen]:
    """The stages of a spec that starts from another one."""
    monkeypatch.setattr("rules.stage.BUILD", tmp_path / "build")
    monkeypatch.setattr("rules.foresight.BUILD", tmp_path / "build")
    (tmp_path / "first.toml").write_text(SPEC)
    (tmp_path / "second.toml").write_text(f'start = "first"\n{SPEC}')
    (resolved,) = resolve(tmp_path / "second.toml", tmp_path / "memory")
    return foresee(resolved, Store(tmp_path / "store"))


def test_what_reads_what(found: list[Foreseen]) -> None:
    names = [f"{one.resolved['spec']['name']}.{one.stage.name}" for one in found]
    direct = {names[at]: {names[other] for other in before} for at, before in reads(found).items()}
    assert direct["first.dataset"] == set()
    assert direct["second.firmware"] == {"second.codegen"}
    assert direct["second.codegen"] == {"second.quantize"}, "what quantize is made of is behind it"
    assert {one for one in direct["second.start"] if one.startswith("first.")} == {"first.supernet"}
    order = {name: at for at, name in enumerate(names)}
    assert all(order[other] < order[name] for name, before in direct.items() for other in before)


def test_the_picture_has_every_stage_once(found: list[Foreseen]) -> None:
    lines = [*mermaid(found, {0: 90.0})]
    assert lines[0] == "flowchart LR"
    stages = [match for line in lines if (match := re.fullmatch(r' +stage(\d+)\["(.+)"\]:::(\w+)', line))]
    assert [int(match[1]) for match in sorted(stages, key=lambda match: int(match[1]))] == [*range(len(found))]
    assert f"dataset<br/><small>to build, {format_time(90.0)}</small>" in lines[2]
    assert {match[3] for match in stages} <= {re.split(r"\s+", line)[2] for line in lines if "classDef" in line}
    assert len([line for line in lines if "subgraph" in line]) == 2 == lines.count("    end")
