"""A data set's images as the input of a network from elsewhere, whose author had a scale of pixels in mind."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.resize import resize
from mcubuild.data.splits import Split
from mcubuild.errors import BuildError
from mcubuild.importers.interface import Interface
from mcubuild.ir.geometry import Shape
from mcubuild.resolution import Resolution

Range = tuple[float, float]
_USUAL: tuple[Range, ...] = ((0, 1), (-1, 1), (-0.5, 0.5), (0, 255), (-128, 127))
"""What training feeds for pixel values 0 and 255: divided by 255, by 127.5 less 1, ..., as they are, less 128."""
_TOLERANCE = 0.05
"""Share of a range by which each end may be off: the samples that scales were found on need not be black and white."""

_LEAST = 26
"""Levels, of 256, that pixels must differ in at least: a tenth of what the input can tell apart."""


def as_inputs(
    file: str, faces: Sequence[Interface], shapes: Sequence[Shape], test: Split, pixels: Range | None
) -> tuple[NDArray[np.int8], Range]:
    """The images of ``test`` as int8 (N, bytes): resized, in the real values of training, quantised as the file says.

    The second is what was fed for pixel values 0 and 255.

    Args:
        file: the network's, for messages.
        faces: its inputs.
        shapes: of these in the graph.
        test: images, or pictures with boxes, which are seen whole whatever the input's shape.
        pixels: the real values of pixel values 0 and 255; by default one of the usual, by the input's range.

    Raises:
        BuildError: the input is no image of as many channels, or one that is no square for images that are, or the real
            values of pixels are not known.
    """
    resolution = _resolution(file, faces, shapes, test)
    table, pixels = pixel_table(file, faces[0], pixels)
    return table[resize(test.x, resolution)].reshape(len(test), -1), pixels


def real_inputs(
    file: str, faces: Sequence[Interface], shapes: Sequence[Shape], split: Split, pixels: Range | None
) -> NDArray[np.float32]:
    """The images of ``split`` as a network of real numbers takes them, float32 (N, elements); arguments as above.

    Raises:
        BuildError: as ``as_inputs``.
    """
    resolution = _resolution(file, faces, shapes, split)
    if pixels is None:
        raise BuildError(
            f"{file}: its input is real, and nothing tells its range; say which real values training fed for pixel "
            f"values 0 and 255, as in [model] pixels = [0, 1]."
        )
    low, high = pixels
    table = np.linspace(low, high, 256).astype(np.float32)
    return table[resize(split.x, resolution)].reshape(len(split), -1)


def _resolution(file: str, faces: Sequence[Interface], shapes: Sequence[Shape], test: Split) -> Resolution:
    """Of the image that the input is."""
    instead = "give the samples as the network takes them: [model] inputs and labels"
    if len(faces) != 1 or len(shapes[0]) != 4:
        raise BuildError(
            f"{file}: its inputs have shapes {list(shapes)[:4]}; a data set has one image each: {instead}."
        )
    face, (_, height, width, channels) = faces[0], shapes[0]
    if face.bits == 16:
        raise BuildError(f"{file}: its input has 16 bits, pixels have 8: {instead}.")
    if height != width and test.boxes is None:
        raise BuildError(f"{file}: its input is {height}x{width}; the images of a data set are square: {instead}.")
    if channels != test.x.shape[3]:
        grey = "grey (1 channel)" if test.x.shape[3] == 1 else f"colour ({test.x.shape[3]} channels)"
        raise BuildError(f"{file}: its input has {channels} channels, the data set's images are {grey}: {instead}.")
    return Resolution(height, width)


def pixel_table(file: str, face: Interface, pixels: Range | None) -> tuple[NDArray[np.int8], Range]:
    """The int8 of each pixel value (256,), and the real values of 0 and 255; arguments as of ``as_inputs``.

    Raises:
        BuildError: the real values of pixels are not known, or hardly fit the input's range.
    """
    low, high = pixels or _implied(file, face)
    levels = face.quantized(np.linspace(low, high, 256))
    table = np.clip(levels, -128, 127).astype(np.int8)
    if len(np.unique(table)) < _LEAST or (abs(levels + 0.5) > 129).mean() > 1 / 3:
        raise BuildError(
            f"{file}: pixels = [{low:g}, {high:g}] do not go with what its input holds, {_shown(face.range)}: most of "
            f"an image would be one grey; correct [model] pixels."
        )
    return table, (low, high)


def _implied(file: str, face: Interface) -> Range:
    """The usual real values of pixels that are nearly the input's range.

    Raises:
        BuildError: none is: the mean was subtracted, say, and which one the file does not tell.
    """
    for usual in _USUAL:
        slack = _TOLERANCE * (usual[1] - usual[0])
        if all(abs(found - end) <= slack for found, end in zip(face.range, usual, strict=True)):
            return usual
    raise BuildError(
        f"{file}: its input holds {_shown(face.range)} (scale {face.scale:.6g}, zero point {face.zero_point} as int8), "
        f"none of the usual ranges of pixels ({', '.join(map(_shown, _USUAL))}). Say which real values training fed "
        f"for pixel values 0 and 255, as in [model] pixels = [0, 1], or give [model] inputs and labels."
    )


def _shown(ends: Range) -> str:
    return f"{ends[0]:.4g} to {ends[1]:.4g}"
