"""Samples as pictures inside a page."""

import base64
import io

import numpy as np
from numpy.typing import NDArray

LARGEST_PICTURE = 160
"""Pixels of an embedded sample's longer side."""


def png(image: NDArray[np.uint8]) -> str:
    """A picture (H, W, 1 or 3) as a PNG in a data URI, one pixel a pixel, or smaller where it would be large.

    A series (T, 1, C) has time to the right and a band a channel, light where its values are large.
    """
    from PIL import Image

    if image.shape[1] == 1 < image.shape[0]:
        band = max(1, LARGEST_PICTURE // 4 // image.shape[2])
        image = np.repeat(image[:, 0].T, band, axis=0)[..., np.newaxis]
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    picture.thumbnail((LARGEST_PICTURE, LARGEST_PICTURE))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
