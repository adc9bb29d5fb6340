"""ImageNet's layouts from archive to report: invented photos anywhere, CIFAR-10's where they are there."""

import json
import tarfile
from pathlib import Path

import pytest

from mcubuild import ROOT
from tests.data.imagenet import NAMES, Images, invented, write_archives
from tests.e2e.checkout import SPEC, Checkout

CIFAR10 = ROOT.parent / "shared" / "data" / "cifar10.tar.gz"


def spec(classes: int) -> str:
    options = f'{{ kind = "imagenet", classes = {classes}, max_resolution = 32 }}'
    return SPEC.replace('"digits"', options).replace("resolutions = [8, 12]", "resolutions = [16, 24]")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "project", tmp_path / "store")


def test_spaces_are_compared_without_the_data(checkout: Checkout, tmp_path: Path) -> None:
    checkout.write_spec(spec(100), "some")
    run = checkout.doit("space", "spec=specs/some.toml", MCUBUILD_DATA=str(tmp_path / "data"))
    assert run.code == 0 and run.did("built") == {"outline", "margin", "space"}, run.output
    outline = json.loads((checkout.path / "build" / "some" / "outline.json").read_text())
    assert outline == {
        "task": "image_classification",
        "classes": 100,
        "channels": 3,
        "max_resolution": 32,
        "series": False,
        "anchors": 0,
        "stride": 0,
    }


def _report(checkout: Checkout, data: Path, classes: int) -> dict[str, object]:
    checkout.write_spec(spec(classes), "some")
    run = checkout.doit("build", "spec=specs/some.toml", MCUBUILD_DATA=str(data))
    assert run.code == 0, run.output
    assert checkout.doit("build", "spec=specs/some.toml", MCUBUILD_DATA=str(data)).did("built") == set()
    report: dict[str, object] = json.loads((checkout.path / "build" / "some" / "report.json").read_text())
    return report


@pytest.mark.slow
def test_from_archives_to_the_report(checkout: Checkout, tmp_path: Path) -> None:
    write_archives(tmp_path / "data" / "imagenet", *invented(train=30, val=10))
    assert _report(checkout, tmp_path / "data", len(NAMES))["verdict"] == "pass"


@pytest.mark.slow
@pytest.mark.skipif(not CIFAR10.is_file(), reason="needs CIFAR-10 as JPEGs")
def test_real_photos_as_a_tar_of_tars(checkout: Checkout, tmp_path: Path) -> None:
    parts: dict[str, dict[str, dict[str, bytes]]] = {"train": {}, "test": {}}
    names: dict[str, str] = {}
    with tarfile.open(CIFAR10) as archive:
        for entry in archive:
            part, _, rest = entry.name.partition("/")
            if entry.isfile() and int(entry.name[-8:-4]) < 100:
                thing, _, name = rest.partition("/")
                of = names.setdefault(thing, f"n{len(names):08}")
                file = archive.extractfile(entry)
                assert file is not None
                called = name if part == "train" else f"{thing}_{name}"
                parts[part].setdefault(of, {})[called.replace(".jpg", ".JPEG")] = file.read()
    learned: Images = parts["train"]
    numbers = {name: number for number, name in enumerate(sorted(names.values(), reverse=True), start=1)}
    write_archives(tmp_path / "data" / "imagenet", learned, parts["test"], numbers)
    assert _report(checkout, tmp_path / "data", 10)["verdict"] == "pass"
    inventory = json.loads((checkout.path / "build" / "some" / "inventory.json").read_text())
    assert inventory["splits"] == {"train": 850, "val": 150, "test": 1000}
