"""A small network that predicts a network's accuracy from its choices (once-for-all, arXiv 1908.09791, section 3.4)."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the name that everyone uses)
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import Tensor, nn

from mcubuild.artifacts.searched import PredictorQuality
from mcubuild.nas.space.arch import Arch, to_genes
from mcubuild.nas.space.family import Family

_HIDDEN = 128
_STEPS = 150
_LEARNING_RATE = 3e-3
_WEIGHT_DECAY = 1.0
_HELD_OUT = 5
"""Of so many networks one is kept from the predictor, to see how well it orders networks that it has not met."""


def one_hot(family: Family, archs: Sequence[Arch]) -> NDArray[np.float32]:
    """The genes of each network, a column for every value that one may have: (N, columns) of 0 and 1.

    Width and resolution come last. Blocks that a network does not have are all 0.
    """
    options = family.largest.options
    absent = [0] * len(options)  # no option of any gene
    genes = [to_genes(arch, absent) for arch in archs]
    columns = [[gene[index] == value for gene in genes] for index, values in enumerate(options) for value in values]
    columns += [[arch.space.width == width for arch in archs] for width in family.widths]
    columns += [[arch.resolution == side for arch in archs] for side in family.resolutions]
    return np.array(columns, dtype=np.float32).T


class Predictor:
    """Accuracy from choices."""

    def __init__(self, family: Family, network: nn.Module, mean: float, spread: float) -> None:
        self._family, self._network, self._mean, self._spread = family, network, mean, spread

    @torch.no_grad()
    def __call__(self, archs: Sequence[Arch]) -> list[float]:
        """Predicted accuracies; nothing keeps them between 0 and 1."""
        scaled: Tensor = self._network(torch.from_numpy(one_hot(self._family, archs)))[:, 0]
        return [self._mean + self._spread * value for value in scaled.tolist()]


def learn(
    family: Family, archs: Sequence[Arch], accuracies: Sequence[float], seed: int
) -> tuple[Predictor, PredictorQuality]:
    """A predictor taught by four fifths of ``archs`` and their ``accuracies``, judged by the others.

    Its bits depend on arguments alone where operations have one thread.
    """
    held_out = np.arange(len(archs)) % _HELD_OUT == _HELD_OUT - 1
    x, y = torch.from_numpy(one_hot(family, archs)), np.array(accuracies)
    mean, spread = float(y[~held_out].mean()), float(y[~held_out].std()) or 1.0
    goal = torch.from_numpy((y[~held_out] - mean) / spread).float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(
            nn.Linear(x.shape[1], _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, 1)
        )
    optimiser = torch.optim.AdamW(network.parameters(), _LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, _STEPS)
    for _ in range(_STEPS):
        optimiser.zero_grad()
        F.mse_loss(network(x[~held_out])[:, 0], goal).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    predictor = Predictor(family, network, mean, spread)
    guessed = predictor([arch for arch, kept in zip(archs, held_out.tolist(), strict=True) if kept])
    return predictor, PredictorQuality(
        int((~held_out).sum()), int(held_out.sum()), _rank_correlation(guessed, y[held_out])
    )


def _rank_correlation(one: Sequence[float], other: NDArray[np.float64]) -> float | None:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(spearmanr(one, other).statistic)
