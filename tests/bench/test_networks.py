"""The networks that are compared."""

import numpy as np
import pytest

from mcubuild.bench.networks import NAMES, mobile_80, network
from mcubuild.ir.ops.weighted import DepthwiseConv2D


def test_the_network_of_the_search_space() -> None:
    graph = mobile_80()
    assert graph.tensor(graph.inputs[0]).shape == (1, 80, 80, 3)
    assert 11e6 <= graph.macs() <= 12e6
    depthwise = [op for op in graph.ops if isinstance(op, DepthwiseConv2D)]
    assert {graph.tensor(op.weights).shape[1] for op in depthwise} == {3, 5, 7}


def test_values_are_always_the_same() -> None:
    one, other = network("mbv2-w0.3-r64"), network("mbv2-w0.3-r64")
    assert one.constants.keys() == other.constants.keys()
    for name, values in one.constants.items():
        np.testing.assert_array_equal(values, other.constants[name])


@pytest.mark.parametrize(("name", "millions"), [("mbv2-w0.35-r144", 23.5), ("proxyless-w0.3-r176", 38.3)])
def test_baselines_have_the_published_work(name: str, millions: float) -> None:
    assert name in NAMES
    assert network(name).macs() / 1e6 == pytest.approx(millions, rel=0.05)
