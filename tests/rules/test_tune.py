"""The stage tune and what codegen makes of it."""

import json
from pathlib import Path

import pytest

from mcubuild.bench.sketch import Sketch
from mcubuild.bench.values import with_random_values
from mcubuild.ir.files import write_graph
from mcubuild.spec.spec import read_spec
from rules.execute import execute
from rules.stage import pipeline
from rules.stages import codegen, tune

SPEC = """
task = "image_classification"
dataset = "digits"
board = "stm32f412"
[engine]
tune = true
"""


def test_code_is_generated_with_what_was_the_fastest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUBUILD_STORE", str(tmp_path / "store"))
    (tmp_path / "tuned.toml").write_text(SPEC)
    spec, board = read_spec(tmp_path / "tuned.toml")
    resolved = {
        "spec": spec.model_dump(mode="json"),
        "board": board.model_dump(mode="json"),
        "folder": str(tmp_path),
    }
    sketch = Sketch((1, 6, 6, 4))
    sketch.depthwise("input")
    folder = tmp_path / "build"
    folder.mkdir()
    write_graph(with_random_values(sketch.graph()), folder)

    tuning, generating = pipeline((tune.STAGE, codegen.STAGE), resolved)
    execute(tuning, resolved, folder)
    found = json.loads((folder / "tune.json").read_text())
    assert len(found["layers"]["t0"]["cycles"]) == 3
    found["layers"]["t0"]["kernel"] = "depthwise_columns"  # neither estimated nor measured to be the fastest
    (folder / "tune.json").write_text(json.dumps(found))
    execute(generating, resolved, folder)
    (layer,) = json.loads((folder / "c" / "plan.json").read_text())["layers"]
    assert layer["name"] == "layer_00_depthwise_columns"
