"""A detector from elsewhere: from a .tflite file and labelled pictures to boxes on the device."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.e2e.checkout import Checkout
from tests.importers.writer import Writer, write

CELL, CELLS = 16, 6
SIDE = CELL * CELLS
SPEC = """
board = "stm32f412"

[dataset]
kind = "yolo_folder"
path = "squares"

[model]
file = "net.tflite"
anchors = [[{share}, {share}]]

[detection]
threshold = 0.5
max_boxes = 8
"""


def detector() -> bytes:
    """A cell that is white is surely an object of the first class, in its middle and as large as the anchor."""
    w = Writer()
    x = w.tensor((1, SIDE, SIDE, 1), scale=float(np.float32(1 / 255)), zero_point=-128, name="x")
    y = w.tensor((1, CELLS, CELLS, 7), scale=0.1, name="y")
    weights, bias = np.zeros((7, CELL, CELL, 1)), np.zeros(7)
    weights[4], step = 100, 20 / CELL**2 / 100
    bias[4], bias[5] = -10 / (step / 255), 5 / (step / 255)
    filters = w.tensor(weights.shape, scale=step, values=weights)
    sums = w.tensor((7,), "int32", scale=step / 255, values=np.round(bias))
    w.operator("CONV_2D", [x, filters, sums], [y], Padding=1, StrideH=CELL, StrideW=CELL)
    return w.finish([x], [y])


def write_squares(folder: Path) -> None:
    """White squares in cells of black pictures, some of which have nothing in them."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    (folder / "classes.txt").write_text("square\nnever\n")
    for number in range(40):
        pixels, lines = rng.integers(0, 30, (SIDE, SIDE), np.uint8), []
        for place in rng.choice(CELLS**2, number % 4, replace=False).tolist():
            row, column = divmod(place, CELLS)
            pixels[CELL * row : CELL * (row + 1), CELL * column : CELL * (column + 1)] = 255
            lines.append(f"0 {(column + 0.5) / CELLS} {(row + 0.5) / CELLS} {1 / CELLS} {1 / CELLS}\n")
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")
        (folder / f"{number:02d}.txt").write_text("".join(lines))


def test_a_detector_of_the_user_finds_what_is_there(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "project", tmp_path / "store")
    folder = checkout.write_spec(SPEC.format(share=1 / CELLS)).parent
    write(folder / "net.tflite", detector())
    write_squares(folder / "squares")
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
        ("anchors = [[{share}, {share}]]", "", "found [model] with a data set of boxes and no anchors"),
        ("[[{share}, {share}]]", "[[0.1, 0.2], [0.5, 0.5]]", "2 anchors and 2 classes have one, int8"),
        ('[dataset]\nkind = "yolo_folder"\npath = "squares"\n', "", "found model.anchors without a data set"),
    ],
)
def test_what_does_not_go_together(old: str, new: str, message: str, tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "project", tmp_path / "store")
    folder = checkout.write_spec(SPEC.replace(old, new).format(share=1 / CELLS)).parent
    write(folder / "net.tflite", detector())
    write_squares(folder / "squares")
    run = checkout.doit("build")
    assert run.code != 0 and message in " ".join(run.output.split())
