"""From outputs to boxes: the generated C gives the boxes of the reference, which are those of the real functions."""

import ctypes
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mcubuild.bench.sketch import Sketch
from mcubuild.bench.values import with_random_values
from mcubuild.board import read_board
from mcubuild.engine.emit.codegen import generate
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.errors import BuildError
from mcubuild.spec.engine import EngineSettings
from mcubuild.tasks.detection.boxes import Detections, overlaps
from mcubuild.tasks.detection.decode import BOX_BYTES, ONE, Decoding, DeviceBoxes, Scores
from mcubuild.toolchain.compile import find

BOARD = read_board("stm32f746")
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror")
GUARD = -21555
Int8 = NDArray[np.int8]

PLAIN = Decoding((5, 5), (160, 160), ((0.1, 0.1), (0.3, 0.2), (0.6, 0.7)), 3, 0.05, 10, most=20)
DECODINGS = {
    "plain": PLAIN,
    "one class, one anchor, one cell": Decoding((1, 1), (32, 32), ((0.5, 0.5),), 1, 0.1, -128, most=1),
    "wide, 20 classes, everything": Decoding(
        (4, 5), (128, 160), ((0.1, 0.2), (0.9, 1.0)), 20, 0.06, 0, threshold=0.0, overlap=0.3, most=300
    ),
    "sigmoids": replace(PLAIN, scores="sigmoid", threshold=0.1, most=64),
    "uneven cells, coarse": Decoding(
        (3, 7), (100, 2047), ((0.001, 1.0), (1.0, 0.001)), 2, 0.4, 127, scores="sigmoid", threshold=0.02, most=7
    ),
    "large, fine": Decoding(
        (9, 9), (2047, 2047), ((1.0, 1.0),) * 5, 80, 0.004, -3, threshold=0.001, overlap=0, most=90
    ),
}


def write_c(decoding: Decoding, folder: Path, prefix: str = "model") -> None:
    """The C of a network with such an output."""
    sketch = Sketch((1, *decoding.grid, 1))
    sketch.conv("input", decoding.channels)
    graph = with_random_values(sketch.graph())
    target = Target.of(BOARD, EngineSettings())
    generate(graph, plan(graph, target), target, folder, stack=2048, after=decoding, prefix=prefix)


class Compiled:
    """model_boxes of a decoding, compiled for this machine."""

    def __init__(self, decoding: Decoding, folder: Path) -> None:
        write_c(decoding, folder)
        command = [*find("zig").command, *WARNINGS, "-O2", "-shared", "-fPIC", "-o", "lib.so", "model.c", "weights.c"]
        subprocess.run(command, cwd=folder, check=True)
        self._library, self._most = ctypes.CDLL(str(folder / "lib.so")), decoding.most

    def __call__(self, output: Int8) -> DeviceBoxes:
        room = np.full((self._most + 1, BOX_BYTES // 2), GUARD, np.int16)
        output = np.ascontiguousarray(output)
        found = self._library.model_boxes(*(array.ctypes.data_as(ctypes.c_void_p) for array in (output, room)))
        assert (room[self._most] == GUARD).all(), "written beyond its end"
        rows = room[:found].astype(np.int64)
        return DeviceBoxes(rows[:, :4], rows[:, 4] & 0xFFFF, rows[:, 5] & 0xFFFF)


def same(one: DeviceBoxes, other: DeviceBoxes) -> None:
    np.testing.assert_array_equal(one.corners, other.corners)
    np.testing.assert_array_equal(one.classes, other.classes)
    np.testing.assert_array_equal(one.scores, other.scores)


def outputs(decoding: Decoding, count: int) -> Sequence[Int8]:
    """Random ones: any levels, levels around 0, few different levels (ties), the extremes, all the same."""
    rng = np.random.default_rng(decoding.channels)
    shape = (*decoding.grid, decoding.channels)
    found: list[Int8] = []
    for number in range(count):
        kind = number % 5
        if kind == 0:
            levels: NDArray[np.floating] | NDArray[np.integer] = rng.integers(-128, 128, shape)
        elif kind == 1:
            levels = decoding.zero_point + rng.normal(0, 2.5 / decoding.scale, shape)
        elif kind == 2:
            levels = rng.choice(rng.integers(-128, 128, 3), shape)
        elif kind == 3:
            levels = rng.choice([-128, 127], shape)
        else:
            levels = np.full(shape, rng.integers(-128, 128))
        found.append(np.clip(np.round(levels), -128, 127).astype(np.int8))
    return found


@pytest.mark.parametrize("name", DECODINGS)
def test_generated_c_gives_the_reference(name: str, tmp_path: Path) -> None:
    decoding = DECODINGS[name]
    compiled = Compiled(decoding, tmp_path)
    counts = []
    for output in outputs(decoding, 200):
        expected = decoding.boxes(output)
        same(compiled(output), expected)
        counts.append(len(expected))
    assert max(counts) > 0
    assert decoding.most == 1 or len(set(counts)) > 2


SANITIZED_MAIN = """
#include "model.h"
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    static int8_t output[%d];
    uint32_t sum = 0;
    while (fread(output, 1, sizeof output, stdin) == sizeof output) {
        struct model_box *boxes = malloc(MODEL_MAX_BOXES * sizeof *boxes); /* no byte more */
        const int32_t count = model_boxes(output, boxes);
        for (int32_t i = 0; i < count; i++) {
            sum = 31 * sum + (uint16_t)(boxes[i].top + 3 * boxes[i].left + 5 * boxes[i].bottom + 7 * boxes[i].right);
            sum = 31 * sum + boxes[i].label + 9u * boxes[i].score;
        }
        sum = 31 * sum + (uint32_t)count;
        free(boxes);
    }
    printf("%%lu\\n", (unsigned long)sum);
    return 0;
}
"""


@pytest.mark.parametrize("name", DECODINGS)
@pytest.mark.parametrize(
    ("tool", "flags"),
    [
        pytest.param("gcc", ("-fsanitize=address,undefined",), marks=pytest.mark.needs("gcc")),
        ("zig", ("-fsanitize=undefined",)),
    ],
    ids=["gcc, address and undefined behaviour", "zig, undefined behaviour"],
)
def test_fuzzed_under_sanitizers(name: str, tool: str, flags: Sequence[str], tmp_path: Path) -> None:
    decoding = DECODINGS[name]
    write_c(decoding, tmp_path)
    size = decoding.grid[0] * decoding.grid[1] * decoding.channels
    (tmp_path / "main.c").write_text(SANITIZED_MAIN % size)
    compiler = find("zig").command if tool == "zig" else ["gcc"]
    command = [
        *compiler,
        "-std=c99",
        "-O1",
        "-g",
        *flags,
        "-fno-sanitize-recover=all",
        "-o",
        "fuzz",
        "main.c",
        "model.c",
    ]
    built = subprocess.run([*command, "weights.c"], cwd=tmp_path, capture_output=True, text=True, check=False)
    if "cannot find" in built.stderr and "san" in built.stderr:
        pytest.skip("this gcc comes without its sanitizers' libraries")
    assert built.returncode == 0, built.stderr
    tried = outputs(decoding, 300)
    run = subprocess.run([tmp_path / "fuzz"], input=b"".join(map(bytes, tried)), capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()[-2000:]
    total = 0
    for output in tried:
        boxes = decoding.boxes(output)
        for corners, label, score in zip(boxes.corners, boxes.classes, boxes.scores, strict=True):
            total = 31 * total + int(corners @ [1, 3, 5, 7]) % (1 << 16)
            total = (31 * total + int(label) + 9 * int(score)) % (1 << 32)
        total = (31 * total + len(boxes)) % (1 << 32)
    assert int(run.stdout) == total


def slowly(decoding: Decoding, real: NDArray[np.float64]) -> Detections:
    """The formulas, written down once more in floats, an anchor at a time."""
    rows, columns = decoding.grid
    found = []
    for place, row, column, anchor in (
        (((r * columns) + c) * len(decoding.anchors) + a, r, c, a)
        for r in range(rows)
        for c in range(columns)
        for a in range(len(decoding.anchors))
    ):
        x, y, w, h, o, *classes = real.ravel()[place * (5 + decoding.classes) :][: 5 + decoding.classes].tolist()

        def sigmoid(value: float) -> float:
            return float(1 / (1 + np.exp(-value)))

        tall, wide = decoding.anchors[anchor][0] * np.exp(h), decoding.anchors[anchor][1] * np.exp(w)
        middle = (row + sigmoid(y)) / rows, (column + sigmoid(x)) / columns
        box = np.clip([middle[0] - tall / 2, middle[1] - wide / 2, middle[0] + tall / 2, middle[1] + wide / 2], 0, 1)
        total = sum(np.exp(value) for value in classes)
        for label, value in enumerate(classes):
            share = np.exp(value) / total if decoding.scores == "softmax" else sigmoid(value)
            if sigmoid(o) * share >= decoding.threshold:
                found.append((-sigmoid(o) * share, place, label, box))
    kept: list[tuple[float, int, int, NDArray[np.float64]]] = []
    for one in sorted(found, key=lambda one: one[:3])[: decoding.most]:
        if all(one[2] != k[2] or overlaps(one[3][None], k[3][None])[0, 0] <= decoding.overlap for k in kept):
            kept.append(one)
    return Detections(
        np.array([one[3] for one in kept], np.float32).reshape(-1, 4),
        np.array([one[2] for one in kept], np.int64),
        np.array([-one[0] for one in kept]),
    )


@pytest.mark.parametrize("scores", ["softmax", "sigmoid"])
def test_real_numbers_by_the_formulas(scores: Scores) -> None:
    decoding = replace(PLAIN, scores=scores)
    rng = np.random.default_rng(1)
    for _ in range(20):
        real = rng.normal(0, 1.5, (*decoding.grid, decoding.channels))
        got, expected = decoding.detections(real), slowly(decoding, real)
        np.testing.assert_array_equal(got.classes, expected.classes)
        np.testing.assert_allclose(got.scores, expected.scores)
        np.testing.assert_allclose(got.corners, expected.corners, atol=1e-6)


@pytest.mark.parametrize("scores", ["softmax", "sigmoid"])
def test_integers_are_near_the_real_numbers(scores: Scores) -> None:
    """Corners by a sixteenth of a pixel, scores by 0.0001; which boxes there are differs where a limit is near."""
    decoding = replace(PLAIN, scores=scores, threshold=0.0, overlap=1.0, most=4096)
    for output in outputs(decoding, 20):
        real = decoding.scale * (output.astype(np.float64) - decoding.zero_point)
        exact, device = decoding.detections(real), decoding.boxes(output).detections(decoding)
        seen = (exact.scores > 4 / ONE) & (160 * (exact.corners[:, 2:] - exact.corners[:, :2]).min(axis=1) > 2 / 16)
        for label in range(decoding.classes):
            ours, theirs = device.classes == label, (exact.classes == label) & seen
            far = 160 * np.abs(device.corners[ours][None] - exact.corners[theirs][:, None]).max(axis=2)
            near = np.abs(device.scores[ours][None] - exact.scores[theirs][:, None]) < 1e-4
            assert (np.where(near, far, np.inf).min(axis=1, initial=np.inf) <= 1.6 / 16).all()


def test_a_box_by_hand() -> None:
    """One cell of 3 x 3 is sure of class 1: centre (1.5, 2.5) cells, the anchor twice as wide."""
    decoding = Decoding((3, 3), (96, 96), ((1 / 3, 1 / 6),), 2, float(np.log(2)), 0)
    output = np.full((3, 3, 7), 0, np.int8)
    output[..., 4] = -100
    output[1, 2] = [0, 0, 1, 0, 100, -20, 20]
    boxes = decoding.boxes(output)
    assert boxes.corners.tolist() == [[16 * 32, 16 * 64, 16 * 64, 16 * 96]]
    assert boxes.classes.tolist() == [1]
    assert boxes.scores.tolist() == [ONE]


def test_equal_scores_go_by_place() -> None:
    decoding = Decoding((2, 2), (64, 64), ((0.1, 0.1), (0.2, 0.2)), 2, 0.1, 0, threshold=0.1, most=5)
    boxes = decoding.boxes(np.zeros((2, 2, 14), np.int8))
    assert boxes.classes.tolist() == [0, 1, 0, 1, 0]  # the second anchor's overlap is 0.25
    assert boxes.corners[:, 0].tolist() == [205, 205, 154, 154, 205]


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"classes": 5000}, "found 5000 for classes"),
        ({"most": 0}, "found 0 for boxes at most"),
        ({"threshold": 1.5}, "found 1.5 for threshold"),
        ({"input": (4096, 96)}, "found 4096 for a side of the input in pixels; allowed are 5 to 2047"),
        ({"anchors": ()}, "found 0 for anchors"),
        ({"anchors": ((0.5, 1.2),)}, "found 1.2 for an anchor's size"),
    ],
)
def test_what_does_not_fit_the_device(changes: dict[str, object], told: str) -> None:
    with pytest.raises(BuildError, match=told):
        replace(PLAIN, **changes)  # type: ignore[arg-type]


def test_tables_hold_what_they_say() -> None:
    for decoding in DECODINGS.values():
        assert decoding.sigmoids.min() >= 0 and decoding.sigmoids.max() <= ONE
        assert decoding.growths.min() >= 0 and decoding.growths.max() <= 1 << 24
        assert decoding.powers[0] == ONE and (np.diff(decoding.powers) <= 0).all()
        assert max(map(max, decoding.halves)) <= 1 << 14
