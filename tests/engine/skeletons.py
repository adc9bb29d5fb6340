"""Skeletons for tests of the planner and the estimates."""

import numpy as np

from mcubuild.bench.sketch import Sketch
from mcubuild.ir.graph import Graph


def chain_with_residuals(seed: int) -> Graph:
    """3 to 6 operators on a few pixels; residuals of one or more operators, nested at times."""
    rng = np.random.default_rng(seed)
    sketch = Sketch((1, 1, 4, int(rng.integers(1, 4))))
    chain = ["input"]
    while len(sketch.ops) < 3 or (len(sketch.ops) < 6 and rng.random() < 0.7):
        shape = sketch.tensors[chain[-1]].shape
        earlier = [name for name in chain[:-1] if sketch.tensors[name].shape == shape]
        if earlier and rng.random() < 0.6:
            chain.append(sketch.add(earlier[int(rng.integers(len(earlier)))], chain[-1]))
        elif rng.random() < 0.35:
            chain.append(sketch.depthwise(chain[-1], stride=int(rng.integers(1, 3)) if shape[2] % 2 == 0 else 1))
        else:
            chain.append(sketch.conv(chain[-1], int(rng.integers(1, 4))))
    return sketch.graph()


def branching(seed: int) -> Graph:
    """4 to 6 operators; every one reads whatever was computed before."""
    rng = np.random.default_rng(seed)
    sketch = Sketch((1, 1, 4, int(rng.integers(1, 4))))
    names = ["input"]
    for _ in range(int(rng.integers(4, 7))):
        source = names[int(rng.integers(max(len(names) - 3, 0), len(names)))]
        partners = [n for n in names if n != source and sketch.tensors[n].shape == sketch.tensors[source].shape]
        if partners and rng.random() < 0.6:
            names.append(sketch.add(source, partners[int(rng.integers(len(partners)))]))
        elif rng.random() < 0.3:
            names.append(sketch.depthwise(source))
        else:
            names.append(sketch.conv(source, int(rng.integers(1, 4))))
    return sketch.graph()
