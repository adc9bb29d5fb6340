"""From WAV files to a report, and as far as the data set in a second."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.data.wavs import write_tones
from tests.e2e.checkout import SPEC, Checkout

AUDIO = SPEC.replace('"image_classification"', '"audio_classification"').replace(
    'dataset = "digits"',
    'dataset = { kind = "audio_folder", path = "../tones", pattern = "{class}_{speaker}_{n}.wav", '
    'test = "*_[0-4].wav", max_resolution = 16 }',
)


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    made = Checkout(tmp_path / "checkout", tmp_path / "store")
    write_tones(made.path / "tones", 24)
    made.write_spec(AUDIO)
    yield made


def test_the_data_set_follows_its_files(checkout: Checkout) -> None:
    run = checkout.doit("dataset")
    assert run.did("built") == {"dataset"}, run.output
    build = checkout.path / "build" / "net"
    inventory = json.loads((build / "inventory.json").read_text())
    assert inventory["splits"]["test"] == 15 and sum(inventory["splits"].values()) == 72
    assert checkout.doit("dataset").did("up to date") == {"dataset"}

    train = (build / "train.npz").read_bytes()
    heard = checkout.path / "tones" / "low_a_0.wav"
    heard.write_bytes((checkout.path / "tones" / "high_a_0.wav").read_bytes())
    assert checkout.doit("dataset").did("built") == {"dataset"}
    assert (build / "train.npz").read_bytes() == train, "that was a test recording"


def test_a_damaged_recording_is_named(checkout: Checkout) -> None:
    (checkout.path / "tones" / "low_a_0.wav").write_bytes(b"RIFF")
    run = checkout.doit("dataset")
    assert run.code == 1 and "low_a_0.wav: cannot be read as a WAV file" in run.output
    assert "Traceback" not in run.output


@pytest.mark.slow
def test_tones_become_firmware_and_a_report(checkout: Checkout) -> None:
    checkout.edit("specs/net.toml", "[supernet]\nepochs = 1", "[supernet]\nepochs = 25\nbatch = 16")
    run = checkout.doit("build")
    assert run.code == 0, run.output
    build = checkout.path / "build" / "net"
    report = json.loads((build / "report.json").read_text())
    assert report["accuracy"]["mismatches"] == 0
    assert report["accuracy"]["int8"] >= 0.8, "three tones an octave and a half apart"
    page = (build / "report.html").read_text()
    assert "What the device must feed it" in page and "Subtract the mean of the" in page
    # The training samples were shifted in time and masked; nothing of the test split went into weights or ranges.
    before = {name: (build / name).read_bytes() for name in ("model.json", "model.npz", "arch.json")}
    for path in (checkout.path / "tones").glob("*_[0-4].wav"):
        noise = np.random.default_rng(0).integers(256, size=2000, dtype=np.uint8).tobytes()
        path.write_bytes(path.read_bytes()[:44] + noise + path.read_bytes()[2044:])
    run = checkout.doit("build")
    assert not run.did("built") & {"space", "race", "supernet", "search", "finetune", "quantize", "codegen", "firmware"}
    assert {"dataset", "accuracy", "measure", "report"} <= run.did("built")
    assert all((build / name).read_bytes() == content for name, content in before.items())
