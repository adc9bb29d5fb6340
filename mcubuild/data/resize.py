"""Images at another resolution: the one way for reading, training, calibration and the device's input."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mcubuild.data.room import pieces, room
from mcubuild.progress import bar
from mcubuild.resolution import Resolution


def fit(image: Image.Image, size: Resolution, *, whole: bool = False) -> Image.Image:
    """The square in the middle of ``image``, or the ``whole`` of it, 8 bits a channel, at ``size``.

    Bilinear, with a filter that grows with the reduction (no aliasing). Pillow computes it in integers, so the result
    is the same on every machine: first across, rounded to 8 bits, then down. Both are asked for one by one, as Pillow
    itself takes one or the other first, by the image's shape and by its version. Firmware does the same:
    ``kernels_templates/model/preprocess.c.j2``.
    """
    width, height = image.size
    wide, tall = image.size if whole else (min(image.size),) * 2
    left, top = (width - wide) / 2, (height - tall) / 2
    bilinear = Image.Resampling.BILINEAR
    across = image.resize((size.width, height), bilinear, box=(left, 0, left + wide, height))
    return across.resize((size.width, size.height), bilinear, box=(0, top, size.width, top + tall))


def resolution_of(x: NDArray[Any]) -> Resolution:
    """Of images (N, H, W, C)."""
    return Resolution(*x.shape[1:3])


def resize(x: NDArray[np.uint8], resolution: Resolution) -> NDArray[np.uint8]:
    """Images ``x`` (N, H, W, C), whole, at ``resolution``; ``x`` itself if it has it.

    By ``fit``, each channel on its own, on all cores where samples are many; these are mapped (``room``). So are
    series, whose images are one pixel wide.
    """
    if resolution_of(x) == resolution:
        return x
    out = room((len(x), resolution.height, resolution.width, x.shape[3]))

    def fill(piece: slice) -> None:
        for image, result in zip(x[piece], out[piece], strict=True):
            for channel in range(x.shape[3]):
                plane = Image.fromarray(np.ascontiguousarray(image[..., channel]))
                result[..., channel] = np.asarray(fit(plane, resolution, whole=True))

    parts = list(pieces(x))
    if len(parts) <= 1:
        fill(slice(len(x)))
        return out
    with bar("resize images", len(x)) as progress, ThreadPoolExecutor(os.cpu_count()) as executor:
        for part, _ in zip(parts, executor.map(fill, parts), strict=True):
            progress.advance(part.stop - part.start)
    return out


def network_input(x: NDArray[np.uint8], resolution: Resolution) -> NDArray[np.int8]:
    """What a quantised network reads for the images ``x``: int8 (N, height, width, C), pixel - 128."""
    return (resize(x, resolution) ^ np.uint8(128)).view(np.int8)
