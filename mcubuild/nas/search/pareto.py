"""Many objectives at once: which points no other dominates, and an order over all (NSGA-II).

A point dominates another if it costs less in one objective and more in none. Source: Deb et al., A fast and elitist
multiobjective genetic algorithm: NSGA-II, IEEE Transactions on Evolutionary Computation 6 (2), 2002, section III.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


_AT_ONCE = 256
"""Points that are compared with all others at a time: memory grows with the number of points, not with its square."""


def dominated(costs: Floats, by: Floats) -> NDArray[np.bool_]:
    """Whether point j of ``by`` (M, objectives) dominates point i of ``costs`` (N, objectives), at [i, j]."""
    worse = np.zeros((len(costs), len(by)), dtype=bool)
    better = np.zeros_like(worse)
    for own, other in zip(costs.T, by.T, strict=True):
        worse |= other[None, :] > own[:, None]
        better |= other[None, :] < own[:, None]
    return better & ~worse


def front(costs: Floats) -> NDArray[np.int64]:
    """Indexes of the points that no other dominates, ascending; equal points do not dominate each other."""
    starts = range(0, len(costs), _AT_ONCE)
    beaten = [dominated(costs[start : start + _AT_ONCE], costs).any(axis=1) for start in starts]
    return np.flatnonzero(~np.concatenate(beaten))


def crowding(costs: Floats) -> Floats:
    """How far each point's neighbours are apart, summed over the objectives' ranges; infinite at the ends: (N,)."""
    distance = np.zeros(len(costs))
    for column in costs.T:
        order = np.argsort(column, kind="stable")
        values = column[order]
        spread = values[-1] - values[0]
        if spread == 0:
            continue
        distance[order[[0, -1]]] = np.inf
        distance[order[1:-1]] += (values[2:] - values[:-2]) / spread
    return distance


def order(costs: Floats) -> list[int]:
    """Indexes of all points, best first: by front (1st: undominated, 2nd: but for the 1st ...), then least crowded."""
    above = dominated(costs, costs)
    left = np.arange(len(costs))
    ordered: list[int] = []
    while len(left):
        among = above[np.ix_(left, left)]
        first = left[~among.any(axis=1)]
        ordered += first[np.argsort(-crowding(costs[first]), kind="stable")].tolist()
        left = np.setdiff1d(left, first)
    return ordered
