"""What the settings of [supernet], [finetune] and [quantize] have in common."""

from pydantic import Field

from mcubuild.settings import Settings


class TrainingSettings(Settings):
    """Stochastic gradient descent with a cosine schedule."""

    epochs: int
    learning_rate: float
    label_smoothing: float
    batch: int = Field(default=64, ge=2, le=4096)
    """Samples a step."""
    ema: float = Field(default=0, ge=0, lt=1)
    """Decay, a step, of an exponential moving average of the weights that replaces them in the end; 0: none."""
