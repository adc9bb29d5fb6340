"""Cautions about what reading made of samples."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mcubuild.data.checks import check, counted
from mcubuild.data.dataset import prepare
from mcubuild.data.inventory import read_inventory
from mcubuild.spec.datasets.image_folder import ImageFolderSettings


def found(train: np.ndarray, labels: list[int], classes: str = "ab", others: str = "ab") -> tuple[str, ...]:
    """Cautions for such training samples, and others of the classes ``others`` that nothing is wrong with."""
    rng = np.random.default_rng(1)
    pictures = {
        "train": train,
        **{split: rng.integers(0, 256, (len(others), *train.shape[1:]), np.uint8) for split in ("val", "test")},
    }
    known = {
        "train": np.array(labels),
        **{split: np.array([classes.index(name) for name in others]) for split in ("val", "test")},
    }
    names = {split: [f"{split}/{number}" for number in range(len(part))] for split, part in pictures.items()}
    return check(pictures, known, classes, names, names)


def noise(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 4, 4, 1), np.uint8)


def test_nothing_odd() -> None:
    assert found(noise(100), [0, 1] * 50) == ()


def test_samples_that_show_nothing() -> None:
    x = noise(100)
    x[3], x[5], x[7], x[9] = 0, 255, 77, 0
    x[9, 0, 0] = 2  # of a JPEG
    assert found(x, [0, 1] * 50) == (
        "Samples that show nothing (of one level: blank, black, silent): 4 of 104 (train/3, train/5, train/7, ...)",
    )


def test_colour_without_a_shape_shows_nothing() -> None:
    x = np.random.default_rng(0).integers(0, 256, (100, 4, 4, 3), np.uint8)
    x[0] = (200, 30, 10)
    assert "1 of 104 (train/0)" in found(x, [0, 1] * 50)[0]


def test_equal_samples() -> None:
    x = noise(100)
    x[8] = x[4]
    assert found(x, [0, 1] * 50) == (
        "Samples that are equal to another, though their files differ: 2 of 104 (train/4, train/8)",
    )


def test_classes_with_few_samples() -> None:
    assert found(noise(100), [0] * 90 + [1] * 10) == (
        "Classes with few training samples: 1 of 2 (b 10; the median class has 50)",
    )
    labels = [0] * 300 + [1] * 400 + [2] * 25
    assert found(noise(725), labels, "abc", "abc") == (
        "Classes with few training samples: 1 of 3 (c 25; the median class has 300)",
    )


def test_few_samples_in_all_and_classes_that_are_not_tested() -> None:
    assert found(noise(50), [0, 1] * 25) == (
        "There are 50 training samples in all: too few for figures that hold for others",
    )
    assert found(noise(100), [0, 1] * 50, others="a") == (
        "Classes without a sample in the val split: 1 of 2 (b)",
        "Classes without a sample in the test split: 1 of 2 (b)",
    )


def test_samples_that_are_nearly_the_same_or_pale() -> None:
    x = np.broadcast_to(noise(1), (100, 4, 4, 1)) // 2 + np.random.default_rng(3).integers(
        0, 4, (100, 4, 4, 1), np.uint8
    )
    [told] = found(x.astype(np.uint8), [0, 1] * 50)
    assert told == "Training samples are nearly the same: 1.1 of 255 levels away from their mean picture (rms)"
    assert found(noise(100) // 16 + 40, [0, 1] * 50) == ("Training samples use only levels 40 to 55 of 0 to 255",)


def test_names_are_shortened() -> None:
    told = counted("Odd", ["x" * 300 + ".png"] * 5, 9)
    assert len(told) < 250 and told.endswith("x.png, ...)") and told.startswith("Odd: 5 of 9 (...x")


@pytest.mark.parametrize("copies", [False, True])
def test_copies_of_a_file_are_not_told_here(tmp_path: Path, copies: bool) -> None:
    """Equal pixels in files that differ are; the one picture is stored with other compression."""
    rng = np.random.default_rng(0)
    for name in "ab":
        (tmp_path / name).mkdir()
        for number in range(70):
            Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(tmp_path / name / f"{number}.png")
    image = Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8))
    image.save(tmp_path / "a" / "one.png")
    image.save(tmp_path / "b" / ("two.png" if copies else "two.bmp"))
    settings = ImageFolderSettings.model_validate({"kind": "image_folder", "path": str(tmp_path)})
    prepare(settings, tmp_path, 0, tmp_path / "out")
    told = [line for line in read_inventory(tmp_path / "out" / "inventory.json").cautions if "equal" in line]
    if copies:
        assert told == []
    else:
        assert len(told) == 1 and "2 of 142" in told[0] and "a/one.png" in told[0] and "b/two.bmp" in told[0]
