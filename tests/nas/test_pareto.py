import numpy as np

from mcubuild.nas.search.pareto import crowding, front, order


def test_front_of_points_that_cost_less_somewhere() -> None:
    costs = np.array([[1.0, 4], [2, 2], [4, 1], [3, 3], [2, 2], [4, 4]])
    assert front(costs).tolist() == [0, 1, 2, 4]  # equal points do not dominate each other


def test_front_matches_the_definition() -> None:
    costs = np.random.default_rng(0).integers(30, size=(600, 3)).astype(float)  # more than are compared at a time
    expected = [
        i for i, one in enumerate(costs) if not any((other <= one).all() and (other < one).any() for other in costs)
    ]
    assert front(costs).tolist() == expected


def test_crowding_is_the_distance_of_neighbours() -> None:
    costs = np.array([[0.0, 4, 7], [1, 2, 7], [3, 1, 7], [4, 0, 7]])
    assert crowding(costs).tolist() == [np.inf, 3 / 4 + 3 / 4, 3 / 4 + 2 / 4, np.inf]


def test_order_is_by_front_then_by_crowding() -> None:
    costs = np.array([[5.0, 5], [0, 4], [1, 2], [3, 1], [4, 0], [6, 6], [4, 4]])
    assert order(costs) == [1, 4, 2, 3, 6, 0, 5]
    assert order(np.zeros((0, 3))) == []
