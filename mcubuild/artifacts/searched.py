"""search.json: the networks that a search looked at, and which of them it chose."""

from typing import Literal, TypeAlias

from mcubuild.artifacts import Artifact

SEARCHED = "search.json"
Method: TypeAlias = Literal["evolution", "random"]


class Evaluated(Artifact, frozen=True):
    """A network, what it is good for and what it needs by the engine's estimates."""

    key: str
    """What names it in its space, as ``search.choose`` takes it."""
    method: Method
    """What came upon it."""
    generation: int
    accuracy: float
    """The task's score on the validation samples, 0 ... 1."""
    loss: float
    """On the same."""
    macs: int
    """Multiply-accumulates."""
    sram: int
    """Bytes."""
    flash: int
    """Bytes."""
    cycles: float
    latency: float
    """Seconds, at the longest."""


class Ceilings(Artifact, frozen=True):
    """What networks had to stay below: bytes and seconds; None: nothing."""

    sram: int | None
    flash: int | None
    latency: float | None


class PredictorQuality(Artifact, frozen=True):
    """How far to trust a predictor of accuracies."""

    taught: int
    """Networks that it learned from."""
    held_out: int
    """Networks that it had not met, for ``rank_correlation``."""
    rank_correlation: float | None
    """Spearman's, of predicted and evaluated accuracy; None where all are equal."""


class Searched(Artifact, frozen=True):
    """The whole file."""

    limits: Ceilings
    objective: Literal["accuracy", "pareto"]
    predictor: PredictorQuality | None
    """None: every network was evaluated."""
    chosen: Evaluated
    front: tuple[Evaluated, ...]
    """Those that no other beats in accuracy, latency, SRAM and Flash, the most accurate first."""
    best_by_generation: dict[Method, tuple[float, ...]]
    """The best accuracy up to each generation."""
    evaluations: dict[Method, tuple[Evaluated, ...]]
    """In the order in which they were looked at."""
