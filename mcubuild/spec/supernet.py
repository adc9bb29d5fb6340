"""[supernet]: how the weight-shared super network is trained."""

from pydantic import Field

from mcubuild.settings import Settings


class SupernetSettings(Settings):
    """Training of the super network with the sandwich rule and distillation from the largest network."""

    epochs: int = Field(default=12, ge=1, le=10_000)
    """Passes over the training samples."""
    batch: int = Field(default=64, ge=2, le=4096)
    """Samples a step."""
    learning_rate: float = Field(default=0.1, gt=0, le=10)
    """Peak learning rate; linear warm-up over a tenth of the steps, then cosine decay to 0."""
    subnets: int = Field(default=1, ge=0, le=16)
    """Random sub-networks a step, besides the largest and the smallest."""
