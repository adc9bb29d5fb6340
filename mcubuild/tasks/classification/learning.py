"""Learning to classify: cross-entropy of logits (N, classes) and labels (N,)."""

import math
from dataclasses import dataclass, replace
from typing import Final, get_args

import numpy as np
import torch.nn.functional as F  # noqa: N812 (the name that everyone uses)
from torch import Tensor

from mcubuild.data.splits import Index, Pixels, Targets
from mcubuild.data.subject import Subject
from mcubuild.tasks import Metric
from mcubuild.tasks.classification import ACCURACY
from mcubuild.tasks.classification.amplitudes import kind_of
from mcubuild.tasks.classification.augmentation import varied
from mcubuild.tasks.interval import wilson

_MANY: Final = 10_000
"""Samples up to which pictures are varied in full. Of CIFAR-10's, 42,500 taught 40,000 weights in 5 passes 72.4 % when
they were shifted and mirrored alone, 70.4 % when varied in full; in both ways 1.8 points less than what was learned."""


@dataclass(frozen=True)
class ClassLearning:
    """Of a data set with labels."""

    kind: str
    """Of the data: a key of ``AMPLITUDES``."""
    mirror: bool = False
    """Whether left and right may change places."""
    strength: float = 1.0
    """Multiplies all amplitudes; at 0 samples are mirrored at most."""

    @classmethod
    def of(cls, index: Index) -> "ClassLearning":
        """What suits the data set with this ``index``."""
        return cls(kind_of(index), index.mirror)

    @property
    def metric(self) -> Metric:
        """The accuracy."""
        return ACCURACY

    @property
    def longest(self) -> float | None:
        """Any: no sample's gradient is longer than a wrong answer's."""
        return None

    @property
    def taught(self) -> bool:
        """It does."""
        return True

    def begin(self, bias: Tensor) -> None:
        """At 0."""

    def wanted(self, x: Pixels, y: Targets) -> Targets:
        """The targets."""
        return y

    def suited(self, samples: int) -> "ClassLearning":
        """Many pictures are varied less: networks that fit a device do not learn so many by heart.

        Sounds and series are varied in ways in which a device will meet them, whatever their number.
        """
        if self.kind not in get_args(Subject):
            return self
        return replace(self, strength=self.strength * min(1.0, math.sqrt(_MANY / samples)))

    def vary(
        self, x: Pixels, y: Targets, rng: np.random.Generator, noise: Pixels | None = None
    ) -> tuple[Pixels, Targets]:
        """Samples varied in ways that leave their class alone; ``noise`` is mixed into half of the sounds."""
        return varied(x, rng, self.kind, self.strength, noise, mirror=self.mirror), y

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        """Mean cross-entropy."""
        return F.cross_entropy(outputs, targets, label_smoothing=smoothing)

    def distillation(self, outputs: Tensor, teacher: Tensor) -> Tensor:
        """Mean cross-entropy against the probabilities of the ``teacher``'s logits."""
        return F.cross_entropy(outputs, teacher.detach().softmax(dim=1))

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of each sample."""
        return F.cross_entropy(outputs, targets, reduction="none")

    def hits(self, outputs: Tensor, targets: Tensor) -> tuple[int, int]:
        """Samples in the right class, and all."""
        return int((outputs.argmax(dim=1) == targets).sum()), len(targets)

    def score(self, outputs: Tensor, targets: Tensor) -> float:
        """The accuracy."""
        return float((outputs.argmax(dim=1) == targets).numpy().mean())

    def interval(self, outputs: Tensor, targets: Tensor) -> tuple[float, float]:
        """Wilson's, of the accuracy."""
        return wilson(self.score(outputs, targets), len(targets))

    def agreement(self, outputs: Tensor, others: Tensor) -> float | None:
        """Share of the samples that both put in the same class."""
        return float((outputs.argmax(dim=1) == others.argmax(dim=1)).numpy().mean())


LEARNING = ClassLearning
