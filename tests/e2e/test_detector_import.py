"""A detector from elsewhere: from a .tflite file and labelled pictures to boxes on the device."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.e2e.checkout import Checkout
from tests.importers.writer import Writer, write

CELL = 16
Grid = tuple[int, int]
SPEC = """
board = "stm32f412"

[dataset]
kind = "yolo_folder"
path = "squares"

[model]
file = "net.tflite"
anchors = [[{high}, {wide}]]

[detection]
threshold = 0.5
max_boxes = 8
"""


def detector(rows: int, columns: int) -> bytes:
    """A cell that is white is surely an object of the first class, in its middle and as large as the anchor."""
    w = Writer()
    x = w.tensor((1, CELL * rows, CELL * columns, 1), scale=float(np.float32(1 / 255)), zero_point=-128, name="x")
    y = w.tensor((1, rows, columns, 7), scale=0.1, name="y")
    weights, bias = np.zeros((7, CELL, CELL, 1)), np.zeros(7)
    weights[4], step = 100, 20 / CELL**2 / 100
    bias[4], bias[5] = -10 / (step / 255), 5 / (step / 255)
    filters = w.tensor(weights.shape, scale=step, values=weights)
    sums = w.tensor((7,), "int32", scale=step / 255, values=np.round(bias))
    w.operator("CONV_2D", [x, filters, sums], [y], Padding=1, StrideH=CELL, StrideW=CELL)
    return w.finish([x], [y])


def write_squares(folder: Path, rows: int, columns: int) -> None:
    """White squares in cells of black pictures, some of which have nothing in them."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    (folder / "classes.txt").write_text("square\nnever\n")
    for number in range(40):
        pixels, lines = rng.integers(0, 30, (CELL * rows, CELL * columns), np.uint8), []
        for place in rng.choice(rows * columns, number % 4, replace=False).tolist():
            row, column = divmod(place, columns)
            pixels[CELL * row : CELL * (row + 1), CELL * column : CELL * (column + 1)] = 255
            lines.append(f"0 {(column + 0.5) / columns} {(row + 0.5) / rows} {1 / columns} {1 / rows}\n")
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")
        (folder / f"{number:02d}.txt").write_text("".join(lines))


@pytest.mark.parametrize("grid", [(6, 6), (4, 6)], ids=["square", "wide"])
def test_a_detector_of_the_user_finds_what_is_there(grid: Grid, tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "project", tmp_path / "store")
    folder = checkout.write_spec(SPEC.format(high=1 / grid[0], wide=1 / grid[1])).parent
    write(folder / "net.tflite", detector(*grid))
    write_squares(folder / "squares", *grid)
    run = checkout.doit("build")
    assert run.code == 0, run.output
    built = checkout.path / "build" / "net"
    report = json.loads((built / "report.json").read_text())
    assert report["accuracy"]["metric"] == "mAP@0.5"
    assert report["accuracy"]["device"] == report["accuracy"]["int8"] == pytest.approx(1.0)
    assert "model_boxes" in (built / "c" / "model.h").read_text()
    assert "Precision against recall" in (built / "report.html").read_text()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("anchors = [[{high}, {wide}]]", "", "found [model] with a data set of boxes and no anchors"),
        ("[[{high}, {wide}]]", "[[0.1, 0.2], [0.5, 0.5]]", "2 anchors and 2 classes have one, int8"),
        ('[dataset]\nkind = "yolo_folder"\npath = "squares"\n', "", "found model.anchors without a data set"),
    ],
)
def test_what_does_not_go_together(old: str, new: str, message: str, tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "project", tmp_path / "store")
    folder = checkout.write_spec(SPEC.replace(old, new).format(high=1 / 6, wide=1 / 6)).parent
    write(folder / "net.tflite", detector(6, 6))
    write_squares(folder / "squares", 6, 6)
    run = checkout.doit("build")
    assert run.code != 0 and message in " ".join(run.output.split())
