"""Training pictures varied at random, and their boxes with them: mirrored, cut out, moved, lit and coloured."""

import math
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the name that everyone uses)
from numpy.typing import NDArray
from torch import Tensor

from mcubuild.data.boxes import NOTHING
from mcubuild.data.splits import Pixels, Targets

SCALE: Final = (0.6, 1.25)
"""Sides of the window that becomes the picture, as shares of the picture's: below 1 a part is enlarged."""
STRETCH: Final = 0.15
"""Share by which a window's height and width may differ more."""
LEAST: Final = 0.4
"""Share of a box that must remain in the window for it to be learned; of less nobody is asked anything."""
LIGHT: Final = 0.15
"""Share of the range of levels by which pictures are brightened or darkened."""
CONTRAST: Final = 0.3
COLOUR: Final = 0.4
"""Shares of the distance from the mean, and from grey."""
_WHITE = 255
_Array = NDArray[np.float64]
"""(N,): a value a picture."""


def varied(x: Pixels, y: Targets, rng: np.random.Generator, *, mirror: bool) -> tuple[Pixels, Targets]:
    """Each picture (N, R, R, C) varied on its own, and its boxes (N, M, 6), as ``boxes.packed`` has them.

    A window of any size and place becomes the picture; what lies outside of the picture has its mean colour. Boxes
    are cut at the window. One of which less than ``LEAST`` remains becomes difficult: it is neither to be found nor
    wrong to be found.
    """
    samples = len(x)
    images = torch.from_numpy(np.ascontiguousarray(x)).permute(0, 3, 1, 2).float()
    size = np.exp(rng.uniform(math.log(SCALE[0]), math.log(SCALE[1]), samples))
    stretch = np.exp(rng.uniform(-1, 1, samples) * np.log1p(STRETCH) / 2)
    height, width = size * stretch, size / stretch
    # A part lies inside of the picture, and the picture inside of what is larger.
    top, left = (rng.uniform(np.minimum(0, 1 - side), np.maximum(0, 1 - side)) for side in (height, width))
    flip = mirror & (rng.random(samples) < 0.5)
    return _light(_windows(images, top, left, height, width, flip), rng), _moved(y, top, left, height, width, flip)


def _windows(
    images: Tensor, top: _Array, left: _Array, height: _Array, width: _Array, flip: NDArray[np.bool_]
) -> Tensor:
    mean = images.mean(dim=(2, 3), keepdim=True)
    sign = np.where(flip, -1.0, 1.0)
    zero = np.zeros_like(top)
    across = np.stack([sign * width, zero, 2 * left + width - 1], axis=1)
    down = np.stack([zero, height, 2 * top + height - 1], axis=1)
    maps = torch.from_numpy(np.stack([across, down], axis=1).astype(np.float32))
    grid = F.affine_grid(maps, list(images.shape), align_corners=False)
    return mean + F.grid_sample(images - mean, grid, padding_mode="zeros", align_corners=False)


def _moved(y: Targets, top: _Array, left: _Array, height: _Array, width: _Array, flip: NDArray[np.bool_]) -> Targets:
    moved = y.copy()
    corners = y[..., 1:5].astype(np.float64)
    start = np.stack([top, left, top, left], axis=1)[:, None]
    corners = (corners - start) / np.stack([height, width, height, width], axis=1)[:, None]
    mirrored = np.stack([corners[..., 0], 1 - corners[..., 3], corners[..., 2], 1 - corners[..., 1]], axis=-1)
    corners = np.where(flip[:, None, None], mirrored, corners)
    inside = corners.clip(0, 1)
    before, after = ((one[..., 2:] - one[..., :2]).clip(0).prod(axis=-1) for one in (corners, inside))
    moved[..., 1:5] = inside
    moved[..., 5] = (y[..., 5] != 0) | (after < LEAST * before)
    gone = (after <= 0) | (y[..., 0] == NOTHING)
    moved[gone] = (NOTHING, 0, 0, 0, 0, 0)
    return moved


def _light(images: Tensor, rng: np.random.Generator) -> Pixels:
    samples = len(images)

    def factors(share: float) -> Tensor:
        drawn = np.exp(rng.uniform(-1, 1, samples) * np.log1p(share)).astype(np.float32)
        return torch.from_numpy(drawn)[:, None, None, None]

    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    light = torch.from_numpy(rng.uniform(-LIGHT, LIGHT, samples).astype(np.float32))[:, None, None, None]
    images = mean + (images - mean) * factors(CONTRAST) + _WHITE * light
    if images.shape[1] == 3:
        grey = images.mean(dim=1, keepdim=True)
        images = grey + (images - grey) * factors(COLOUR)
    result: Pixels = images.round_().clamp_(0, _WHITE).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return result
