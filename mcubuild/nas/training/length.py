"""How long a training lasts: steps that follow from the amount of samples, in rounds; validation may end it earlier.

A learning rate that stays at its peak and falls to 0 in the last part of the training (warm-up, hold, decay: arXiv
2405.18392) needs no plan of the whole: once validation stops improving, it falls. With few samples a pass is a few
steps, and a network that learns for a dozen passes has learned nothing yet; with many, a few passes are all it takes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log2
from typing import Final

from mcubuild.spec.training import TrainingSettings

_BATCHES: Final = (16, 64)
"""Least and most samples a step where the spec does not say;"""
_STEPS_A_PASS: Final = 48
"""between them the largest power of two with which a pass has so many steps."""
_FULL_RATE: Final = 32
"""Samples a step below which the learning rate is smaller."""
_ROUNDS: Final = 40
"""Of a training, about: a network is judged so often, and so much is lost at most when the training is killed."""
_FEW: Final = 8
"""Rounds, or passes."""
_WARM_UP: Final = 0.1
"""Share of all steps in which the learning rate rises from 0."""
DECAY: Final = 0.3
"""Share of all steps, at the end, in which it falls to 0."""
_PATIENCE: Final = 0.25
"""Share of the rounds so far that may pass without a better validation loss before the learning rate falls."""


@dataclass(frozen=True)
class Pace:
    """Of a kind of training, for specs that say nothing of epochs."""

    passes: float
    """Over the samples, between the other two limits."""
    floor: int
    """Steps at the least."""
    ceiling: int
    """Steps at the most, but a third of the passes in any case."""

    def __add__(self, other: "Pace") -> "Pace":
        """As long as both."""
        return Pace(self.passes + other.passes, self.floor + other.floor, self.ceiling + other.ceiling)

    def __mul__(self, factor: float) -> "Pace":
        """So many times as long."""
        floor, ceiling = (max(1, round(factor * part)) for part in (self.floor, self.ceiling))
        return Pace(factor * self.passes, floor, ceiling)

    def steps(self, epoch: int) -> int:
        """Of a training in which ``epoch`` steps are a pass."""
        most = max(self.ceiling, ceil(self.passes / 3 * epoch))
        return max(self.floor, min(round(self.passes * epoch), most))


SUPERNET: Final = Pace(passes=24, floor=1000, ceiling=6000)
ALONE: Final = Pace(passes=30, floor=1500, ceiling=20_000)
"""Of the network that is built."""
COMPARED: Final = Pace(passes=8, floor=400, ceiling=3000)
"""Of each size of a published network, to find the best."""
WITH_ROUNDING: Final = Pace(passes=6, floor=300, ceiling=2000)
"""Of a network that is trained already, with the rounding of integers."""


@dataclass(frozen=True)
class Length:
    """Of one training."""

    batch: int
    """Samples a step."""
    steps: int
    """Of a round, after which the network is judged and a checkpoint written."""
    rounds: int
    """At the most."""
    patient: bool
    """Whether all rounds are run, whatever validation says."""

    @property
    def total(self) -> int:
        """Steps at the most."""
        return self.steps * self.rounds

    def ends(self, log: Sequence[Mapping[str, float]]) -> tuple[int, int]:
        """The step in which the learning rate begins to fall, and the one before which training ends, with a round.

        Both are as ``log``, with an entry for each round so far, has it: a validation loss (``val_loss``) that does not
        improve any more brings them forward.
        """
        hold = round((1 - DECAY) * self.total)
        if not self.patient:
            for done in range(1, min(len(log) + 1, ceil(hold / self.steps))):
                if _idle(log[:done], self.rounds):
                    return done * self.steps, min(self.rounds, ceil(done / (1 - DECAY))) * self.steps
        return hold, self.total

    def rate(self, peak: float, step: int, log: Sequence[Mapping[str, float]]) -> float:
        """The learning rate of a step: it rises to the peak over a tenth of all steps, and falls to 0 in the end.

        The ``peak`` is that of batches of 32 samples or more; gradients of smaller ones are noisier, and get less.
        """
        peak *= min(1.0, self.batch / _FULL_RATE)
        hold, end = self.ends(log)
        rising = (step + 1) / max(1, round(_WARM_UP * self.total))
        falling = (end - step) / max(1, end - hold)
        return peak * min(1.0, rising, falling)


def _idle(log: Sequence[Mapping[str, float]], rounds: int) -> bool:
    """Whether validation has not improved for long, after a third of all ``rounds`` at the least."""
    if len(log) < rounds / 3:
        return False
    losses = [entry["val_loss"] for entry in log]
    return len(log) - 1 - losses.index(min(losses)) > _PATIENCE * len(log)


def steps_per_epoch(samples: int, batch: int) -> int:
    """Batches in an epoch: only full ones, as batch norm suffers from small ones; or one of all samples."""
    return max(1, samples // batch)


def batch_for(settings: TrainingSettings, samples: int) -> int:
    """Samples a step: those of the spec, or as many as suit the amount."""
    if settings.batch is not None:
        return settings.batch
    least, most = _BATCHES
    fitting = 1 << int(log2(max(1, samples // _STEPS_A_PASS)))
    return max(least, min(most, fitting))


def length_of(settings: TrainingSettings, pace: Pace, samples: int) -> Length:
    """The length of a training on so many ``samples``: the spec's epochs, all of them, or what the ``pace`` gives."""
    batch = batch_for(settings, samples)
    epoch = steps_per_epoch(samples, batch)
    if settings.epochs is not None:
        return Length(batch, epoch, settings.epochs, patient=True)
    total = pace.steps(epoch)
    # Of a training of a few passes a round is a part of one, or there would be too few to judge by.
    steps = max(1, round(total / epoch / _ROUNDS)) * epoch if total >= _FEW * epoch else ceil(total / _FEW)
    return Length(batch, steps, ceil(total / steps), patient=False)
