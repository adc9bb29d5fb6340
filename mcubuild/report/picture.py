"""Samples as pictures inside a page."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LARGEST_PICTURE = 160
"""Pixels of an embedded sample's longer side."""


_COLOURS = ("#ff3b30", "#34c759", "#0a84ff", "#ffd60a", "#bf5af2", "#ff9f0a", "#64d2ff", "#ffffff")
"""Of boxes, by label; more classes begin again."""


def png(
    image: NDArray[np.uint8],
    boxes: Sequence[tuple[int, float, float, float, float]] = (),
    largest: int = LARGEST_PICTURE,
    shape: tuple[int, int] | None = None,
) -> str:
    """A picture (H, W, 1 or 3) as a PNG in a data URI, one pixel a pixel, or smaller where it would be large.

    A series (T, 1, C) has time to the right and a band a channel, light where its values are large. Boxes are drawn as
    frames: label, top, left, bottom and right as shares of the picture. One that was stretched to a square, whole, gets
    back its ``shape``: the proportion of width to height.
    """
    from PIL import Image, ImageDraw

    if image.shape[1] == 1 < image.shape[0]:
        band = max(1, LARGEST_PICTURE // 4 // image.shape[2])
        image = np.repeat(image[:, 0].T, band, axis=0)[..., np.newaxis]
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    if shape is not None:
        picture = picture.resize([max(1, round(largest * side / max(shape))) for side in shape])
    picture.thumbnail((largest, largest))
    if boxes:
        picture = picture.convert("RGB")
        draw = ImageDraw.Draw(picture)
        for label, *corners in boxes:
            top, left, bottom, right = (
                round(share * (side - 1)) for share, side in zip(corners, picture.size[::-1] * 2, strict=True)
            )
            draw.rectangle((left, top, right, bottom), outline=_COLOURS[label % len(_COLOURS)])
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
