"""[finetune]: training of the network that the search chose."""

from pydantic import Field

from mcubuild.spec.training import TrainingSettings


class FinetuneSettings(TrainingSettings):
    """Fine-tuning from the inherited weights, distilled from the super network's largest network."""

    epochs: int = Field(default=6, ge=0, le=10_000)
    """Passes over the training samples; 0 keeps the inherited weights with batch norm recalibrated."""
    learning_rate: float = Field(default=0.05, gt=0, le=10)
    """Peak learning rate; linear warm-up over a tenth of the steps, then cosine decay to 0."""
    label_smoothing: float = Field(default=0, ge=0, lt=1)
    """Share of the labels' probability that is spread over all classes."""
