"""Samples that are there more than once: found, counted, named, and refused where classes contradict each other."""

import io
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from mcubuild.data.dataset import prepare
from mcubuild.data.duplicates import Roll, cautions, identical, nearly_identical
from mcubuild.data.inventory import read_inventory
from mcubuild.errors import BuildError
from mcubuild.spec.datasets.audio_folder import AudioFolderSettings
from mcubuild.spec.datasets.image_folder import ImageFolderSettings
from tests.data.wavs import tone, wav

Pixels = NDArray[np.uint8]


def photos(count: int, side: int = 48, seed: int = 0) -> Pixels:
    """Coloured noise whose spectrum falls as that of photos does, uint8 (count, side, side, 3)."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)) + 0.5 / side
    noise = np.fft.fft2(rng.normal(size=(count, 3, side, side))) / frequency
    grey, colour = np.fft.ifft2(noise[:, :1]).real, np.fft.ifft2(noise).real
    levels = np.moveaxis(grey + 0.3 * colour, 1, 3)
    pixels: Pixels = np.clip(120 + 50 * levels / levels.std(), 0, 255).astype(np.uint8)
    return pixels


def encoded(picture: Pixels) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=60)
    return np.asarray(Image.open(file))


def resized(picture: Pixels) -> Pixels:
    image = Image.fromarray(picture)
    return np.asarray(image.resize((36, 36), Image.Resampling.BICUBIC).resize(image.size, Image.Resampling.BILINEAR))


def brighter(picture: Pixels) -> Pixels:
    return np.asarray(ImageEnhance.Brightness(Image.fromarray(picture)).enhance(1.2))


def moved(picture: Pixels) -> Pixels:
    """As the next photo of a burst: half a pixel further, with other noise."""
    shifted = (picture[:, 1:].astype(float) + picture[:, :-1]) / 2
    noisy = np.concatenate([shifted, shifted[:, -1:]], axis=1) + np.random.default_rng(0).normal(0, 4, picture.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("change", [np.copy, encoded, resized, brighter, moved])
def test_a_picture_that_was_changed_a_little_is_found_and_no_other(change: object) -> None:
    assert callable(change)
    originals = photos(300)
    copies = np.stack([change(picture) for picture in originals[:40]])
    labels = np.arange(340) % 4
    found = nearly_identical([originals, copies], labels)
    assert found.tolist() == [[number, 300 + number] for number in range(40)]


@pytest.mark.parametrize("change", [encoded, resized, brighter, moved])
def test_copies_are_found_where_all_are_copies(change: object) -> None:
    """What is near by chance is not learned from the copies, however many there are."""
    assert callable(change)
    originals = photos(150)
    copies = np.stack([change(picture) for picture in originals])
    found = nearly_identical([originals, copies], np.repeat([0, 1], 150))
    assert found.tolist() == [[number, 150 + number] for number in range(150)]


def test_colour_alone_makes_another_picture() -> None:
    """Red discs and green discs are two classes."""
    rows, columns = np.mgrid[:32, :32]
    pictures = np.full((60, 32, 32, 3), 255, np.uint8)
    for number, picture in enumerate(pictures):
        disc = np.hypot(rows - 10 - number // 2 % 12, columns - 10 - number // 2 % 11) < 6 + number // 2 % 5
        picture[disc] = (200, 20, 20) if number % 2 else (20, 200, 20)
    found = nearly_identical([pictures], labels := np.arange(60) % 2)
    assert (labels[found[:, 0]] == labels[found[:, 1]]).all()


def test_what_is_flat_or_tiny_is_no_copy() -> None:
    labels = np.arange(20) % 2
    assert len(nearly_identical([np.full((20, 32, 32, 3), 90, np.uint8)], labels)) == 0
    assert len(nearly_identical([np.repeat(photos(1, 12), 20, axis=0)], labels)) == 0


@pytest.mark.parametrize("seed", range(3))
def test_samples_that_are_alike_by_nature_are_no_copies(seed: int) -> None:
    """As sounds are: every picture has the same bumps, more or less strong; within a radius of 0.3 all are."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:32, :32]
    places = rng.uniform(4, 28, (8, 2, 1, 1))
    bumps = np.exp(-((rows - places[:, 0]) ** 2 + (columns - places[:, 1]) ** 2) / 18)
    labels = np.arange(2000) % 4
    strength = 1 + 0.3 * rng.normal(size=(2000, 8))
    strength[np.arange(2000), labels] += 0.2
    pictures = np.clip(120 * np.einsum("nk,khw->nhw", strength, bumps), 0, 255).astype(np.uint8)[..., np.newaxis]
    assert len(np.unique(nearly_identical([pictures], labels))) < 0.01 * 2000


def test_frames_of_a_film_are_found_without_end() -> None:
    """Every frame is like every other: the number of pairs is limited, and yet nearly every sample is in one."""
    film = np.repeat(photos(2), 2000, axis=0)
    film[:, :4] = np.random.default_rng(0).integers(100, 110, (4000, 4, 48, 3))
    labels = np.repeat([0, 1], 2000)
    found = nearly_identical([film], labels)
    assert len(np.unique(found)) > 0.99 * 4000 and (labels[found[:, 0]] == labels[found[:, 1]]).all()


def test_identical_samples_are_told_by_class_and_split() -> None:
    contents = ["a", "b", "c", "a", "b", "c", "c", "d"]
    roll = Roll(
        [f"file {number}" for number in range(8)],
        np.array([0, 0, 0, 1, 0, 0, 0, 1]),
        np.array(["train", "train", "val", "train", "test", "test", "test", "train"]),
    )
    assert identical(contents, roll).tolist() == [[0, 3], [1, 4], [2, 5], [2, 6]]
    assert list(cautions(identical(contents, roll), roll, "identical")) == [
        "2 of 8 samples are identical to one of another class (file 0 and file 3): one of the two labels is wrong; "
        "keep the right one",
        "3 of 3 test samples are identical to train or val samples (file 4 and file 1, file 5 and file 2, file 6 and "
        "file 2): the test accuracy is flattered; keep one of each, or name what belongs together by dataset.group",
    ]
    assert list(cautions(identical(numbered := [*"abcdefgh"], roll), roll, "identical")) == [] and len(numbered) == 8


def save(picture: Pixels, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


def again(source: Path, target: Path) -> None:
    """Store the picture ``source`` with a small loss as ``target``."""
    target.parent.mkdir(parents=True, exist_ok=True)
    Image.open(source).save(target, "JPEG", quality=90)


def write_photos(folder: Path, count: int) -> Path:
    for number, picture in enumerate(photos(count, 32)):
        save(picture, folder / ("cat", "dog")[number % 2] / f"{number:03}.png")
    return folder


def prepared(folder: Path, out: Path) -> tuple[str, ...]:
    prepare(ImageFolderSettings(kind="image_folder", path=str(folder)), folder, 0, out)
    return tuple(told for told in read_inventory(out / "inventory.json").cautions if "identical" in told)


def test_copies_in_another_class(tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "pets", 100)
    assert prepared(folder, tmp_path / "out") == ()
    for number in (0, 2):
        (folder / "dog" / f"copy of {number}.png").write_bytes((folder / "cat" / f"{number:03}.png").read_bytes())
    image = Image.open(folder / "cat" / "004.png")
    image.save(folder / "dog" / "again.jpg", quality=90)
    exact, near, *leaks = prepared(folder, tmp_path / "out")
    assert exact.startswith("4 of 103 samples are identical to one of another class (cat/000.png and dog/copy of 0.png")
    assert near.startswith("2 of 103 samples are nearly identical to one of another class (")
    assert "cat/004.png" in near and "dog/again.jpg" in near
    assert len(leaks) <= 1, "the two may have been drawn into different splits"
    (folder / "dog" / "copy of 6.png").write_bytes((folder / "cat" / "006.png").read_bytes())
    with pytest.raises(BuildError, match=r"6 of 104 samples \(5\.8%\) have an identical copy in another class \(cat/"):
        prepared(folder, tmp_path / "out")


@pytest.mark.parametrize("others", [0, 400])
def test_a_class_that_is_nearly_a_copy_of_another_is_refused(tmp_path: Path, others: int) -> None:
    """However many samples there are beside the two."""
    folder = tmp_path / "pets"
    for number, picture in enumerate(photos(80 + others, 32)):
        save(picture, folder / ("emu" if number >= 80 else ("cat", "dog")[number % 2]) / f"{number:03}.png")
    for number in range(0, 80, 2):
        again(folder / "cat" / f"{number:03}.png", folder / "fox" / f"{number:03}.jpg")
    with pytest.raises(BuildError) as refusal:
        prepared(folder, tmp_path / "out")
    assert re.fullmatch(
        r"dataset: of the class 'cat', 40 of 40 samples are nearly identical to ones of another class "
        r"\((cat/(\d+)\.png and fox/\2\.jpg, ){3}\.\.\.\), and 0 to ones of its own; at most 25% more may be: .*",
        str(refusal.value),
    )
    for number in range(22, 80, 2):
        (folder / "fox" / f"{number:03}.jpg").unlink()
        save(photos(1, 32, seed=number)[0], folder / "fox" / f"{number:03}.png")
    with pytest.raises(BuildError, match=r"of the class 'cat', 11 of 40 samples are nearly identical"):
        prepared(folder, tmp_path / "out")
    for number in (18, 20):
        (folder / "fox" / f"{number:03}.jpg").unlink()
    (first, *_) = prepared(folder, tmp_path / "out")
    assert first.startswith(f"18 of {118 + others} samples are nearly identical to one of another class (cat/0")


def test_classes_of_pictures_that_are_all_alike_are_told(tmp_path: Path) -> None:
    """As those of a camera that never moves: within a class they are no less alike."""
    folder = tmp_path / "valve"
    (scene,) = photos(1, 32)
    rng = np.random.default_rng(0)
    for number in range(80):
        noisy = np.clip(scene + rng.normal(0, 2, scene.shape), 0, 255).astype(np.uint8)
        noisy[0, 0] = 128 + 20 * (number % 2)  # what tells the classes apart
        save(noisy, folder / ("train", "test")[number >= 60] / ("open", "shut")[number % 2] / f"{number}.png")
    told = prepared(folder, tmp_path / "out")
    assert told[0].startswith("80 of 80 samples are nearly identical to one of another class (")
    assert told[1].startswith("20 of 20 test samples are nearly identical to train or val samples (")


@pytest.mark.parametrize("split", ["test", "val"])
def test_splits_of_the_user_that_repeat_each_other_are_refused(tmp_path: Path, split: str) -> None:
    """Exactly, above a tenth of the split; nearly, above a quarter."""
    folder = tmp_path / "pets"
    originals, others = write_photos(folder / "train", 80), write_photos(tmp_path / "others", 160)
    for number in range(120, 160):  # the split that is not looked at
        name = f"{('cat', 'dog')[number % 2]}/{number:03}.png"
        save(np.asarray(Image.open(others / name)), folder / ("val" if split == "test" else "test") / name)

    def copied(count: int, how: Callable[[Path, Path], object]) -> tuple[str, ...]:
        for number in range(40):
            name = ("cat", "dog")[number % 2]
            copy = folder / split / name / f"{number:03}.png"
            copy.parent.mkdir(parents=True, exist_ok=True)
            source = f"{name}/{number:03}.png" if number < count else f"{name}/{number + 80:03}.png"
            (how if number < count else shutil.copyfile)((originals if number < count else others) / source, copy)
        return prepared(folder, tmp_path / "out")

    assert copied(0, again) == ()
    (told,) = copied(4, shutil.copyfile)
    assert told.startswith(f"4 of 40 {split} samples are identical to train ")
    with pytest.raises(
        BuildError, match=rf"dataset: 5 of 40 {split} samples \(12%\) are identical to train .*most 10%"
    ):
        copied(5, shutil.copyfile)
    (told,) = copied(10, again)
    assert told.startswith(f"10 of 40 {split} samples are nearly identical to train ")
    for count in (11, 40):
        share = f"{count} of 40 {split} samples"
        with pytest.raises(BuildError, match=rf"{share} .* are nearly .*of those 0% .*most 25%") as refusal:
            copied(count, again)
        assert len(str(refusal.value)) < 500


def test_messages_stay_short(tmp_path: Path) -> None:
    folder = tmp_path / "pets"
    for number in range(6):
        for name in ("cat", "dog"):
            path = folder / (name * 20) / f"{'long ' * 30}{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (20, 20), number).save(path)
    with pytest.raises(BuildError, match=r"12 of 12 samples \(100\.0%\)") as raised:
        prepared(folder, tmp_path / "out")
    assert len(str(raised.value)) < 500


def test_copies_of_test_samples_that_are_trained_with(tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "pets" / "train", 60).parent
    write_photos(tmp_path / "others", 80)
    for number in range(60, 80):
        name = f"{('cat', 'dog')[number % 2]}/{number:03}.png"
        (folder / "test" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "test" / name).write_bytes((tmp_path / "others" / name).read_bytes())
    assert prepared(folder, tmp_path / "out") == ()
    (folder / "test" / "cat" / "copy.png").write_bytes((folder / "train" / "cat" / "000.png").read_bytes())
    Image.open(folder / "train" / "dog" / "001.png").save(folder / "test" / "dog" / "again.jpg", quality=80)
    exact, near = prepared(folder, tmp_path / "out")
    assert exact == (
        "1 of 22 test samples are identical to train or val samples (test/cat/copy.png and train/cat/000.png): "
        "the test accuracy is flattered; keep one of each, or name what belongs together by dataset.group"
    )
    assert near.startswith("1 of 22 test samples are nearly identical to train or val samples (test/dog/again.jpg and")


def test_copies_of_sounds(tmp_path: Path) -> None:
    """Noises, which are nothing like one another; and one at half the level, one at twice the rate."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "noises"
    for number in range(80):
        time = np.arange(4000) / 8000
        low, high = rng.uniform(200, 3500, 2)
        sound = rng.normal(0, 0.02, 4000) + tone(low, 0.5, level=0.3) * np.sin(3 * high * time / 1000 + number)
        path = folder / ("hiss", "hum")[number % 2] / f"{number:02}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav(sound))
        if number == 0:
            (folder / "hum").mkdir()
            (folder / "hum" / "quiet.wav").write_bytes(wav(sound / 2))
    settings = AudioFolderSettings(kind="audio_folder", path=str(folder))
    prepare(settings, tmp_path, 0, tmp_path / "out")
    told = read_inventory(tmp_path / "out" / "inventory.json").cautions
    assert told[0].startswith("2 of 81 samples are nearly identical to one of another class (")
    assert "hiss/00.wav" in told[0] and "hum/quiet.wav" in told[0]


def test_a_copy_in_another_group_is_told_where_it_is_in_another_split(tmp_path: Path) -> None:
    """The group decides, so that a copied file moves nobody's recordings."""
    folder = tmp_path / "pets"
    folder.mkdir()
    for number, picture in enumerate(photos(60, 32)):
        Image.fromarray(picture).save(folder / f"{'ab'[number % 2]}_{number // 6}_{number}.png")
    settings = ImageFolderSettings(kind="image_folder", path=str(folder), pattern="{class}_{who}_{n}.png", group="who")

    def told() -> tuple[str, ...]:
        prepare(settings, tmp_path, 0, tmp_path / "out")
        cautions = read_inventory(tmp_path / "out" / "inventory.json").cautions
        return tuple(caution for caution in cautions if "identical" in caution)

    assert told() == ()
    before = read_inventory(tmp_path / "out" / "inventory.json").test_ids
    for group in range(10):
        (folder / f"a_{group}_copy.png").write_bytes((folder / "a_0_0.png").read_bytes())
    (caution, *_) = told()
    assert "samples are identical to train or val samples (" in caution and "a_0_0.png" in caution
    assert set(before) <= set(read_inventory(tmp_path / "out" / "inventory.json").test_ids)
