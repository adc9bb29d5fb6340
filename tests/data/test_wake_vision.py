"""Wake Vision's lists and images: labels and splits as listed, and what is told of anything that is amiss."""

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mcubuild.data.dataset import prepare
from mcubuild.data.kinds import kind
from mcubuild.data.kinds.base import Found
from mcubuild.data.splits import read_index, read_split
from mcubuild.errors import BuildError
from mcubuild.spec.datasets.wake_vision import WakeVisionSettings

LISTS = {
    "train_large": range(40),
    "train_quality": range(0, 40, 2),
    "validation": range(100, 110),
    "test": range(200, 212),
}
HEADER = "filename,person,depiction,body_part"


def label(number: int) -> int:
    return number % 3 % 2


def write(folder: Path, name: str, numbers: Sequence[int]) -> None:
    rows = [f"{number:05}.jpg,{label(number)},0,0" for number in numbers]
    (folder / f"wake_vision_{name}.csv").write_text("\n".join([HEADER, *rows, ""]))


def encoded(number: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (20, 24, 3), np.uint8)).save(file, "JPEG")
    return file.getvalue()


def data(folder: Path, form: str = "folders") -> Path:
    folder.mkdir(exist_ok=True)
    for name, numbers in LISTS.items():
        write(folder, name, numbers)
    parts = {"train-1": range(20), "train-2": range(20, 40), "validation": range(100, 110), "test": range(200, 212)}
    for part, numbers in parts.items():
        if form == "folders":
            (folder / part).mkdir()
            for number in numbers:
                (folder / part / f"{number:05}.jpg").write_bytes(encoded(number))
            continue
        (folder / "images").mkdir(exist_ok=True)
        with tarfile.open(folder / "images" / f"{part}.{form}", "w:gz" if form.endswith("gz") else "w") as archive:
            for number in numbers:
                content = encoded(number)
                entry = tarfile.TarInfo(f"{part}/{number:05}.jpg")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return folder


def settings(path: Path, **options: object) -> WakeVisionSettings:
    return WakeVisionSettings.model_validate({"kind": "wake_vision", "path": str(path), **options})


def found(path: Path, **options: object) -> Found:
    return kind("wake_vision").find(settings(path, **options), path)


@pytest.mark.parametrize("form", ["folders", "tar"])
def test_labels_and_splits_are_as_listed(tmp_path: Path, form: str) -> None:
    data(tmp_path / "data", form)
    for labels, listed in (("quality", 20), ("large", 40)):
        of = found(tmp_path / "data", labels=labels)
        assert [of.splits.count(split) for split in ("train", "val", "test")] == [listed, 10, 12]
        numbers = [int(Path(name).stem) for name in of.samples.names]
        assert of.labels.tolist() == [label(number) for number in numbers]
    prepare(settings(tmp_path / "data"), tmp_path, 0, tmp_path / "out")
    index = read_index(tmp_path / "out" / "index.json")
    assert (index.classes, index.native_resolution, index.one_draw) == (("no person", "person"), 20, False)
    part = read_split(tmp_path / "out" / "val.npz")
    assert part.y.tolist() == [label(number) for number in LISTS["validation"]]
    expected = np.asarray(Image.open(io.BytesIO(encoded(103))))[:, 2:22]
    assert (part.x[3] == expected).all()


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    data(tmp_path / "data")
    (tmp_path / "data" / "train-1" / "00004.jpg").unlink()
    with pytest.raises(BuildError, match=r"1 \('00004\.jpg'\) of 20 images that wake_vision_train_quality\.csv lists"):
        found(tmp_path / "data")
    (tmp_path / "data" / "wake_vision_test.csv").unlink()
    with pytest.raises(BuildError, match=r"found no wake_vision_test\.csv for dataset\.kind = \"wake_vision\"; put it"):
        prepare(settings(tmp_path / "data"), tmp_path, 0, tmp_path / "out")


def test_what_is_published_is_lacking_unless_there_are_images_in_another_form(tmp_path: Path) -> None:
    lacking = kind("wake_vision").lacking
    names = lacking(settings(tmp_path / "none", labels="large").model_dump(), tmp_path)
    assert len(names) == 95 and {"wake_vision_train_large.csv", "train_00.tar", "train_89.tar"} < {*names}
    with pytest.raises(BuildError, match=r"found no wake_vision_train_quality\.csv, .* and 91 more for") as caught:
        prepare(settings(tmp_path / "none"), tmp_path, 0, tmp_path / "out")
    assert len(str(caught.value)) < 500
    assert not lacking(settings(data(tmp_path / "folders")).model_dump(), tmp_path)
    (tmp_path / "none").mkdir()
    for name in ("train_07.tar", "wake_vision_train_large.csv"):
        (tmp_path / "none" / name).touch()
    assert len(lacking(settings(tmp_path / "none", labels="large").model_dump(), tmp_path)) == 93


def test_the_list_of_the_first_publication_is_known_by_its_name(tmp_path: Path) -> None:
    folder = data(tmp_path / "data")
    (folder / "wake_vision_train_quality.csv").rename(folder / "wake_vision_train_bbox.csv")
    assert found(folder).splits.count("train") == 20


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("filename,cat\n1.jpg,0\n", r"test\.csv: found the columns \['filename', 'cat'\]; it must have filename and"),
        (f"{HEADER}\n00200.jpg,2,0,0\n", r"test\.csv:2: found person = '2' of '00200\.jpg'; allowed are 0 and 1"),
        (f"{HEADER}\n00200.jpg\n", r"test\.csv:2: found person = None"),
        ("", "found the columns None"),
        (f"{HEADER}\n00200.jpg,1,0,0\n00201.jpg,1,0,0\n00200.jpg,0,0,0\n", r"test\.csv:4: found '00200\.jpg' a second"),
    ],
)
def test_lists_that_say_something_else(tmp_path: Path, text: str, told: str) -> None:
    folder = data(tmp_path / "data")
    (folder / "wake_vision_test.csv").write_text(text)
    with pytest.raises(BuildError, match=told):
        found(folder)


def test_a_list_without_images_is_told(tmp_path: Path) -> None:
    write(data(tmp_path / "wake"), "test", [])
    with pytest.raises(BuildError, match=r"wake_vision_test\.csv: lists no images"):
        kind("wake_vision").find(settings(tmp_path / "wake"), tmp_path)


def test_images_of_one_name_are_told(tmp_path: Path) -> None:
    folder = data(tmp_path / "data", "tar")
    (folder / "00103.jpg").write_bytes(encoded(5))
    with pytest.raises(BuildError, match=r"validation\.tar: has '00103\.jpg', which is .*data/00103\.jpg, too; remove"):
        found(folder)
    (folder / "more").mkdir()
    (folder / "more" / "00103.jpg").write_bytes(encoded(6))
    with pytest.raises(BuildError, match=r"data: has both .*00103\.jpg and .*00103\.jpg; remove one"):
        found(folder)


def test_other_lists_do_not_count(tmp_path: Path) -> None:
    folder = data(tmp_path / "data", "tar")
    sources = kind("wake_vision").sources(settings(folder).model_dump(), tmp_path)
    assert "wake_vision_train_quality.csv" in sources and "wake_vision_train_large.csv" not in sources
    assert len(sources) == 3 + 1, "lists, and the folder with the images"


def test_archives_that_images_cannot_be_taken_from(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"tar\.gz: is compressed, .*; unpack it: gunzip .*\.tar\.gz"):
        found(data(tmp_path / "packed", "tar.gz"))
    folder = data(tmp_path / "cut", "tar")
    (folder / "images" / "test.tar").write_bytes((folder / "images" / "test.tar").read_bytes()[:5000])
    with pytest.raises(BuildError, match=r"test\.tar: cannot be read as an archive"):
        found(folder)
