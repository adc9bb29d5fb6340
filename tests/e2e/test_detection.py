"""A detector of pictures that are no squares, from the search to boxes in the firmware."""

import json
from pathlib import Path

import numpy as np

from tests.e2e.checkout import SPEC, Checkout
from tests.e2e.test_detector_import import write_squares

DETECTOR = (
    SPEC.replace("image_classification", "object_detection")
    .replace('"digits"', '{ kind = "yolo_folder", path = "squares", classes = ["square"] }')
    .replace('blocks = ["mobile", "plain"]', 'blocks = ["mobile"]')
    .replace("widths = [0.2, 0.3]", "widths = [0.2]")
    .replace("resolutions = [8, 12]", 'resolutions = ["64x96"]')
    .replace("calibration = 64", "calibration = 32")
    + "\n[detection]\nstride = 16\nanchors = 1\nmax_boxes = 20\nthreshold = 0.01\n"
)


def test_from_wide_pictures_to_boxes_on_the_device(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "project", tmp_path / "store")
    folder = checkout.write_spec(DETECTOR).parent
    write_squares(folder / "squares", 4, 6)
    run = checkout.doit("build")
    assert run.code == 0, run.output
    built = checkout.path / "build" / "net"
    report = json.loads((built / "report.json").read_text())
    assert report["model"]["input"] == [64, 96, 1]
    expected, found = np.load(built / "int8_outputs.npy"), np.load(built / "device_outputs.npy")
    assert (found == expected[: len(found)]).all() and found.shape[1] == 4 * 6 * 6 + 20 * 12
    assert found[:, 4 * 6 * 6 :].any(), "no box to compare"
    header = (built / "c" / "model.h").read_text()
    assert "#define MODEL_INPUT_HEIGHT 64" in header and "#define MODEL_INPUT_WIDTH 96" in header
    page = (built / "report.html").read_text()
    assert "64\N{MULTIPLICATION SIGN}96" in page and "w0.2-r64x96" in page
