"""Wake Vision: whether a person is in the picture."""

from typing import Literal

from mcubuild.spec.datasets.base import ImageSettings, PublicSettings
from mcubuild.spec.outline import MAX_RESOLUTION, Outline


class WakeVisionSettings(PublicSettings, ImageSettings):
    """Images of Open Images with two labels: whether a person is to be seen.

    Banbury et al., Wake Vision, arXiv 2405.00892.
    """

    kind: Literal["wake_vision"]
    """``path`` has ``wake_vision_{train_large,train_quality,validation,test}.csv`` and, in folders or in tar or zip
    archives, the images that they name."""
    labels: Literal["large", "quality"] = "quality"
    """Which training images: 5,760,428 that were labelled by machine, or 1,248,230 of them by people's boxes."""

    def outline(self) -> Outline:
        """Two classes of colour images."""
        return Outline(self.tasks[0], 2, 3, self.max_resolution or MAX_RESOLUTION)


SETTINGS = WakeVisionSettings
