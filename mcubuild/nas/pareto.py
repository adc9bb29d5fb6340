"""Many objectives at once: which points no other dominates, and an order over all (NSGA-II).

A point dominates another if it costs less in one objective and more in none. Source: Deb et al., A fast and elitist
multiobjective genetic algorithm: NSGA-II, IEEE Transactions on Evolutionary Computation 6 (2), 2002, section III.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def dominated(costs: Floats) -> NDArray[np.bool_]:
    """Whether point j dominates point i, at [i, j]: (N, N) of ``costs`` (N, objectives), less is better."""
    worse = np.zeros((len(costs), len(costs)), dtype=bool)
    better = np.zeros_like(worse)
    for column in costs.T:
        worse |= column[None, :] > column[:, None]
        better |= column[None, :] < column[:, None]
    return better & ~worse


def front(costs: Floats) -> NDArray[np.int64]:
    """Indexes of the points that no other dominates, ascending; equal points do not dominate each other."""
    return np.flatnonzero(~dominated(costs).any(axis=1))


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
    above = dominated(costs)
    left = np.arange(len(costs))
    ordered: list[int] = []
    while len(left):
        among = above[np.ix_(left, left)]
        first = left[~among.any(axis=1)]
        ordered += first[np.argsort(-crowding(costs[first]), kind="stable")].tolist()
        left = np.setdiff1d(left, first)
    return ordered
