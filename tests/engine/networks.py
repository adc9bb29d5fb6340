"""Networks with what breaks engines: odd sizes, fused blocks, odd kernels, inputs that are fed."""

import numpy as np

from mcubuild.bench.sketch import Sketch
from mcubuild.bench.values import with_random_values
from mcubuild.ir.graph import Graph


def packed_mobile(seed: int) -> Graph:
    """The same with activations of 4 bits."""
    return mobile(seed, activations=4)


def mobile(seed: int, activations: int = 8) -> Graph:
    """Inverted bottlenecks on maps of odd sizes: 3x3 to 7x7, strides, residuals, with and without expansion."""
    rng = np.random.default_rng(seed)
    shape = (1, int(rng.integers(9, 34)), int(rng.integers(4, 12)), int(rng.integers(1, 4)))
    sketch = Sketch(shape, activations=activations)
    last = sketch.conv("input", int(rng.integers(2, 9)), 3, int(rng.integers(1, 3)))
    for _ in range(int(rng.integers(2, 6))):
        channels = sketch.tensors[last].shape[3]
        kernel, stride = int(rng.choice((3, 5, 7))), int(rng.choice((1, 1, 2)))
        if rng.random() < 0.25:
            last = sketch.conv(sketch.depthwise(last, kernel, stride), int(rng.integers(2, 13)))
        elif rng.random() < 0.2:
            last = sketch.conv(sketch.depthwise(sketch.depthwise(last, kernel), 3, stride), channels, 3)
        else:
            filters = channels if stride == 1 and rng.random() < 0.6 else int(rng.integers(2, 13))
            last = sketch.bottleneck(last, channels * int(rng.integers(2, 5)), filters, kernel, stride)
    sketch.fully_connected(sketch.pool(last), 5)
    return with_random_values(sketch.graph(), seed)


def odd_shapes(seed: int, bits: int) -> Graph:
    """Every depth of the loops, widths below and above four pixels, odd channels, padding on each side."""
    rng = np.random.default_rng(seed)

    def pick(*choices: int) -> int:
        return choices[int(rng.integers(len(choices)))]

    sketch = Sketch((1, pick(5, 9, 12), pick(3, 4, 7, 10), pick(1, 2, 3, 5)), bits)
    last = sketch.conv("input", pick(7, 12, 33), (pick(1, 3, 10), pick(2, 3, 4)), pick(1, 2))
    last = sketch.conv(last, pick(2, 3, 26, 49))
    last = sketch.conv(last, pick(5, 18, 70))
    last = sketch.conv(last, pick(2, 9, 34), (pick(1, 2, 3), 3), pick(1, 2))
    last = sketch.conv(last, pick(4, 15))
    last = sketch.fully_connected(last, pick(2, 5, 9, 40))
    sketch.fully_connected(last, pick(1, 2, 3, 4, 6, 7))
    return with_random_values(sketch.graph(), seed)


def keyword_like() -> Graph:
    """Three layers of 1x1 whose constants the STM32F746's 4 kB of data cache cannot keep."""
    sketch = Sketch((1, 12, 8, 64))
    last = sketch.conv(sketch.conv(sketch.conv("input", 64), 64), 64)
    sketch.fully_connected(sketch.pool(last), 5)
    return with_random_values(sketch.graph())


def image_network() -> Graph:
    """An image that is large beside all else."""
    sketch = Sketch((1, 41, 40, 3))
    last = sketch.conv("input", 8, 5, 2)
    last = sketch.bottleneck(last, 24, 8, 3, 2)
    last = sketch.bottleneck(last, 24, 8)
    sketch.fully_connected(sketch.pool(last), 5)
    return with_random_values(sketch.graph())
