"""[quantize]: from floating point to integers."""

from typing import Literal

from pydantic import Field

from mcubuild.spec.training import TrainingSettings


class QuantizeSettings(TrainingSettings):
    """Post-training quantisation, and quantisation-aware fine-tuning where that loses too much."""

    samples: int = Field(default=256, ge=16)
    """Training samples that calibrate the ranges of activations, and batch norm where weights have 4 bits."""
    method: Literal["minmax", "percentile"] = "percentile"
    """Range of an activation: all that was seen, or the central 99.99 % of it."""
    tolerance: float = Field(default=0.01, ge=0, le=1)
    """Accuracy, as a share of the validation samples, that integers may lose against floating point before the network
    is fine-tuned with its rounding."""
    epochs: int | None = Field(default=None, ge=0, le=10_000)
    """Passes over the training samples of that fine-tuning; 0: none, whatever is lost. Default: 6, but at least 300
    steps and at most 2,000, or 2 passes if those are more; fewer if validation stops improving."""
    learning_rate: float = Field(default=0.03, gt=0, le=10)
    """Peak learning rate of it, reached over a tenth of the steps; over the last three tenths it falls to 0. Batches
    below 32 samples have proportionally less."""
    label_smoothing: float = Field(default=0, ge=0, lt=1)
    """Share of the labels' probability that is spread over all classes."""
