"""From a detection network's output to boxes: what the device computes, in integers, and the same in real numbers.

The output (rows, columns, anchors * (5 + classes)) has for each anchor of a cell x, y, width, height, objectness and
the classes. By YOLOv2 (arXiv 1612.08242), and by YOLOv3 where classes exclude nothing (arXiv 1804.02767), with t for
what the network puts out:

    centre = cell + sigmoid(t_x, t_y)            in cells
    size   = anchor * exp(t_w, t_h)
    score  = sigmoid(t_o) * softmax(t_classes)   or sigmoid instead of softmax

What scores ``threshold`` or more is a candidate, a box for each of its classes; of them the ``most`` with the highest
scores remain, and of those every one that no better one of its class overlaps by more than ``overlap``.

In integers, where a network's output has 256 levels, the functions are tables of these, made in advance, and no step
leaves its type:

    position, 1/16 pixel   a side has at most 2047 pixels: < 2**15, an int16 in the result
    sigmoid, score  Q15    at most 2**15; products of two at most 2**30
    exp             Q16    at most 2**24, as nothing may be more than 256 times as large as its anchor; half an anchor
                           at most 2**14: the product at most 2**38, in 64 bits; half a size at most 2**22
    softmax         Q15    exp(t - largest t); sums of at most 2**15 classes: 2**30; a score is one division of 32 bits
    areas, 1/256 pixel     at most 2**30, unions at most 2**31; times Q15 at most 2**46: compared in 64 bits

Source of the C: ``kernels_templates/model/boxes.c.j2``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from mcubuild.errors import BuildError
from mcubuild.tasks.detection.boxes import Detections

UNITS: Final = 16
"""Of a corner, in a pixel."""
ONE: Final = 1 << 15
"""1 as a score, and as an overlap."""
_LARGEST_SIDE: Final = 2047
_LARGEST_GROWTH: Final = 1 << 24
"""Of exponentials, Q16."""
_MOST_BOXES: Final = 4096
_MOST_CLASSES: Final = 4096
BOX_BYTES: Final = 12
"""Of a struct model_box: four corners, class and score, 16 bits each."""

Scores = Literal["softmax", "sigmoid"]
Chosen = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[Any]]
"""Corners (N, 4), classes (N,) and scores (N,)."""


@dataclass(frozen=True)
class Decoding:
    """How the output of a detection network is read."""

    grid: tuple[int, int]
    """Rows and columns of cells."""
    input: tuple[int, int]
    """Height and width of the network's input, in pixels."""
    anchors: tuple[tuple[float, float], ...]
    """Heights and widths, as shares of the input's."""
    classes: int
    scale: float
    """Real value of one step of the output, ..."""
    zero_point: int
    """... and its level of 0."""
    scores: Scores = "softmax"
    """Whether one class excludes the others."""
    threshold: float = 0.25
    """Score of a box at least."""
    overlap: float = 0.45
    """Intersection over union of two boxes of a class at most."""
    most: int = 50
    """Boxes."""

    def __post_init__(self) -> None:
        self._limit("a grid's side", max(self.grid), 1, _LARGEST_SIDE)
        self._limit("a side of the input in pixels", max(self.input), max(self.grid), _LARGEST_SIDE)
        self._limit("classes", self.classes, 1, _MOST_CLASSES)
        self._limit("boxes at most", self.most, 1, _MOST_BOXES)
        self._limit("threshold", self.threshold, 0, 1)
        self._limit("overlap", self.overlap, 0, 1)
        self._limit("anchors", len(self.anchors), 1, 255)
        self._limit("an anchor's size as a share of the input", min(map(min, self.anchors)), 1e-3, 1)
        self._limit("an anchor's size as a share of the input", max(map(max, self.anchors)), 1e-3, 1)

    @staticmethod
    def _limit(what: str, found: float, low: float, high: float) -> None:
        if not low <= found <= high:
            raise BuildError(f"detection: found {found:g} for {what}; allowed are {low:g} to {high:g}.")

    @property
    def channels(self) -> int:
        """Of the output."""
        return len(self.anchors) * (5 + self.classes)

    @cached_property
    def _levels(self) -> list[float]:
        """What the levels -128 ... 127 stand for."""
        return [self.scale * (level - self.zero_point) for level in range(-128, 128)]

    @cached_property
    def sigmoids(self) -> NDArray[np.int64]:
        """Sigmoid of each level, Q15 (256,)."""
        return np.array([round(ONE / (1 + _exp(-value))) for value in self._levels], np.int64)

    @cached_property
    def growths(self) -> NDArray[np.int64]:
        """Exponential of each level, Q16 (256,)."""
        return np.array([min(_LARGEST_GROWTH, round(min(1e9, 65536 * _exp(v)))) for v in self._levels], np.int64)

    @cached_property
    def powers(self) -> NDArray[np.int64]:
        """Exponential of so many levels less than the largest, Q15 (256,)."""
        return np.array([round(ONE * math.exp(-self.scale * less)) for less in range(256)], np.int64)

    @property
    def steps(self) -> tuple[int, int]:
        """Height and width of a cell, in units."""
        (height, width), (rows, columns) = self.input, self.grid
        return round(UNITS * height / rows), round(UNITS * width / columns)

    @property
    def halves(self) -> list[tuple[int, int]]:
        """Half the height and width of each anchor, in units."""
        return [
            (max(1, round(UNITS * height * self.input[0] / 2)), max(1, round(UNITS * width * self.input[1] / 2)))
            for height, width in self.anchors
        ]

    @property
    def lowest(self) -> int:
        """Score of a box at least, Q15: never 0."""
        return max(1, round(ONE * self.threshold))

    @property
    def limit(self) -> int:
        """Overlap at most, Q15."""
        return round(ONE * self.overlap)

    def boxes(self, output: NDArray[np.int8]) -> "DeviceBoxes":
        """What the device makes of the output (rows, columns, channels), in any shape of as many elements."""
        (rows, columns), (height, width) = self.grid, self.input
        levels = output.reshape(rows, columns, len(self.anchors), 5 + self.classes).astype(np.int64) + 128
        sure = self.sigmoids[levels[..., 4]]
        if self.scores == "softmax":
            powers = self.powers[levels[..., 5:].max(axis=-1, keepdims=True) - levels[..., 5:]]
            total = powers.sum(axis=-1, keepdims=True)
            scores = (sure[..., None] * powers + total // 2) // total
        else:
            scores = (sure[..., None] * self.sigmoids[levels[..., 5:]] + ONE // 2) // ONE
        starts = [np.arange(count) * UNITS * side // count for side, count in zip(self.input, self.grid, strict=True)]
        y = starts[0][:, None, None] + (self.sigmoids[levels[..., 1]] * self.steps[0] + ONE // 2) // ONE
        x = starts[1][:, None] + (self.sigmoids[levels[..., 0]] * self.steps[1] + ONE // 2) // ONE
        halves = np.array(self.halves)
        tall = (halves[:, 0] * self.growths[levels[..., 3]] + (1 << 15)) >> 16
        wide = (halves[:, 1] * self.growths[levels[..., 2]] + (1 << 15)) >> 16
        corners = np.stack([y - tall, x - wide, y + tall, x + wide], axis=-1)
        corners = np.clip(corners, 0, np.array([height, width, height, width]) * UNITS)
        chosen = self._candidates(corners, scores, self.lowest)
        return DeviceBoxes(*self._without_doubles(chosen, lambda common, union: common * ONE > self.limit * union))

    def detections(self, output: NDArray[np.floating]) -> Detections:
        """The same in real numbers, of what a network puts out before it is quantised: (rows, columns, channels)."""
        rows, columns = self.grid
        real = output.reshape(rows, columns, len(self.anchors), 5 + self.classes).astype(np.float64)
        shares = 1 / (1 + np.exp(-np.clip(real, -60, 60)))
        if self.scores == "softmax":
            powers = np.exp(real[..., 5:] - real[..., 5:].max(axis=-1, keepdims=True))
            scores = shares[..., 4:5] * powers / powers.sum(axis=-1, keepdims=True)
        else:
            scores = shares[..., 4:5] * shares[..., 5:]
        y = (np.arange(rows)[:, None, None] + shares[..., 1]) / rows
        x = (np.arange(columns)[:, None] + shares[..., 0]) / columns
        sizes = np.array(self.anchors)
        growths = np.minimum(np.exp(np.minimum(real[..., 2:4], 20)), _LARGEST_GROWTH / 65536)
        tall, wide = sizes[:, 0] / 2 * growths[..., 1], sizes[:, 1] / 2 * growths[..., 0]
        corners = np.clip(np.stack([y - tall, x - wide, y + tall, x + wide], axis=-1), 0, 1)
        chosen = self._candidates(corners, scores, self.threshold)
        kept, labels, sure = self._without_doubles(chosen, lambda common, union: common > self.overlap * union)
        return Detections(kept.astype(np.float32), labels, sure.astype(np.float64))

    def _candidates(self, corners: NDArray[Any], scores: NDArray[Any], lowest: float) -> Chosen:
        """The ``most`` boxes that have an area and the highest scores; of equal ones those that come first."""
        scores = scores * np.all(corners[..., 2:] > corners[..., :2], axis=-1, keepdims=True)
        places = np.flatnonzero((scores.ravel() >= lowest) & (scores.ravel() > 0))
        best = places[np.argsort(-scores.ravel()[places], kind="stable")[: self.most]]
        return corners.reshape(-1, 4)[best // self.classes], best % self.classes, scores.ravel()[best]

    def _without_doubles(self, chosen: Chosen, exceeds: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]) -> Chosen:
        """Those that no better one of the same class overlaps too much, by its common area and union with others."""
        corners, classes, _ = chosen
        areas = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
        kept = np.ones(len(classes), np.bool_)
        for number in range(len(classes)):
            if not kept[number]:
                continue
            later = np.flatnonzero(kept[number + 1 :] & (classes[number + 1 :] == classes[number])) + number + 1
            ends, starts = np.minimum(corners[later], corners[number]), np.maximum(corners[later], corners[number])
            sides = np.maximum(ends[:, 2:] - starts[:, :2], 0)
            common = sides[:, 0] * sides[:, 1]
            kept[later[exceeds(common, areas[later] + areas[number] - common)]] = False
        return corners[kept], classes[kept], chosen[2][kept]


@dataclass(frozen=True, eq=False)
class DeviceBoxes:
    """Boxes as the device gives them, from the highest score down."""

    corners: NDArray[np.int64]
    """(N, 4): top, left, bottom, right, in 1/16 pixel of the input."""
    classes: NDArray[np.int64]
    """(N,)."""
    scores: NDArray[np.int64]
    """(N,), Q15."""

    def __len__(self) -> int:
        return len(self.classes)

    def detections(self, decoding: Decoding) -> Detections:
        """The same as shares of the picture and of 1."""
        sides = UNITS * np.array(decoding.input * 2, np.float64)
        return Detections((self.corners / sides).astype(np.float32), self.classes, self.scores / ONE)


def _exp(value: float) -> float:
    return math.exp(min(value, 700))
