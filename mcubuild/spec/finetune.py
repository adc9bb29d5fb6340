"""[finetune]: training of the network that the search chose."""

from pydantic import Field

from mcubuild.settings import Settings


class FinetuneSettings(Settings):
    """Fine-tuning from the inherited weights, distilled from the super network's largest network."""

    epochs: int = Field(default=6, ge=0, le=10_000)
    """Passes over the training samples; 0 keeps the inherited weights with batch norm recalibrated."""
    learning_rate: float = Field(default=0.05, gt=0, le=10)
    """Peak learning rate; linear warm-up over a tenth of the steps, then cosine decay to 0."""
    batch: int = Field(default=64, ge=2, le=4096)
    """Samples a step."""
