"""CIFAR-10's binary files: labels, the order of pixels, and what is told of damage."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from mcubuild.data.dataset import prepare
from mcubuild.data.inventory import read_inventory
from mcubuild.data.kinds import kind
from mcubuild.data.splits import read_index, read_split
from mcubuild.errors import BuildError
from mcubuild.spec.datasets.cifar10 import Cifar10Settings

NAMES = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
COUNT = 40


def batch(number: int) -> tuple[np.ndarray, np.ndarray, bytes]:
    """Pictures (N, 32, 32, 3), labels (N,), and the file with them."""
    rng = np.random.default_rng(number)
    labels = np.arange(COUNT, dtype=np.uint8) % 10
    pictures = rng.integers(0, 256, (COUNT, 32, 32, 3), np.uint8)
    content = b"".join(
        bytes([label]) + b"".join(picture[..., channel].tobytes() for channel in range(3))
        for label, picture in zip(labels.tolist(), pictures, strict=True)
    )
    return pictures, labels, content


def write(folder: Path, form: str) -> Path:
    contents = {name: batch(number)[2] for number, name in enumerate(NAMES)}
    if form == "archive":
        folder.mkdir()
        with tarfile.open(folder / "cifar-10-binary.tar.gz", "w:gz") as archive:
            for name, content in {"readme.html": b"<html>", **contents}.items():
                entry = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        return folder
    inside = folder / "cifar-10-batches-bin" if form == "unpacked" else folder
    inside.mkdir(parents=True)
    for name, content in contents.items():
        (inside / name).write_bytes(content)
    return folder


def settings(path: Path, **options: object) -> Cifar10Settings:
    return Cifar10Settings.model_validate({"kind": "cifar10", "path": str(path), **options})


@pytest.mark.parametrize("form", ["archive", "unpacked", "files"])
def test_samples(tmp_path: Path, form: str) -> None:
    ours = settings(write(tmp_path / "data", form), holdout=20)
    prepare(ours, tmp_path, 0, tmp_path / "out")
    index = read_index(tmp_path / "out" / "index.json")
    assert index.classes[:2] == ("airplane", "automobile") and index.outline == ours.outline()
    assert read_inventory(tmp_path / "out" / "inventory.json").splits == {"train": 180, "val": 20, "test": COUNT}
    pictures, labels, _ = batch(5)
    test = read_split(tmp_path / "out" / "test.npz")
    assert (test.x == pictures).all() and (test.y == labels).all()
    learned = {
        picture.tobytes() for name in ("train", "val") for picture in read_split(tmp_path / "out" / f"{name}.npz").x
    }
    assert learned == {picture.tobytes() for number in range(5) for picture in batch(number)[0]}
    sources = kind("cifar10").sources(ours.model_dump(), tmp_path)
    assert len(sources) == (1 if form == "archive" else 6)


def test_what_is_amiss_is_told(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"found no cifar-10-binary\.tar\.gz for dataset\.kind = \"cifar10\"; put it"):
        prepare(settings(tmp_path / "none"), tmp_path, 0, tmp_path / "out")
    folder = write(tmp_path / "files", "files")
    content = (folder / "data_batch_2.bin").read_bytes()
    for damaged, told in (
        (content[:-1], r"data_batch_2\.bin: has 122919 bytes, which is no multiple of 3073"),
        (b"", r"data_batch_2\.bin: has 0 bytes"),
        (bytes([10]) + content[1:], r"data_batch_2\.bin: has a label 10; CIFAR-10's are 0 to 9"),
    ):
        (folder / "data_batch_2.bin").write_bytes(damaged)
        with pytest.raises(BuildError, match=told):
            prepare(settings(folder), tmp_path, 0, tmp_path / "out")
    archive = write(tmp_path / "archive", "archive") / "cifar-10-binary.tar.gz"
    whole = archive.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:-4], whole[:-8] + b"\0" * 8, b"no archive"):
        archive.write_bytes(damaged)
        with pytest.raises(BuildError, match=r"tar\.gz: cannot be read as an archive"):
            prepare(settings(archive.parent), tmp_path, 0, tmp_path / "out")
    with tarfile.open(archive, "w:gz") as other:
        other.addfile(tarfile.TarInfo("cifar-10-batches-py/data_batch_1"))
    with pytest.raises(BuildError, match=r"tar\.gz: has no data_batch_1\.bin, .*; it is not whole, or another archive"):
        prepare(settings(archive.parent), tmp_path, 0, tmp_path / "out")
