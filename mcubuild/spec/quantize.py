"""[quantize]: from floating point to integers."""

from typing import Literal

from pydantic import Field

from mcubuild.settings import Settings


class QuantizeSettings(Settings):
    """Post-training quantisation."""

    samples: int = Field(default=256, ge=16)
    """Training samples that calibrate the ranges of activations, and batch norm where weights have 4 bits."""
    method: Literal["minmax", "percentile"] = "percentile"
    """Range of an activation: all that was seen, or the central 99.99 % of it."""
