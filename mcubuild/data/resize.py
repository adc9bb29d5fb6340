"""Images at another resolution: the one way for training, calibration and the device's input."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def resize(x: NDArray[np.uint8], resolution: int) -> NDArray[np.uint8]:
    """Square images ``x`` (N, H, H, C) at ``resolution``: (N, resolution, resolution, C); ``x`` itself if it has it.

    Bilinear, with a filter that grows with the reduction (no aliasing). Pillow computes it in integers, so the result
    is the same on every machine.
    """
    if x.shape[1:3] == (resolution, resolution):
        return x
    out = np.empty((len(x), resolution, resolution, x.shape[3]), np.uint8)
    for image, result in zip(x, out, strict=True):
        for channel in range(x.shape[3]):
            plane = Image.fromarray(np.ascontiguousarray(image[..., channel]))
            resized = plane.resize((resolution, resolution), Image.Resampling.BILINEAR)
            result[..., channel] = np.asarray(resized)
    return out


def network_input(x: NDArray[np.uint8], resolution: int) -> NDArray[np.int8]:
    """What a quantised network reads for the images ``x``: int8 (N, resolution, resolution, C), pixel - 128."""
    return (resize(x, resolution).astype(np.int16) - 128).astype(np.int8)
