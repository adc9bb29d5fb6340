"""quantize_log.json: what the network lost to integers, and what fine-tuning with their rounding brought back."""

from typing import Literal, TypeAlias

from mcubuild.artifacts import Artifact

QUANTIZED = "quantize_log.json"
Real: TypeAlias = float


class Quantized(Artifact, frozen=True):
    """The whole file; scores on the validation samples, 0 ... 1."""

    samples: int
    """Validation samples."""
    float: Real
    calibrated: Real
    """In integers, after calibration alone."""
    learned: Real | None
    """After fine-tuning with the rounding of integers; None: the loss was tolerable."""
    kept: Literal["calibrated", "learned"]
    """Which of the two was built."""
    tolerance: Real
    """Loss from which on networks are fine-tuned."""
    epochs: list[dict[str, Real]]
    """The log of the fine-tuning, by the names of figures."""

    @property
    def built(self) -> Real:
        """The score of what was built."""
        return self.calibrated if self.learned is None or self.kept == "calibrated" else self.learned
