"""ILSVRC2012 in its layouts: the same samples from all, and what is told of anything that is amiss."""

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from mcubuild.data.dataset import prepare
from mcubuild.data.inventory import read_inventory
from mcubuild.data.kinds import kind
from mcubuild.data.kinds.base import Found
from mcubuild.data.splits import read_index, read_split
from mcubuild.errors import BuildError
from mcubuild.spec.datasets.imagenet import ImagenetSettings
from mcubuild.spec.outline import Outline
from tests.data.imagenet import (
    DEVKIT,
    NAMES,
    NUMBERS,
    TRUTH,
    devkit,
    invented,
    photo,
    tar,
    write_archives,
    write_folders,
)

TRAIN, VAL = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"
FILES = ("index.json", "inventory.json", "train.npz", "val.npz", "test.npz")


def settings(path: Path, **options: object) -> ImagenetSettings:
    values = {"kind": "imagenet", "path": str(path), "classes": len(NAMES), **options}
    return ImagenetSettings.model_validate(values)


def found(path: Path, **options: object) -> Found:
    return kind("imagenet").find(settings(path, **options), path)


def lacking(path: Path) -> list[str]:
    return list(kind("imagenet").lacking(settings(path).model_dump(), path))


@pytest.fixture
def archives(tmp_path: Path) -> Path:
    return write_archives(tmp_path / "archives", *invented())


def unpacked(folder: Path, form: str) -> Path:
    """The images in another layout than the official archives."""
    learned, tested = invented()
    flat = {"": {image: data for images in tested.values() for image, data in images.items()}}
    if form == "a tar a class":
        (folder / "train").mkdir(parents=True)
        for name, images in learned.items():
            (folder / "train" / f"{name}.tar").write_bytes(tar(images))
        write_folders(folder / "val", tested)
    elif form == "folders and devkit":
        write_folders(folder / "train", learned)
        write_folders(folder / "val", flat)
        write_folders(folder, {f"{DEVKIT}/data": devkit(tested, dict(zip(NAMES, NUMBERS, strict=True)))})
    else:
        write_folders(folder / "ILSVRC/Data/CLS-LOC/train", learned)
        write_folders(folder / "ILSVRC/Data/CLS-LOC/val", flat)
        of = [f"{image[:-5]},{name} 1 2 30 40 {name} 5 6 7 8" for name in tested for image in tested[name]]
        (folder / "LOC_val_solution.csv").write_text("\n".join(["ImageId,PredictionString", *of]))
    return folder


@pytest.mark.parametrize("form", ["a tar a class", "folders and devkit", "Kaggle's folders"])
def test_all_layouts_give_the_same_samples(tmp_path: Path, archives: Path, form: str) -> None:
    other = unpacked(tmp_path / "other", form)
    for name, path in (("a", archives), ("b", other)):
        prepare(settings(path, max_resolution=32), tmp_path, 0, tmp_path / name)
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_validation_images_have_the_classes_of_the_ground_truth(archives: Path) -> None:
    of = found(archives)
    assert of.classes == tuple(sorted(NAMES)) and of.samples.names[0] == "train/n01440764/n01440764_0.JPEG"
    _, tested = invented()
    named = dict(zip(of.samples.names, of.labels.tolist(), strict=True))
    for name, images in tested.items():
        assert {of.classes[named[f"val/{image}"]] for image in images} == {name}
    assert of.splits.count("test") == 15 and of.splits.count(None) == 40


def test_nothing_is_unpacked(tmp_path: Path, archives: Path) -> None:
    before = {path: path.stat() for path in tmp_path.rglob("*")}
    prepare(settings(archives, max_resolution=32), tmp_path, 0, tmp_path / "out")
    written = {path for path in tmp_path.rglob("*") if path not in before}
    assert {path.name for path in written} == {"out", "overview.json", "overview.npz", *FILES}
    splits = {name: len(read_split(tmp_path / "out" / f"{name}.npz")) for name in ("train", "val", "test")}
    assert splits == {"train": 34, "val": 6, "test": 15}
    index = read_index(tmp_path / "out" / "index.json")
    assert index.outline == settings(archives, max_resolution=32).outline() == Outline("image_classification", 5, 3, 32)


def test_fewer_samples_hold_out_fewer(tmp_path: Path, archives: Path) -> None:
    """Of each class one at least, but not most of what is left to learn from."""
    for options, val in (({}, 5), ({"holdout": 20}, 10)):
        prepare(settings(archives, max_resolution=32, samples=4, **options), tmp_path, 0, tmp_path / "out")
        sizes = [len(read_split(tmp_path / "out" / f"{name}.npz")) for name in ("train", "val", "test")]
        assert sizes == [20 - val, val, 15]


def test_some_of_the_classes(tmp_path: Path, archives: Path) -> None:
    drawn = {found(archives, classes=2, class_draw=draw).classes for draw in range(20)}
    assert len(drawn) > 3 and all(len(classes) == 2 for classes in drawn)
    three = found(archives, classes=3)
    assert set(found(archives, classes=2).classes) < set(three.classes), "fewer are a part of more"
    assert len(three.samples.names) == 3 * (8 + 3) and set(three.labels.tolist()) == {0, 1, 2}
    (tmp_path / "list.txt").write_text("n02110185 Siberian husky\n\nn01440764\n")
    listed = found(archives, classes=str(tmp_path / "list.txt"))
    assert listed.classes == ("n01440764", "n02110185") and len(listed.samples.names) == 22
    assert settings(archives, classes="list.txt").outline() is None
    assert not kind("imagenet").foretold(settings(archives, classes="list.txt").model_dump())
    assert kind("imagenet").foretold(settings(archives).model_dump())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("n01440764\nn09999999\n", r"1 of its 2 classes, 'n09999999' among them, are not in .*img_train\.tar"),
        ("n01440764\n", "lists 1 different classes in 1 lines"),
        ("n01440764\nn01443537\nn01440764\n", "lists 2 different classes in 3 lines"),
    ],
)
def test_lists_of_classes_that_cannot_be(tmp_path: Path, archives: Path, text: str, told: str) -> None:
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(BuildError, match=rf"list\.txt: {told}"):
        found(archives, classes=str(tmp_path / "list.txt"))


def test_a_draw_needs_a_number(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="add classes = 100"):
        ImagenetSettings(kind="imagenet", class_draw=1)


def test_held_out_images() -> None:
    usual = ImagenetSettings(kind="imagenet")
    assert [usual.held_out(count) for count in (100, 1_281_167)] == [15, 10_000]
    assert usual.outline() == Outline("image_classification", 1000, 3, 224)


def test_what_is_missing_is_told(tmp_path: Path, archives: Path) -> None:
    assert lacking(archives) == [] and lacking(tmp_path) == [TRAIN, VAL, f"{DEVKIT}.tar.gz"]
    (archives / f"{DEVKIT}.tar.gz").unlink()
    assert lacking(archives) == [f"{DEVKIT}.tar.gz"], "validation images without ground truth"
    other = unpacked(tmp_path / "sorted", "a tar a class")
    assert lacking(other) == []
    (other / "train").rename(other / "elsewhere")
    assert lacking(other) == [TRAIN]


def test_what_is_read_is_a_source(tmp_path: Path, archives: Path) -> None:
    (tmp_path / "list.txt").write_text("")
    sources = kind("imagenet").sources(settings(archives, classes=str(tmp_path / "list.txt")).model_dump(), tmp_path)
    assert {path.name for path in sources.values()} == {TRAIN, VAL, f"{DEVKIT}.tar.gz", "list.txt"}
    other = unpacked(tmp_path / "other", "folders and devkit")
    sources = kind("imagenet").sources(settings(other).model_dump(), tmp_path)
    assert {path.name for path in sources.values()} == {"train", "val", TRUTH, "meta.mat"}


def cut(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


def broken_inside(folder: Path) -> None:
    """The archive is whole, that of a class in it is not."""
    learned, _ = invented()
    classes = {f"{name}.tar": tar(images) for name, images in learned.items()}
    classes[f"{NAMES[1]}.tar"] = classes[f"{NAMES[1]}.tar"][:3000]
    (folder / TRAIN).write_bytes(tar(classes))


def without_a_class(folder: Path) -> None:
    learned, _ = invented()
    (folder / TRAIN).write_bytes(tar({f"{name}.tar": tar(images) for name, images in list(learned.items())[1:]}))


def with_an_empty_class(folder: Path) -> None:
    learned, _ = invented()
    (folder / TRAIN).write_bytes(tar({f"{name}.tar": tar({} if name == NAMES[2] else learned[name]) for name in NAMES}))


def fewer_validation_images(folder: Path) -> None:
    _, tested = invented(val=2)
    (folder / VAL).write_bytes(tar({image: data for images in tested.values() for image, data in images.items()}))


def other_devkit(content: dict[str, bytes]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        _, tested = invented()
        (folder / f"{DEVKIT}.tar.gz").unlink()
        kit = devkit(tested, dict(zip(NAMES, NUMBERS, strict=True))) | content
        write_folders(folder, {f"{DEVKIT}/data": kit})

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda folder: cut(folder / TRAIN, 0.6),
            rf"{TRAIN}: cannot be read as an archive \(.+\); it is",
        ),
        (lambda folder: cut(folder / TRAIN, 0.9), rf"{TRAIN}: cannot be read as an archive"),
        (lambda folder: cut(folder / VAL, 0.5), rf"{VAL}: cannot be read as an archive"),
        (lambda folder: cut(folder / f"{DEVKIT}.tar.gz", 0.5), r"devkit_t12\.tar\.gz: cannot be read as an archive"),
        (broken_inside, rf"{TRAIN}: {NAMES[1]}\.tar: cannot be read as an archive \(it is cut off\)|unexpected end"),
        (without_a_class, rf"{TRAIN}: found 4 classes, dataset\.classes = 5; get the archive again, or .*classes = 4"),
        (with_an_empty_class, rf"{TRAIN}: the class {NAMES[2]} has no images"),
        (fewer_validation_images, rf"{VAL}: has 10 images, {TRUTH} tells the classes of 15"),
        (other_devkit({TRUTH: b"449\nx\n"}), rf"{TRUTH} has .*'x', which is no number of a class"),
        (other_devkit({TRUTH: b"449\n77\n"}), rf"{TRUTH} has 77, which is no number of a class"),
        (other_devkit({"meta.mat": b"nothing"}), r"meta\.mat cannot be read"),
    ],
)
def test_damaged_data_is_told(archives: Path, change: Callable[[Path], None], told: str) -> None:
    change(archives)
    with pytest.raises(BuildError, match=told) as caught:
        found(archives)
    assert len(str(caught.value)) < 500 and "\n" not in str(caught.value)


def test_strange_files_are_told(tmp_path: Path) -> None:
    learned, tested = invented()
    other = {**tested, "n09999999": {"ILSVRC2012_val_00000099.JPEG": photo(5)}}
    write_folders(tmp_path / "train", learned)
    write_folders(tmp_path / "val", other)
    with pytest.raises(BuildError, match=r"val: val/ILSVRC2012_val_00000099\.JPEG is of the class n09999999, which"):
        found(tmp_path)
    (tmp_path / "train" / NAMES[0] / "notes.txt").write_text("")
    with pytest.raises(BuildError, match=r"found train/n01440764/notes\.txt, which is no image"):
        found(tmp_path)
    (tmp_path / "train" / "notes.txt").write_text("")
    with pytest.raises(BuildError, match=r"found notes\.txt, which is no class"):
        found(tmp_path)
    (tmp_path / "train" / "notes.txt").unlink()
    (tmp_path / "train" / f"{NAMES[0]}.tar").write_bytes(tar({}))
    with pytest.raises(BuildError, match="has the class n01440764 twice"):
        found(tmp_path)


def test_grey_and_printed_colours_and_damaged_images(tmp_path: Path) -> None:
    """ImageNet has some of each."""
    learned, tested = (dict(part) for part in invented(train=40))
    odd = {f"{NAMES[0]}_0.JPEG": photo(1, "L"), f"{NAMES[0]}_1.JPEG": photo(2, "CMYK"), f"{NAMES[0]}_2.JPEG": b"\xff"}
    learned[NAMES[0]] = {**learned[NAMES[0]], **odd}
    write_archives(tmp_path, learned, tested)
    prepare(settings(tmp_path, max_resolution=32), tmp_path, 0, tmp_path / "out")
    assert sum(len(read_split(tmp_path / "out" / f"{name}.npz")) for name in ("train", "val")) == 199
    [told] = [one for one in read_inventory(tmp_path / "out" / "inventory.json").cautions if "cannot be read" in one]
    assert "1 of 215 (train/n01440764/n01440764_2.JPEG)" in told
    with pytest.raises(BuildError, match=r"cannot be read as an image"):
        prepare(settings(tmp_path, max_resolution=32, corrupt=0.001), tmp_path, 0, tmp_path / "other")


def test_classes_that_are_not_drawn_are_not_opened(archives: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    real = tarfile.open

    def count(*args: Any, **options: Any) -> tarfile.TarFile:
        opened.append(args)
        return real(*args, **options)

    monkeypatch.setattr(tarfile, "open", count)
    of = found(archives, classes=2)
    assert len(opened) == 1 + 2 + 1 + 1, "train, two classes, val, devkit"
    assert np.bincount(of.labels).tolist() == [11, 11]
