"""Learning to reconstruct windows: mean squared errors of outputs (N, values, 1, 1).

Targets (N, 2 + values) are label, recording and the window itself, as levels 0 ... 255.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mcubuild.data.splits import Index, Pixels, Targets
from mcubuild.tasks import Metric
from mcubuild.tasks.anomaly_detection import AUC
from mcubuild.tasks.anomaly_detection.roc import area, explained, interval, of_recordings

_UNIT: Final = 0.1
"""Error whose square is a loss of 1, as a share of a value's range: gradients are then as long as a classifier's."""
_NEAR: Final = 0.05
"""Error up to which a value counts as reconstructed."""
_KNOWN: Final = 2
"""Columns of targets before the window."""


@dataclass(frozen=True)
class ReconstructionLearning:
    """Of a data set with normal recordings."""

    @classmethod
    def of(cls, index: Index) -> "ReconstructionLearning":
        """The same for all."""
        return cls()

    @property
    def metric(self) -> Metric:
        """The area under the ROC curve."""
        return AUC

    @property
    def longest(self) -> float | None:
        """Any."""
        return None

    def suited(self, samples: int) -> "ReconstructionLearning":
        """As it is: windows are not varied by their number."""
        return self

    @property
    def taught(self) -> bool:
        """It does."""
        return True

    def begin(self, bias: Tensor) -> None:
        """At 0."""

    def wanted(self, x: Pixels, y: Targets) -> Targets:
        """Label, recording, and the window."""
        return np.hstack([y, x.reshape(len(x), -1)]).astype(np.float32)

    def vary(
        self, x: Pixels, y: Targets, rng: np.random.Generator, noise: Pixels | None = None
    ) -> tuple[Pixels, Targets]:
        """Windows as they are: whatever differs from them is anomalous."""
        return x, self.wanted(x, y)

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        """The mean over windows."""
        return self.losses(outputs, targets).mean()

    def distillation(self, outputs: Tensor, teacher: Tensor) -> Tensor:
        """The mean squared difference from the teacher's reconstruction."""
        return ((outputs - teacher.detach()) / _UNIT).square().mean()

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean squared error of each window."""
        return (_errors(outputs, targets) / _UNIT).square().mean(dim=1)

    def hits(self, outputs: Tensor, targets: Tensor) -> tuple[int, int]:
        """Values that come near, and all."""
        errors = _errors(outputs, targets)
        return int((errors.abs() < _NEAR).sum()), errors.numel()

    def score(self, outputs: Tensor, targets: Tensor) -> float:
        """The area under the ROC curve; among normal recordings alone, the share of the variance that is explained."""
        known = area(*_judged(outputs, targets))
        if known is not None:
            return known
        values = targets[:, _KNOWN:].double() / 255
        spread = (values - values.mean(dim=0)).square().sum()
        return explained(_errors(outputs, targets).double().square().sum().item(), spread.item())

    def interval(self, outputs: Tensor, targets: Tensor) -> tuple[float, float]:
        """Of the area."""
        scores, labels = _judged(outputs, targets)
        normal = int((labels == 0).sum())
        return interval(area(scores, labels) or 0.0, normal, len(labels) - normal)

    def agreement(self, outputs: Tensor, others: Tensor) -> float | None:
        """Not defined: reconstructions differ a little."""
        return None


def _errors(outputs: Tensor, targets: Tensor) -> Tensor:
    """Differences (N, values) of outputs from windows, as shares of their values' ranges."""
    return outputs.flatten(1) - targets[:, _KNOWN:].to(outputs.dtype) / 255


def _judged(outputs: Tensor, targets: Tensor) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    errors = _errors(outputs, targets).double().square().mean(dim=1)
    return of_recordings(errors.cpu().numpy(), targets[:, :_KNOWN].cpu().to(torch.int64).numpy())


LEARNING = ReconstructionLearning
