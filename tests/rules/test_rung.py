"""The stage rung."""

from pathlib import Path

import pytest

from mcubuild.artifacts import read_artifact
from mcubuild.bench.sketch import Sketch
from mcubuild.bench.values import with_random_values
from mcubuild.bench.workbench import Figures
from mcubuild.ir.files import write_graph
from mcubuild.spec.spec import read_spec
from rules.execute import execute
from rules.stage import pipeline
from rules.stages import rung
from tests.rules.test_tune import SPEC


def test_a_rung_says_what_its_firmware_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUBUILD_STORE", str(tmp_path / "store"))
    (tmp_path / "net.toml").write_text(SPEC)
    spec, board = read_spec(tmp_path / "net.toml")
    resolved = {
        "spec": spec.model_dump(mode="json"),
        "board": board.model_dump(mode="json"),
        "folder": str(tmp_path),
        "stages": [rung.NAME],
    }
    sketch = Sketch((1, 6, 6, 4))
    sketch.depthwise("input")
    graph, folder = sketch.graph(), tmp_path / "build"
    folder.mkdir()
    write_graph(with_random_values(graph), folder)

    (stage,) = pipeline((rung.STAGE,), resolved)
    execute(stage, resolved, folder)
    found = read_artifact(folder / rung.FIGURES, Figures)
    assert found.macs == graph.macs() and found.cycles > found.macs / 4 and 0 < found.arena < board.sram_bytes
