"""[search]: the evolutionary search."""

from typing import Literal

from pydantic import Field, field_validator

from mcubuild.quantities import Seconds
from mcubuild.settings import Settings

LEAST_TAUGHT = 20
"""Networks below which an accuracy predictor would learn, and prove, nothing."""


class SearchSettings(Settings):
    """Evolution under the budget; a random search over as many networks is kept beside it."""

    population: int | None = Field(default=None, ge=4, le=1000)
    """Networks a generation; default: 24 to 50, a twentieth of the samples to judge by, which tell networks apart."""
    generations: int | None = Field(default=None, ge=1, le=1000)
    """Generations after the first, random one; fewer if six in a row bring no network that is more accurate. Default: 6
    to 15, a sixtieth of the samples to judge by."""
    parents: int | None = Field(default=None, ge=2, le=500)
    """Best networks that breed the next generation: half by mutation, half by crossover; default: a fifth of the
    population."""
    mutation: float = Field(default=0.1, gt=0, le=1)
    """Chance that a mutation re-draws a given choice (kernel, expansion, depth)."""
    objective: Literal["accuracy", "pareto"] = "accuracy"
    """What evolution breeds for: "accuracy" alone, or "pareto": accuracy against latency, SRAM and Flash."""
    predictor: int = Field(default=0, ge=0, le=100_000)
    """Networks that teach an accuracy predictor, 20 or more; then evolution asks that, and only the best ``population``
    that it bred are evaluated. For data sets on which an evaluation takes seconds. 0: every network is evaluated."""
    calibration: int = Field(default=128, ge=16)
    """Training samples that re-estimate a candidate's batch-norm statistics."""
    time: Seconds | None = Field(default=None, ge=10)
    """Time for the race, the super network, the search and the fine-tuning together on this machine: all are made so
    much shorter or longer. Default: as long as it pays, which is told before it begins."""
    choose: str | None = None
    """Build this network of those that the search evaluated, by its key in the report or search.json; default: the most
    accurate one."""

    @field_validator("predictor")
    @classmethod
    def _enough(cls, value: int) -> int:
        if 0 < value < LEAST_TAUGHT:
            raise ValueError(f"must be 0 or at least {LEAST_TAUGHT} networks (found {value})")
        return value

    def sized(self, judged: int) -> "SizedSearch":
        """The settings with all numbers, for so many samples to judge by."""
        population = self.population or min(50, max(24, judged // 20))
        sizes = {
            "population": population,
            "generations": self.generations or min(15, max(6, judged // 60)),
            "parents": self.parents or max(2, population // 5),
        }
        return SizedSearch.model_validate(self.model_dump() | sizes)


class SizedSearch(SearchSettings):
    """Settings in which no number is left open."""

    population: int
    generations: int
    parents: int
