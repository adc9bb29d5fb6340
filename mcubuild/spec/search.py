"""[search]: the evolutionary search."""

from pydantic import Field

from mcubuild.settings import Settings


class SearchSettings(Settings):
    """Evolution under the budget; a random search over as many networks is kept beside it."""

    population: int = Field(default=24, ge=4, le=1000)
    """Networks a generation."""
    generations: int = Field(default=6, ge=1, le=1000)
    """Generations after the first, random one."""
    parents: int = Field(default=6, ge=2, le=500)
    """Best networks that breed the next generation: half by mutation, half by crossover."""
    mutation: float = Field(default=0.1, gt=0, le=1)
    """Chance that a mutation re-draws a given choice (kernel, expansion, depth)."""
    calibration: int = Field(default=128, ge=16)
    """Training samples that re-estimate a candidate's batch-norm statistics."""
