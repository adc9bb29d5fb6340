"""[space]: which search spaces compete."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from mcubuild.quantities import Sides
from mcubuild.settings import Settings

BlockKind: TypeAlias = Literal["mobile", "plain", "residual"]


class SpaceSettings(Settings):
    """Search space optimisation (MCUNet, section 3.1)."""

    blocks: tuple[BlockKind, ...] = Field(default=("mobile", "plain", "residual"), min_length=1)
    """What the competing spaces' networks are made of: inverted bottlenecks ("mobile", MCUNet's), 3x3 convolutions with
    a max pool behind each stage ("plain", as in VGG), or pairs of 3x3 convolutions beside shortcuts ("residual", as in
    ResNet)."""
    samples: int = Field(default=1000, ge=10, le=100_000)
    """Networks drawn from each space: blocks x width x resolution."""
    widths: tuple[Annotated[float, Field(gt=0, le=4)], ...] = Field(
        default=(0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0), min_length=1
    )
    """Width multipliers of the competing spaces."""
    resolutions: tuple[Sides, ...] | None = Field(default=None, min_length=1)
    """Input sides in pixels; default: the paper's 48, 64, ... 224, scaled to the data set's ``max_resolution``. Of
    detectors also height x width, ``"128x160"``: multiples of 32; default: squares from 96 to 320."""
    neighbours: bool = False
    """Whether super network and search extend to the spaces next to the best: one step narrower, and one resolution
    below and above."""
