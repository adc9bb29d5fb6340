"""Images at another resolution: the one way for reading, training, calibration and the device's input."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mcubuild.data.room import pieces, room
from mcubuild.progress import bar


def fit(image: Image.Image, side: int, *, whole: bool = False) -> Image.Image:
    """The square in the middle of ``image``, or the ``whole`` of it, 8 bits a channel, at ``side`` x ``side`` pixels.

    Bilinear, with a filter that grows with the reduction (no aliasing). Pillow computes it in integers, so the result
    is the same on every machine: first across, rounded to 8 bits, then down. Both are asked for one by one, as Pillow
    itself takes one or the other first, by the image's shape and by its version. Firmware does the same:
    ``kernels_templates/model/preprocess.c.j2``.
    """
    width, height = image.size
    wide, tall = image.size if whole else (min(image.size),) * 2
    left, top = (width - wide) / 2, (height - tall) / 2
    bilinear = Image.Resampling.BILINEAR
    across = image.resize((side, height), bilinear, box=(left, 0, left + wide, height))
    return across.resize((side, side), bilinear, box=(0, top, side, top + tall))


def along(series: Image.Image, length: int) -> Image.Image:
    """A series, one pixel wide, of ``length`` values, by the same filter as images."""
    return series.resize((1, length), Image.Resampling.BILINEAR)


def resize(x: NDArray[np.uint8], resolution: int) -> NDArray[np.uint8]:
    """Square images ``x`` (N, H, H, C) at ``resolution``: (N, resolution, resolution, C); ``x`` itself if it has it.

    Series (N, H, 1, C) become (N, resolution, 1, C). By ``fit``, each channel on its own, on all cores where
    samples are many; these are mapped (``room``).
    """
    series = x.shape[2] == 1 < x.shape[1]
    if x.shape[1] == resolution:
        return x
    out = room((len(x), resolution, 1 if series else resolution, x.shape[3]))

    def fill(piece: slice) -> None:
        for image, result in zip(x[piece], out[piece], strict=True):
            for channel in range(x.shape[3]):
                plane = Image.fromarray(np.ascontiguousarray(image[..., channel]))
                result[..., channel] = np.asarray(along(plane, resolution) if series else fit(plane, resolution))

    parts = list(pieces(x))
    if len(parts) <= 1:
        fill(slice(len(x)))
        return out
    with bar("resize images", len(x)) as progress, ThreadPoolExecutor(os.cpu_count()) as executor:
        for part, _ in zip(parts, executor.map(fill, parts), strict=True):
            progress.advance(part.stop - part.start)
    return out


def network_input(x: NDArray[np.uint8], resolution: int) -> NDArray[np.int8]:
    """What a quantised network reads for the images ``x``: int8 (N, resolution, resolution, C), pixel - 128."""
    return (resize(x, resolution) ^ np.uint8(128)).view(np.int8)
