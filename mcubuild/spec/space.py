"""[space]: which search spaces compete."""

from typing import Annotated

from pydantic import Field

from mcubuild.settings import Settings


class SpaceSettings(Settings):
    """Search space optimisation (MCUNet, section 3.1)."""

    samples: int = Field(default=1000, ge=10, le=100_000)
    """Networks drawn from each width x resolution space."""
    widths: tuple[Annotated[float, Field(gt=0, le=4)], ...] = Field(
        default=(0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0), min_length=1
    )
    """Width multipliers of the competing spaces."""
    resolutions: tuple[Annotated[int, Field(ge=8, le=512)], ...] | None = Field(default=None, min_length=1)
    """Input sides in pixels; default: the paper's 48, 64, ... 224, scaled to the data set's ``max_resolution``."""
    neighbours: bool = False
    """Whether super network and search extend to the spaces next to the best: one step narrower, and one resolution
    below and above."""
