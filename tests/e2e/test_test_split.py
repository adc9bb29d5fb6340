"""A test split that cannot even be read changes nothing before the finished network is judged."""

import json
from pathlib import Path

import numpy as np
import pytest

from mcubuild.errors import BuildError
from mcubuild.store import digest_file
from rules.execute import execute
from rules.graph import STAGES
from rules.resolve import resolve
from rules.stage import Resolved, pipeline
from rules.stages import accuracy, codegen, dataset

SPEC = """
task = "image_classification"
dataset = "digits"
board = "stm32f412"
bits = 4
{arch}

[space]
samples = 10
widths = [0.2]
resolutions = [8]

[supernet]
epochs = 1

[finetune]
epochs = 1

[quantize]
samples = 32
epochs = 1
"""
SEARCH = "\n[search]\npopulation = 4\ngenerations = 1\nparents = 2\ncalibration = 64\n"
POISON = b"no samples"


def until_codegen(resolved: Resolved, folder: Path, *, poisoned: bool) -> dict[str, str]:
    """Digests of all that the stages up to the generated code write."""
    for stage in pipeline(STAGES, resolved):
        execute(stage, resolved, folder)
        if stage.name == dataset.STAGE.name and poisoned:
            (folder / "test.npz").write_bytes(POISON)
        if stage.name == codegen.STAGE.name:
            break
    written = (path for path in folder.rglob("*") if path.is_file() and path.name != "test.npz")
    return {path.relative_to(folder).as_posix(): digest_file(path) for path in written}


@pytest.mark.parametrize(
    "arch",
    [pytest.param("", marks=pytest.mark.slow, id="searched"), pytest.param('arch = "smallcifar"', id="published")],
)
def test_nothing_reads_the_test_split_before_the_network_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arch: str
) -> None:
    path = tmp_path / "net.toml"
    path.write_text(SPEC.format(arch=arch) + ("" if arch else SEARCH))
    (resolved,) = resolve(path, tmp_path / "specs")
    # Against a perfect one the quantised network loses on every processor, and is fine-tuned.
    monkeypatch.setattr("mcubuild.quant.quantize.float_outputs", lambda network, val, progress: np.eye(10)[val.y])
    found = []
    for name in ("whole", "poisoned"):
        monkeypatch.setenv("MCUBUILD_STORE", str(tmp_path / f"store-{name}"))  # each run makes everything itself
        found.append(until_codegen(resolved, tmp_path / name, poisoned=name == "poisoned"))
    assert found[0] == found[1]
    trained = "train_log.json" if arch else "finetune_log.json"
    assert {"c/weights.c", "quantize_log.json", trained} < found[0].keys()
    log = json.loads((tmp_path / "poisoned" / "quantize_log.json").read_text())
    assert not arch or log["learned"] is not None, "quantisation-aware fine-tuning was not part of this"
    with pytest.raises(BuildError, match=r"test\.npz"):
        execute(accuracy.STAGE, resolved, tmp_path / "poisoned")
