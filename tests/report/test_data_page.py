"""The page of a data set."""

import base64
import re

import numpy as np
import pytest

from mcubuild.data.inventory import Inventory
from mcubuild.data.overview import Example, Overview
from mcubuild.data.splits import Index
from mcubuild.report.data import counted, lines, measured, render

INDEX = Index("image_folder", "image_classification", ("cat", "<dog>"), 8, 32, 1)
INVENTORY = Inventory({"train": 1300, "val": 30, "test": 5}, cautions=("a.png looks & odd",))
COUNTS = {"train": (1200, 100), "val": (20, 10), "test": (5, 0)}


def shown(pictures: bool = True, sound: bytes | None = None, shape: tuple[int, ...] = (8, 8, 1)) -> Overview:
    examples = (Example("cat/1.png", "train", 0, sound), Example("dog/<2>.png", "test", 1, sound))
    return Overview(COUNTS, examples, np.arange(2 * np.prod(shape), dtype=np.uint8).reshape(2, *shape), pictures)


def test_classes_are_counted_by_split() -> None:
    assert counted(INDEX, shown()) == [
        ["class", "training", "validation", "test"],
        ["cat", "1200", "20", "5"],
        ["<dog>", "100", "10", "0"],
        ["all", "1300", "30", "5"],
    ]


def test_pictures_stand_beside_their_labels() -> None:
    page = render("net", INDEX, INVENTORY, shown())
    samples = re.findall(r"<li>.*?</li>", page, re.DOTALL)
    assert len(samples) == 2 and page.count("data:image/png;base64,") == 2
    assert "<b>cat</b>" in samples[0] and "training" in samples[0] and "cat/1.png" in samples[0]
    assert "<b>&lt;dog&gt;</b>" in samples[1] and "test<br>dog/&lt;2&gt;.png" in samples[1]
    assert "a.png looks &amp; odd." in page and "<audio" not in page
    assert re.search(r'<td class="n">1\N{NARROW NO-BREAK SPACE}200</td>', page)
    assert "http" not in re.sub(r"data:\S+", "", page), "nothing comes from elsewhere"


def test_sounds_can_be_played() -> None:
    page = render("net", INDEX, INVENTORY, shown(sound=b"RIFF"))
    assert page.count(f'src="data:audio/wav;base64,{base64.b64encode(b"RIFF").decode()}"') == 2
    assert page.count("<img") == 2


def test_measurements_are_drawn_as_lines() -> None:
    page = render("net", INDEX, INVENTORY, shown(pictures=False, shape=(20, 1, 3)))
    assert "<img" not in page and page.count("<polyline") == 6
    assert "stored as windows of 20 values in each of 3 channels" in page and "a line a channel over time" in page
    curves = measured(np.array([[[0, 10]], [[255, 20]]], np.uint8)).curves
    assert [curve.points for curve in curves] == [[(0.0, 0.0), (1.0, 255.0)], [(0.0, 10.0), (1.0, 20.0)]]


def test_the_same_as_text() -> None:
    text = list(lines(INDEX, INVENTORY, shown()))
    assert text[0] == "image folder, 2 classes; stored as 8x8 grey."
    assert [row.split() for row in text[1:5]] == counted(INDEX, shown())
    assert text[5:] == ["caution: a.png looks & odd."]


@pytest.mark.parametrize(("classes", "told"), [(40, 40), (41, 41), (1000, 41)])
def test_of_many_classes_a_terminal_lists_the_first_and_the_last(classes: int, told: int) -> None:
    index = Index("imagenet", "image_classification", tuple(f"class {n}" for n in range(classes)), 8, 32, 1)
    many = Overview({"train": tuple(range(classes))}, (), np.empty((0, 8, 8, 1), np.uint8), True)
    text = list(lines(index, Inventory({}), many))
    assert len(text) == 3 + told
    assert (f"... {classes - 40} classes more, in the page" in text) == (classes > 40)
    assert text[-2].split()[-1] == str(classes - 1)
