"""A spec for public data: what is done without the data, what is told, and the way from images to the report."""

import json
from pathlib import Path

import pytest

from tests.data.coco import write_coco
from tests.e2e.checkout import SPEC, Checkout

WAKE_WORDS = SPEC.replace('"digits"', '{ kind = "visual_wake_words", max_resolution = 32 }').replace(
    "resolutions = [8, 12]", "resolutions = [16, 24]"
)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "project", tmp_path / "store")


def test_specs_whose_data_is_not_there_are_left_out_unless_they_are_named(checkout: Checkout, tmp_path: Path) -> None:
    checkout.write_spec()
    checkout.write_spec(WAKE_WORDS, "vww")
    data = {"MCUBUILD_DATA": str(tmp_path / "data"), "MCUBUILD_FETCH": ""}
    told = (
        f"{tmp_path / 'data' / 'visual_wake_words'}: found no train2017.zip, annotations_trainval2017.zip, val2017.zip"
    )
    for asked in (["dataset"], ["dataset", "spec=specs/*.toml"]):
        run = checkout.doit(*asked, **data)
        assert run.code == 0 and {spec for spec, _ in run.stages} == {"net"}, run.output
        [line] = [line for line in run.output.splitlines() if "vww" in line]
        assert line.startswith(f"  vww: left out, as its data is not there. {told}")
    for asked in (["dataset:vww"], ["dataset", "spec=specs/vww.toml"]):
        run = checkout.doit(*asked, **data)
        assert run.code == 1 and "ERROR: dataset:vww: train2017.zip, annotations_trainval2017.zip" in run.output
        assert "(20.4 GB) must be fetched: allow that with MCUBUILD_FETCH=yes" in run.output
        assert "left out" not in run.output
    run = checkout.doit("build", "spec=specs/vww.toml", **data)
    assert run.code == 1 and run.output.count("MCUBUILD_FETCH=yes") == 1
    assert set(run.stages.values()) == {"not reached"}, "nothing is begun that would be of no use"
    run = checkout.doit("dataset:net", **data)
    assert run.code == 0 and "vww" not in run.output
    run = checkout.doit("list", "--all", **data)
    assert run.code == 0 and "supernet:vww" in run.output and "left out" not in run.output


def test_spaces_are_compared_without_the_data(checkout: Checkout, tmp_path: Path) -> None:
    checkout.write_spec(WAKE_WORDS, "vww")
    run = checkout.doit("space", "spec=specs/vww.toml", MCUBUILD_DATA=str(tmp_path / "data"))
    assert run.code == 0 and run.did("built") == {"outline", "margin", "space"}, run.output
    outline = json.loads((checkout.path / "build" / "vww" / "outline.json").read_text())
    assert outline == {
        "task": "image_classification",
        "classes": 2,
        "channels": 3,
        "max_resolution": 32,
        "series": False,
        "anchors": 0,
        "stride": 0,
    }


@pytest.mark.slow
def test_from_annotated_images_to_the_report(checkout: Checkout, tmp_path: Path) -> None:
    write_coco(tmp_path / "data" / "visual_wake_words", zipped=True)
    checkout.write_spec(WAKE_WORDS, "vww")
    data = {"MCUBUILD_DATA": str(tmp_path / "data")}
    run = checkout.doit("build", **data)
    assert run.code == 0, run.output
    report = json.loads((checkout.path / "build" / "vww" / "report.json").read_text())
    assert report["verdict"] == "pass"
    assert checkout.doit("build", **data).did("built") == set()
    archive = tmp_path / "data" / "visual_wake_words" / "val2017.zip"
    archive.rename(archive.with_name("moved"))
    run = checkout.doit("build", **data)
    assert run.code == 0 and "left out" in run.output
