"""COCO's images with Visual Wake Words' labels: the published counts, and what is told of anything that is amiss."""

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from mcubuild import ROOT
from mcubuild.data.dataset import prepare
from mcubuild.data.inventory import read_inventory
from mcubuild.data.kinds import kind
from mcubuild.data.kinds.base import Found
from mcubuild.data.splits import Split, read_index, read_split
from mcubuild.errors import BuildError
from mcubuild.spec.datasets.visual_wake_words import VisualWakeWordsSettings
from mcubuild.spec.outline import Outline
from tests.data.coco import SIZE, TRAIN, VAL, image, write_coco

MINIATURE = ROOT.parent / "shared" / "data" / "coco_mini.tar.gz"


def settings(path: Path, **options: object) -> VisualWakeWordsSettings:
    return VisualWakeWordsSettings.model_validate({"kind": "visual_wake_words", "path": str(path), **options})


def found(path: Path, **options: object) -> Found:
    return kind("visual_wake_words").find(settings(path, **options), path)


def counts(of: Found) -> dict[str, tuple[int, int]]:
    """Samples, and those with the label 1, to train with and to test."""
    splits = np.array([split or "train" for split in of.splits])
    return {split: (int((splits == split).sum()), int(of.labels[splits == split].sum())) for split in ("train", "test")}


def prepared(path: Path, out: Path, **options: object) -> dict[str, Split]:
    prepare(settings(path, max_resolution=32, **options), path, 0, out)
    return {name: read_split(out / f"{name}.npz") for name in ("train", "val", "test")}


@pytest.mark.skipif(not MINIATURE.is_file(), reason="needs a part of COCO")
@pytest.mark.parametrize(("rule", "positive"), [("area", 15), ("box", 18)])
def test_the_published_rule_on_real_annotations(tmp_path: Path, rule: str, positive: int) -> None:
    with tarfile.open(MINIATURE) as archive:
        archive.extractall(tmp_path, filter="data")
    assert counts(found(tmp_path / "coco_mini", rule=rule)) == {"train": (50, 26), "test": (50, positive)}


@pytest.mark.parametrize(
    ("options", "of_four"),
    [
        ({}, 1),
        ({"rule": "box"}, 2),
        ({"threshold": 0.0}, 3),
        ({"threshold": 0.25}, 0),
        ({"classes": ["dog"]}, 1),
        ({"classes": ["dog", "car"]}, 2),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_labels(tmp_path: Path, zipped: bool, options: dict[str, Any], of_four: int) -> None:
    of = found(write_coco(tmp_path, zipped=zipped), **options)
    assert counts(of) == {"train": (TRAIN, TRAIN // 4 * of_four), "test": (VAL, VAL // 4 * of_four)}
    what = " or ".join(options.get("classes", ["person"]))
    assert of.classes == (f"no {what}", what)
    assert list(of.samples.names)[:2] == ["train2017/000000000000.jpg", "train2017/000000000001.jpg"]


def test_folders_and_archives_give_the_same_samples(tmp_path: Path) -> None:
    for form in ("folders", "zips"):
        prepared(write_coco(tmp_path / form, zipped=form == "zips"), tmp_path / f"{form}-out")
    for name in ("index.json", "inventory.json", "train.npz", "val.npz", "test.npz"):
        assert (tmp_path / "folders-out" / name).read_bytes() == (tmp_path / "zips-out" / name).read_bytes()
    parts = {name: read_split(tmp_path / "zips-out" / f"{name}.npz") for name in ("train", "val", "test")}
    assert {name: len(part) for name, part in parts.items()} == {"train": 34, "val": 6, "test": VAL}
    assert parts["val"].y.sum() in (1, 2), "a quarter, as of all"
    index = read_index(tmp_path / "zips-out" / "index.json")
    assert (index.classes, index.channels, index.max_resolution) == (("no person", "person"), 3, 32)


def test_held_out_samples_are_so_many(tmp_path: Path) -> None:
    write_coco(tmp_path)
    assert len(prepared(tmp_path, tmp_path / "out", holdout=12)["val"]) == 12
    with pytest.raises(BuildError, match=r"dataset\.holdout: found 21 of 40 training samples; at most half"):
        found(tmp_path, holdout=21)
    usual = settings(tmp_path)
    assert [usual.held_out(count) for count in (10, 1000, 82_783)] == [2, 150, 5000]


def test_the_published_split_of_2014_by_its_ids(tmp_path: Path) -> None:
    write_coco(tmp_path, 2014)
    (tmp_path / "ids.txt").write_text("1000\n1001\n\n1007\n")
    of = found(tmp_path, year=2014, minival="ids.txt")
    assert counts(of) == {"train": (TRAIN + VAL - 3, 14), "test": (3, 1)}
    for text, told in (
        ("1000\n9\n77\n", r"dataset\.minival: 1 of its 3 ids, 77 among them, are of no image of COCO 2014"),
        ("1000\nx\n", r"ids\.txt:2: found 'x'; it must have the id"),
        ("\n", r"ids\.txt: has no ids"),
    ):
        (tmp_path / "ids.txt").write_text(text)
        with pytest.raises(BuildError, match=told):
            found(tmp_path, year=2014, minival="ids.txt")
    with pytest.raises(BuildError, match=r"none\.txt: cannot be read"):
        found(tmp_path, year=2014, minival="none.txt")


def test_images_of_every_sort(tmp_path: Path) -> None:
    """CMYK, 16 bits, palettes, transparency, and cameras that were held upside down."""
    odd = {0: image(0).convert("CMYK"), 4: image(4).convert("P"), 8: image(8).convert("L"), 12: image(12)}
    odd[12].putalpha(128)
    odd[16] = Image.fromarray(np.linspace(0, 65535, SIZE[0] * SIZE[1]).reshape(SIZE[::-1]).astype(np.uint16))
    write_coco(tmp_path, images=odd)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 3
    image(20).save(tmp_path / "train2017" / f"{20:012}.jpg", exif=exif, quality=100)
    image(21).save(tmp_path / "train2017" / f"{21:012}.jpg", quality=100)
    parts = prepared(tmp_path, tmp_path / "out")
    assert all(part.x.shape[1:] == (32, 32, 3) for part in parts.values())
    assert sum(map(len, parts.values())) == TRAIN + VAL
    learned = np.concatenate([parts["train"].x, parts["val"].x]).astype(np.float64)
    for number, turn in ((20, 2), (21, 0)):
        middle = image(number).crop((8, 0, 56, 48)).resize((32, 32), Image.Resampling.BILINEAR)
        expected = np.rot90(np.asarray(middle, np.float64), turn)
        assert np.abs(learned - expected).mean(axis=(1, 2, 3)).min() < 20, "others are 33 away"
    told = read_inventory(tmp_path / "out" / "inventory.json").cautions
    assert any(line.startswith("Values of more than 8 bits were read as levels") for line in told)


def test_grey_images_alone_are_read_as_colours(tmp_path: Path) -> None:
    """So that networks depend on no image."""
    write_coco(tmp_path, images={number: image(number).convert("L") for number in [*range(40), *range(1000, 1020)]})
    assert prepared(tmp_path, tmp_path / "out")["train"].x.shape[1:] == (32, 32, 3)


def test_networks_are_foretold_without_an_image(tmp_path: Path) -> None:
    ours = settings(write_coco(tmp_path), classes=["dog"])
    prepare(ours, tmp_path, 0, tmp_path / "out")
    index = read_index(tmp_path / "out" / "index.json")
    assert index.outline == ours.outline() == Outline("image_classification", 2, 3, 224)
    assert settings(tmp_path, max_resolution=96).outline().max_resolution == 96
    assert "Networks may take 224x224 pixels, images have 48x48: see dataset.max_resolution" in (
        read_inventory(tmp_path / "out" / "inventory.json").cautions
    )


def test_damaged_images(tmp_path: Path) -> None:
    write_coco(tmp_path)
    (tmp_path / "train2017" / f"{3:012}.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(BuildError, match=r"000000000003\.jpg: cannot be read as an image"):
        prepared(tmp_path, tmp_path / "out")
    parts = prepared(tmp_path, tmp_path / "out", corrupt=0.02)
    assert sum(map(len, parts.values())) == TRAIN + VAL - 1
    assert any("left out: 1 of 60" in line for line in read_inventory(tmp_path / "out" / "inventory.json").cautions)


def _without_images(root: Path) -> None:
    for number in (3, 5, 7, 9):
        (root / "train2017" / f"{number:012}.jpg").unlink()


def _with_images_that_nobody_lists(root: Path) -> None:
    image(5).save(root / "val2017" / "extra.jpg")


def _cut(name: str) -> Any:
    def cut(root: Path) -> None:
        (root / name).write_bytes((root / name).read_bytes()[:-200])

    return cut


def _changed(change: Any) -> Any:
    def write(root: Path) -> None:
        path = root / "annotations" / "instances_train2017.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return write


@pytest.mark.parametrize(
    ("breakage", "told"),
    [
        (
            _without_images,
            r"train2017: 4 \('000000000003.jpg', '000000000005.jpg', '000000000007.jpg', ...\) of 40 images that "
            r".*instances_train2017\.json lists are not there",
        ),
        (_with_images_that_nobody_lists, r"val2017: 1 \('extra.jpg'\) of 21 images are not in .*instances_val2017"),
        (_cut("annotations/instances_val2017.json"), r"instances_val2017\.json: cannot be read as COCO's instances"),
        (_changed(lambda content: content.pop("images")), "missing required field `images`"),
        (_changed(lambda content: content["images"].clear()), "lists no images"),
        (_changed(lambda content: content["images"][0].update(width=0)), "'000000000000.jpg' has 0x48 pixels"),
        (_changed(lambda content: content["images"][0].update(id="a")), r"Expected `int`, got `str` - at `\$\.images"),
        (_changed(lambda content: content["images"][0].update(id=1)), "two of its images have the same id"),
        (_changed(lambda content: content["annotations"][0].update(image_id=99)), "annotation of an image 99"),
        (_changed(lambda content: content["annotations"][0].update(category_id=77)), "annotation of a category 77"),
        (_changed(lambda content: content["annotations"][0].update(bbox=[1, 2])), "length 4"),
    ],
    ids=range(11),
)
def test_annotations_and_images_that_do_not_belong_together(tmp_path: Path, breakage: Any, told: str) -> None:
    write_coco(tmp_path)
    breakage(tmp_path)
    with pytest.raises(BuildError, match=told) as caught:
        found(tmp_path)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("name", ["train2017.zip", "val2017.zip", "annotations_trainval2017.zip"])
def test_archives_that_are_not_whole(tmp_path: Path, name: str) -> None:
    write_coco(tmp_path, zipped=True)
    _cut(name)(tmp_path)
    with pytest.raises(BuildError, match=rf"{name}.*: cannot be read"):
        found(tmp_path)


def test_classes_without_samples(tmp_path: Path) -> None:
    write_coco(tmp_path)
    with pytest.raises(BuildError, match=r"dataset\.classes: found 'persn', which is no class .*did you mean 'person'"):
        found(tmp_path, classes=["persn"])
    with pytest.raises(BuildError, match="class 'person' has 0 samples to train from"):
        prepared(tmp_path, tmp_path / "out", threshold=0.9)


@pytest.mark.parametrize("lost", ["train2017", "val2017", "annotations"])
def test_missing_parts_are_told_with_the_ways_to_get_them(
    tmp_path: Path, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_coco(tmp_path / "visual_wake_words")
    (folder / lost).rename(tmp_path / lost)
    wanted = "annotations_trainval2017.zip" if lost == "annotations" else f"{lost}.zip"
    lacking = kind("visual_wake_words").lacking
    ours = settings(folder).model_dump()
    assert list(lacking(ours, tmp_path)) == [wanted]
    with pytest.raises(BuildError) as caught:
        prepare(settings(folder), tmp_path, 0, tmp_path / "out")
    told = str(caught.value)
    assert told.startswith(f'{folder}: found no {wanted} for dataset.kind = "visual_wake_words"; put it there')
    assert "point dataset.path at a copy" in told
    monkeypatch.setenv("MCUBUILD_DATA", str(tmp_path))
    with pytest.raises(BuildError) as caught:
        prepare(VisualWakeWordsSettings(kind="visual_wake_words"), tmp_path, 0, tmp_path / "out")
    told = str(caught.value)
    assert told.startswith(f"{folder}: found no {wanted} for")
    assert "let it be fetched (doit data spec=...), put it there, or point dataset.path at a copy" in told
    (tmp_path / lost).rename(folder / lost)
    assert not lacking({**ours, "path": None}, tmp_path)


@pytest.mark.parametrize("zipped", [False, True])
def test_every_file_counts(tmp_path: Path, zipped: bool) -> None:
    write_coco(tmp_path, 2014, zipped=zipped)
    (tmp_path / "ids.txt").write_text("1000")
    (tmp_path / "notes.txt").write_text("not read")
    values = settings(tmp_path, year=2014, minival="ids.txt").model_dump()
    sources = kind("visual_wake_words").sources(values, tmp_path)
    files = {path for path in tmp_path.rglob("*") if path.is_file()} - {tmp_path / "notes.txt"}
    covered = {path for one in sources.values() for path in (one, *one.rglob("*")) if path.is_file()}
    assert covered == files
    assert kind("visual_wake_words").sources({**values, "path": "nowhere", "minival": None}, tmp_path) == {}
