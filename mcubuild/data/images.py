"""Folders of image files as arrays."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from mcubuild.data.sources import scan_image_folder
from mcubuild.data.splits import Split
from mcubuild.errors import BuildError
from mcubuild.progress import Bar, bar

_GREY_MODES = ("1", "L", "LA", "I;16", "I;16L", "I;16B")


def read_image_folder(folder: Path, largest: int) -> tuple[tuple[str, ...], dict[str, Split]]:
    """Class names, and the images of each split that ``folder`` gives, or of ``all``.

    Every image is cut to its central square and brought to one side: the median of the images' shorter sides, at most
    ``largest``. They are grey if all files are, RGB otherwise.

    Raises:
        BuildError: the layout is wrong (see ``scan_image_folder``) or an image cannot be read.
    """
    layout = scan_image_folder(folder)
    paths = [path for groups in layout.images.values() for group in groups for path in group]
    with bar("read images", 2 * len(paths)) as progress:
        side, mode = _survey(paths, largest, progress)
        splits = {}
        for split, groups in layout.images.items():
            members = [path for group in groups for path in group]
            x = np.empty((len(members), side, side, 1 if mode == "L" else 3), np.uint8)
            for pixels, path in zip(x, members, strict=True):
                pixels[...] = _read(path, side, mode)
                progress.advance()
            y = np.repeat(np.arange(len(groups), dtype=np.int64), [len(group) for group in groups])
            splits[split] = Split(x, y)
    return layout.classes, splits


def _survey(paths: list[Path], largest: int, progress: Bar) -> tuple[int, Literal["L", "RGB"]]:
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
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BuildError(f"{path}: cannot be read as an image ({error}); replace or remove it.") from None
