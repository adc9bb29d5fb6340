"""[supernet]: how the weight-shared super network is trained."""

from typing import Literal

from pydantic import Field, model_validator

from mcubuild.spec.training import TrainingSettings


class SupernetSettings(TrainingSettings):
    """Training of the super network, with distillation from its largest network."""

    epochs: int | None = Field(default=None, ge=1, le=10_000)
    """Passes over the training samples; default: 24, but at least 1,000 steps and at most 6,000, or 8 passes if those
    are more; fewer if validation stops improving."""
    learning_rate: float = Field(default=0.1, gt=0, le=10)
    """Peak learning rate, reached over a tenth of the steps; over the last three tenths it falls to 0. Batches
    below 32 samples have proportionally less."""
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    """Share of the labels' probability that is spread over all classes."""
    schedule: Literal["sandwich", "shrinking"] = "sandwich"
    """"sandwich": largest, smallest and random networks in every step, taught by the largest. "shrinking": the largest
    alone, then random ones with smaller kernels, too, then fewer blocks, too, then narrower blocks, too; 4 epochs or
    more."""
    subnets: int = Field(default=1, ge=0, le=16)
    """Random sub-networks a step, besides the largest and the smallest (shrinking: besides one)."""
    kernel_transform: bool = False
    """Whether smaller kernels are learned linear maps of the larger one's centre, instead of the centre itself."""
    processes: int = Field(default=1, ge=1, le=64)
    """Processes that share each batch, one a GPU where there are any; ``batch`` must be a multiple."""

    @model_validator(mode="after")
    def _consistent(self) -> "SupernetSettings":
        if self.schedule == "shrinking" and self.epochs is not None and self.epochs < 4:
            raise ValueError(f'schedule = "shrinking" needs 4 epochs or more (found {self.epochs}); raise epochs')
        if self.batch is not None and (self.batch % self.processes or self.batch < 2 * self.processes):
            raise ValueError(
                f"batch must be a multiple of processes, 2 samples each or more (found {self.batch} and "
                f"{self.processes}); write batch = {64 * self.processes}"
            )
        return self
