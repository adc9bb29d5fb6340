"""What a report says of its test set."""

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from mcubuild.errors import BuildError
from mcubuild.report import artifacts
from mcubuild.report.artifacts import Artifacts
from mcubuild.report.tested import test_set as described
from tests.report.invented_build import TEST, edit, write_build


@pytest.fixture
def build(tmp_path: Path) -> Path:
    write_build(tmp_path)
    return tmp_path


def read(build: Path) -> Artifacts:
    return artifacts.read({path.relative_to(build).as_posix(): path for path in build.rglob("*") if path.is_file()})


def test_marks_give_the_accuracies(build: Path) -> None:
    found, accuracy = described(read(build), np.arange(TEST)), json.loads((build / "accuracy.json").read_text())
    assert found.int8 == found.device and found.int8 is not None
    assert found.int8.count("1") / TEST == accuracy["int8"]
    assert found.ids == [f"{number:016x}" for number in range(TEST)]
    right = np.load(build / "int8_outputs.npy").argmax(axis=1) == accuracy["labels"]
    assert found.int8 == "".join("1" if one else "0" for one in right)


def test_samples_that_were_not_run_are_marked(build: Path) -> None:
    chosen = np.arange(100) * TEST // 100
    found = replace(read(build), outputs=np.load(build / "device_outputs.npy")[chosen])
    marks = described(found, chosen).device
    assert marks is not None and [number for number, mark in enumerate(marks) if mark != "-"] == chosen.tolist()


def test_the_digest_is_that_of_samples_with_labels_in_any_order(build: Path) -> None:
    original, every = read(build), np.arange(TEST)
    labels = original.accuracy.labels
    assert original.inventory is not None and labels is not None
    digest = described(original, every).digest
    turned = replace(
        original,
        inventory=replace(original.inventory, test_ids=original.inventory.test_ids[::-1]),
        accuracy=msgspec.structs.replace(original.accuracy, labels=labels[::-1]),
    )
    assert described(turned, every).digest == digest and len(digest) == 16
    other = msgspec.structs.replace(original.accuracy, labels=[(labels[0] + 1) % 10, *labels[1:]])
    assert described(replace(original, accuracy=other), every).digest != digest


def test_without_labels_the_samples_are_known_nonetheless(build: Path) -> None:
    found = read(build)
    unlabelled = replace(found, accuracy=msgspec.structs.replace(found.accuracy, labels=None, classification=None))
    told = described(unlabelled, np.arange(TEST))
    assert (told.int8, told.device) == (None, None) and len(told.ids) == TEST


def test_artifacts_of_two_builds_are_refused(build: Path) -> None:
    edit(build, "inventory.json", test_ids="0" * 16)
    with pytest.raises(BuildError, match="1 samples are known by their content, 360 have outputs"):
        described(read(build), np.arange(TEST))
