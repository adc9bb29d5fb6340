"""The networks that are compared: those of papers and of the search space, with random weights."""

from collections.abc import Callable, Mapping

import numpy as np

from mcubuild.bench.values import with_random_values
from mcubuild.ir.graph import Graph
from mcubuild.nas.space.arch import Space, draw
from mcubuild.nas.space.baselines import Baseline
from mcubuild.nas.space.skeleton import skeleton
from mcubuild.resolution import square

_MACS = range(11_000_000, 12_000_001)
"""As many as mcunet-vww1 has, which peers were measured with."""


def mobile_80() -> Graph:
    """The first skeleton drawn from the space of width 0.5 at 80x80x3 that has 11 to 12 million MACs."""
    space, rng = Space(0.5, square(80), 3, 2), np.random.default_rng(0)
    while (graph := skeleton(draw(space, rng), 8)).macs() not in _MACS:
        pass
    return graph


_SKELETONS: Mapping[str, Callable[[], Graph]] = {
    "mobile-80": mobile_80,
    "mbv2-w0.35-r144": lambda: skeleton(Baseline("mobilenet_v2", 0.35, square(144), 3, 1000), 8),
    "proxyless-w0.3-r176": lambda: skeleton(Baseline("proxyless", 0.3, square(176), 3, 1000), 8),
    "mbv2-w0.3-r64": lambda: skeleton(Baseline("mobilenet_v2", 0.3, square(64), 3, 1000), 8),
}
NAMES = tuple(_SKELETONS)


def network(name: str) -> Graph:
    """The network called ``name``, one of NAMES, with random weights, always the same."""
    return with_random_values(_SKELETONS[name]())
