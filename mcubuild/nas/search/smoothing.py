"""What the evaluations of a search say together: the best of hundreds on a few validation samples is the luckiest.

The accuracy of networks that share their choices is much the same, so what a network's choices let expect is known
better than what its own evaluation says: a ridge regression of all accuracies on choices and multiply-accumulates,
as strict as leaving each network out in turn demands. Where networks differ from that by more than the few samples
explain, the rest is their own.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mcubuild.nas.search.predictor import one_hot
from mcubuild.nas.space.arch import Arch
from mcubuild.nas.space.family import Family

_STRICTNESS: Final = tuple(10.0**power for power in range(-1, 6))
"""Ridge penalties that are tried."""


def expected(
    family: Family, archs: Sequence[Arch], macs: Sequence[int], accuracies: Sequence[float], samples: int
) -> NDArray[np.float64]:
    """The accuracy to expect of each network, (N,).

    Args:
        family: the space and its neighbours.
        archs: the networks, each once.
        macs: their multiply-accumulates.
        accuracies: as evaluated, 0 ... 1, on
        samples: so many samples.
    """
    y = np.array(accuracies, np.float64)
    if len(archs) < 2 or np.ptp(y) == 0:
        return y
    size = np.log(np.array(macs, np.float64))
    x = np.column_stack([one_hot(family, archs).astype(np.float64), size, size**2])
    x = x[:, np.ptp(x, axis=0) > 0]
    x = (x - x.mean(axis=0)) / x.std(axis=0) if x.size else np.zeros((len(y), 1))
    left, values, _ = np.linalg.svd(x, full_matrices=False)
    coordinates = left.T @ (y - y.mean())

    def fitted(penalty: float) -> tuple[float, NDArray[np.float64]]:
        """The mean squared error on networks that are left out, and what all of them together let expect."""
        kept = values**2 / (values**2 + penalty)
        found = y.mean() + left @ (kept * coordinates)
        leverage = np.minimum((left**2) @ kept + 1 / len(y), 0.999)
        return float(np.mean(((y - found) / (1 - leverage)) ** 2)), found

    error, found = min((fitted(penalty) for penalty in _STRICTNESS), key=lambda one: one[0])
    by_chance = y.mean() * (1 - y.mean()) / samples
    own: NDArray[np.float64] = max(0.0, 1 - by_chance / error) * (y - found)
    return found + own
