"""space_table.json, race.json and scaling.json: how search spaces, or the sizes of a published network, compared."""

from mcubuild.artifacts import Artifact
from mcubuild.resolution import Resolution

SPACE_TABLE = "space_table.json"
RACE = "race.json"
SCALING = "scaling.json"


class Macs(Artifact, frozen=True):
    """Multiply-accumulates of the sampled networks of a space that fit."""

    mean: float
    median: float
    p80: float
    """The 80th percentile: the score of the space."""
    max: float


class Smallest(Artifact, frozen=True):
    """What the smallest network of a space needs, estimated."""

    sram: int
    """Bytes."""
    flash: int
    """Bytes."""
    latency: float
    """Seconds."""
    macs: int


class ComparedSpace(Artifact, frozen=True):
    """A search space."""

    name: str
    block: str
    """What its networks are made of."""
    width: float
    resolution: Resolution
    samples: int
    """Networks that were drawn."""
    share: float
    """Of them, how many fit."""
    macs: Macs | None
    """None: none fits."""
    cdf: tuple[tuple[float, float], ...]
    """Multiply-accumulates, and the share of the networks that fit which have fewer."""
    smallest: Smallest

    @property
    def score(self) -> float:
        """The 80th percentile of the multiply-accumulates of the networks that fit; 0 if none does."""
        return 0.0 if self.macs is None else self.macs.p80


class SpaceLimits(Artifact, frozen=True):
    """What networks had to stay below: bytes, seconds and joules; None: nothing."""

    sram: int
    flash: int
    latency: float | None
    energy: float | None


class SpaceTable(Artifact, frozen=True):
    """The whole space_table.json."""

    winner: str
    """The best space by the planner's estimates alone."""
    contenders: tuple[str, ...]
    """Those that are worth a race, the winner first."""
    axes: str
    """What spaces there are, in words."""
    limits: SpaceLimits
    active_power_mw: float | None
    """The board's, where the energy is limited."""
    spaces: tuple[ComparedSpace, ...]


class Raced(Artifact, frozen=True):
    """How a contender did in a round."""

    round: int
    """From 0 on."""
    name: str
    """Of its space."""
    flash: int
    """Bytes that the network needs which stands for the space."""
    steps: int
    """Of each training."""
    folds: int
    """Trainings, on other samples each."""
    samples: int
    """That it was judged by, in all of them."""
    loss: float
    accuracy: float
    """The task's score, 0 ... 1."""


class Race(Artifact, frozen=True, omit_defaults=True):
    """The whole race.json."""

    winner: str
    rounds: tuple[Raced, ...]
    """By round, those of one by their loss; empty: a single space needed no race."""
    seconds: float | None = None
    """What it took, where a time is given."""


class ScaledSize(Artifact, frozen=True):
    """A size of a published network that fits, with the engine's estimates."""

    name: str
    width: float
    resolution: Resolution
    macs: int
    sram: int
    """Bytes."""
    flash: int
    """Bytes."""
    latency: float
    """Seconds."""
    accuracy: float | None
    """After a short training, 0 ... 1; None: there was none."""


class Scaling(Artifact, frozen=True):
    """The whole scaling.json."""

    chosen: str
    fitting: tuple[ScaledSize, ...]
