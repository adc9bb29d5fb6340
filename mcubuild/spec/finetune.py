"""[finetune]: training of the network that the search chose."""

from pydantic import Field

from mcubuild.spec.training import TrainingSettings


class FinetuneSettings(TrainingSettings):
    """Fine-tuning from the inherited weights, taught by the super network's largest network, too, but for detectors."""

    epochs: int | None = Field(default=None, ge=0, le=10_000)
    """Passes over the training samples, and over the validation samples where those were drawn from them; 0 keeps the
    inherited weights with batch norm recalibrated. Default: 30, but at least 1,500 steps and at most 20,000, or 10
    passes if those are more; where validation samples are kept apart, fewer if these stop improving."""
    learning_rate: float = Field(default=0.05, gt=0, le=10)
    """Peak learning rate, reached over a tenth of the steps; over the last three tenths it falls to 0. Batches
    below 32 samples have proportionally less."""
    label_smoothing: float = Field(default=0, ge=0, lt=1)
    """Share of the labels' probability that is spread over all classes."""
