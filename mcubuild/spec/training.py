"""What the settings of [supernet], [finetune] and [quantize] have in common."""

from pydantic import Field

from mcubuild.settings import Settings


class TrainingSettings(Settings):
    """Stochastic gradient descent: the learning rate rises, stays at its peak, and falls to 0."""

    epochs: int | None
    learning_rate: float
    label_smoothing: float
    batch: int | None = Field(default=None, ge=2, le=4096)
    """Samples a step; default: 16 to 64, as suits the amount of samples."""
    ema: float = Field(default=0, ge=0, lt=1)
    """Decay, a step, of an exponential moving average of the weights that replaces them in the end; 0: none."""
