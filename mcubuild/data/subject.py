"""What pictures show: photos, or drawings such as digits, signs, icons and logos."""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.resize import resize
from mcubuild.resolution import square

Subject: TypeAlias = Literal["photos", "drawings"]

_SIDE = 24
"""Pixels that pictures are reduced to: it averages noise and what JPEG added, and makes all sizes alike."""
_LOOKED_AT = 1000
"""Pictures."""
_VISIBLE = 1 / 16
"""Of the picture's range of levels: neighbours differ by no more where a surface is even, JPEG's ripples included."""
_GENTLE = 1 / 5
"""Of that range: the largest step that shades, rather than parts, two neighbours."""
_SHADED = 0.6
"""Share of gentle steps. Medians of sets: photos (CIFAR-10 in colour and grey, COCO, blood cells) 0.73 to 0.86, cut out
on black 0.63, of 12 pixels 0.69; letters, digits, signs and flat icons, as JPEG too, 0.33 to 0.48, glossy ones 0.59."""


def subject_of(pictures: NDArray[np.uint8]) -> Subject:
    """The subject of ``pictures`` (N, R, R, C).

    Light, shade and texture change a photo a little from pixel to pixel; drawings are of even surfaces, which end at
    once. So it is counted how many of the steps between neighbours that can be seen at all are gentle.
    """
    some = pictures[np.linspace(0, len(pictures) - 1, min(_LOOKED_AT, len(pictures))).astype(int)]
    levels = resize(some, square(min(_SIDE, some.shape[1]))).astype(np.int16)
    steps = np.concatenate([_steps(levels, axis) for axis in (1, 2)], axis=1)
    reach = np.ptp(levels, axis=(1, 2, 3))[:, np.newaxis]
    seen = steps > _VISIBLE * reach
    gentle = np.count_nonzero(seen & (steps <= _GENTLE * reach), axis=1)
    shares = gentle / np.maximum(np.count_nonzero(seen, axis=1), 1)
    return "photos" if np.median(shares) > _SHADED else "drawings"


def _steps(levels: NDArray[np.int16], axis: int) -> NDArray[np.int16]:
    """Differences (N, M) of neighbours along ``axis``, in the colour that changes most."""
    steps: NDArray[np.int16] = np.abs(np.diff(levels, axis=axis)).max(axis=3).reshape(len(levels), -1)
    return steps
