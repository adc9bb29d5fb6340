"""Image files as arrays."""

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from mcubuild.errors import BuildError
from mcubuild.progress import Bar, bar

_GREY_MODES = ("1", "L", "LA", "I;16", "I;16L", "I;16B")


def read_images(splits: Mapping[str, Sequence[Path]], largest: int) -> dict[str, NDArray[np.uint8]]:
    """Pixels (N, side, side, channels) of each split's image files.

    Every image is cut to its central square and brought to one side: the median of the shorter sides, at most
    ``largest``. They are grey if all files are, RGB otherwise. Both are decided by the images to train with alone.

    Args:
        splits: the files by split, ``train`` among them.
        largest: side that is allowed, in pixels.

    Raises:
        BuildError: an image cannot be read.
    """
    with bar("read images", len(splits["train"]) + sum(map(len, splits.values()))) as progress:
        side, mode = _survey(splits["train"], largest, progress)
        pixels = {}
        for split, members in splits.items():
            pixels[split] = np.empty((len(members), side, side, 1 if mode == "L" else 3), np.uint8)
            for image, path in zip(pixels[split], members, strict=True):
                image[...] = _read(path, side, mode)
                progress.advance()
    return pixels


def _survey(paths: Sequence[Path], largest: int, progress: Bar) -> tuple[int, Literal["L", "RGB"]]:
    """The side and the colour mode that all images are brought to; reads only the files' headers."""
    sides, grey = [], True
    for path in paths:
        with _opened(path) as image:
            sides.append(min(image.size))
            grey = grey and image.mode in _GREY_MODES
        progress.advance()
    return min(int(np.median(sides)), largest), "L" if grey else "RGB"


def _read(path: Path, side: int, mode: Literal["L", "RGB"]) -> NDArray[np.uint8]:
    """Pixels (side, side, channels) of the central square."""
    with _opened(path) as image:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I;16"):
            # Pillow would clip 16-bit grey at 255 instead of scaling it.
            upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
        square = ImageOps.fit(upright.convert(mode), (side, side), Image.Resampling.BILINEAR)
        return np.asarray(square).reshape(side, side, -1)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as image:
            yield image
    except (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError) as error:
        raise BuildError(f"{path}: cannot be read as an image ({error}); replace or remove it.") from None
