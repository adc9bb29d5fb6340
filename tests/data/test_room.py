"""Pixels of many samples: mapped files that behave like memory."""

import mmap
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mcubuild.data import duplicates, images, room
from mcubuild.data.duplicates import nearly_identical
from mcubuild.data.files import PathFile
from mcubuild.data.images import read_images
from mcubuild.data.resize import network_input, resize
from mcubuild.data.splits import Split, joined, read_split, write_split
from mcubuild.errors import BuildError
from mcubuild.nas.training.batches import training_batches
from mcubuild.resolution import square
from mcubuild.tasks.classification.learning import ClassLearning


@pytest.fixture
def tiny_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_IN_MEMORY", 1000)
    monkeypatch.setattr(room, "_PIECE", 700)


def pixels(count: int, side: int = 8) -> NDArray[np.uint8]:
    return np.random.default_rng(count).integers(0, 256, (count, side, side, 3), np.uint8)


def is_mapped(x: NDArray[np.uint8]) -> bool:
    base: object = x
    while isinstance(base, np.ndarray):
        base = base.base
    return isinstance(base, mmap.mmap) or (isinstance(base, memoryview) and isinstance(base.obj, mmap.mmap))


@pytest.mark.usefixtures("tiny_memory")
def test_mapped_room_is_written_and_read_like_memory() -> None:
    x = pixels(20)
    chosen = np.array([3, 3, 19, 0])
    assert is_mapped(room.room(x.shape)) and not is_mapped(room.room((2, 2)))
    assert np.array_equal(room.taken(x, np.repeat(chosen, 5)), x[np.repeat(chosen, 5)])
    mask = np.arange(20) % 3 != 1
    assert np.array_equal(room.kept(x.copy(), mask), x[mask])
    one, other = Split(x[:7], np.arange(7)), Split(x[7:], np.arange(7, 20))
    both = joined(one, other)
    assert is_mapped(both.x) and np.array_equal(both.x, x) and both.y.tolist() == list(range(20))
    assert np.array_equal(both.part(chosen).x, x[chosen]) and both.part(chosen).y.tolist() == chosen.tolist()


def test_pixels_do_not_depend_on_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    x = pixels(20)
    whole = resize(x, square(5))
    monkeypatch.setattr(room, "MOST_IN_MEMORY", 1000)
    monkeypatch.setattr(room, "_PIECE", 700)
    assert is_mapped(resize(x, square(5))) and np.array_equal(resize(x, square(5)), whole)
    assert np.array_equal(network_input(x, square(8)), x.astype(np.int16) - 128)


def test_a_split_stays_in_its_file(tmp_path: Path) -> None:
    split = Split(pixels(10), np.arange(10))
    write_split(split, tmp_path / "train.npz")
    read = read_split(tmp_path / "train.npz")
    assert is_mapped(read.x) and not read.x.flags.writeable and read.y.flags.writeable
    assert np.array_equal(read.x, split.x) and np.array_equal(read.y, split.y)
    (tmp_path / "train.npz").unlink()  # as when a build replaces it
    assert np.array_equal(read.x, split.x)


def test_a_compressed_split_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "val.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in (("x", pixels(10)), ("y", np.arange(10))):
            with archive.open(f"{name}.npy", "w") as entry:
                np.lib.format.write_array(entry, values)
    with pytest.raises(BuildError, match=r"val\.npz.*compressed"):
        read_split(tmp_path / "val.npz")


def test_training_sees_the_same_batches_of_a_mapped_split(tmp_path: Path) -> None:
    split = Split(pixels(50), np.arange(50) % 5)
    write_split(split, tmp_path / "train.npz")
    vary = ClassLearning("photos", mirror=True)
    found = [
        list(training_batches(samples, 8, 15, vary, np.random.default_rng(7)))
        for samples in (split, read_split(tmp_path / "train.npz"))
    ]
    for (x, y), (other, labels) in zip(*found, strict=True):
        assert x.equal(other) and y.equal(labels)


def test_processes_read_what_one_process_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = []
    for number in range(70):
        path = tmp_path / f"{number:02}.png"
        Image.fromarray(pixels(number + 1, 20 + number % 5)[0]).save(path)
        if number == 40:
            path.write_bytes(path.read_bytes()[:200])
        if number % 10 == 3:
            Image.fromarray(pixels(1, 9)[0]).save(path)
        files.append(PathFile(path, path.name))
    splits = {"train": files[:60], "test": files[60:]}
    alone = read_images(splits, 64, 0.1)
    monkeypatch.setattr(images, "FEW", 0)
    shared = read_images(splits, 64, 0.1)
    assert shared.cautions == alone.cautions and shared.pictures == alone.pictures
    assert "40.png" in shared.cautions[0] and len(shared.cautions) == 2
    for split in splits:
        assert np.array_equal(shared.pixels[split], alone.pixels[split])
        assert np.array_equal(shared.readable[split], alone.readable[split])


def test_copies_are_looked_for_among_a_part_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those held out come first: what they share with the training samples is worst."""
    x = np.random.default_rng(0).integers(0, 256, (400, 16, 16, 1), np.uint8)
    x[390:] = x[:10]
    labels = np.arange(400) % 2
    assert len(nearly_identical([x[:360], x[360:]], labels)) == 10
    monkeypatch.setattr(duplicates, "MOST_LOOKED_AT", 200)
    found = nearly_identical([x[:360], x[360:]], labels)
    assert 0 < len(found) < 10
    assert all(other == one + 390 for one, other in found.tolist())


def test_batches_of_a_large_split_take_little_memory(tmp_path: Path) -> None:
    """Of its own, as opposed to pages of the file, which the system drops when it needs them."""
    code = """
import sys, re
from pathlib import Path
import numpy as np
from mcubuild.data.splits import read_split
from mcubuild.tasks.classification.learning import ClassLearning
from mcubuild.nas.training.batches import training_batches
def own():
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
split = read_split(Path(sys.argv[1]))
batches = training_batches(split, 64, 20, ClassLearning("photos"), np.random.default_rng(0))
next(batches)
before = own()
most = max(own() for _ in batches)
print(most - before)
"""
    write_split(Split(np.zeros((16000, 64, 64, 3), np.uint8), np.zeros(16000, np.int64)), tmp_path / "train.npz")
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "train.npz")], capture_output=True, text=True, check=True
    )
    assert float(told.stdout) < 60, "MB; the split has 197"
