"""Random networks in which every kernel computes layers of many shapes: what costs of kernels are fitted on."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod

import numpy as np

from mcubuild.bench.sketch import Sketch
from mcubuild.bench.values import with_random_values
from mcubuild.ir.geometry import Pair
from mcubuild.ir.graph import Graph, Tensor
from mcubuild.ir.ops.elementwise import Add, Mul, Sub
from mcubuild.ir.ops.lookup import Lookup
from mcubuild.ir.ops.movement import Concat, Pad, Reshape, Slice, Transpose
from mcubuild.ir.ops.pool import AveragePool2D, MaxPool2D
from mcubuild.ir.ops.reduction import Mean
from mcubuild.ir.ops.resize import Resize
from mcubuild.ir.ops.softmax import Softmax
from mcubuild.ir.ops.weighted import Conv2D, DepthwiseConv2D, FullyConnected, TransposeConv2D, Weighted

NETWORKS = 5
"""That the search might draw."""
_KINDS = (
    *("pad", "dilated", "many", "transposed", "rows", "lookup", "concat", "transpose", "slice", "nearest", "bilinear"),
    *("means", "depth", "sum", "product", "softmax"),
)
"""Of operators that networks of files have, see ``_appended``."""
_MOST_ELEMENTS = 5000
"""Of a tensor that such an operator computes on."""


def _dice(seed: int) -> tuple[np.random.Generator, Callable[..., int]]:
    """What draws numbers, and what picks one of several."""
    rng = np.random.default_rng(seed)
    return rng, lambda *choices: choices[int(rng.integers(len(choices)))]


def calibration_network(seed: int, activations: int = 8) -> Graph:
    """A network of the kind that the search draws, with shapes off its grid mixed in."""
    rng, pick = _dice(seed)
    side = pick(16, 20, 23, 28)
    shape = (1, side, side + pick(0, 0, 3), pick(1, 3, 3))
    sketch = Sketch(shape, 4 if seed % 4 == 2 else 8, activations)
    last = sketch.conv("input", pick(8, 16, 24), pick(3, 3, 5), 2)
    last = sketch.conv(sketch.depthwise(last), pick(8, 16))
    for stride in (pick(1, 2), 1, 2, pick(1, 2), 1, 1):
        channels = sketch.tensors[last].shape[3]
        filters = channels if stride == 1 and rng.random() < 0.6 else pick(8, 15, 16, 24, 33, 40, 64)
        last = sketch.bottleneck(last, channels * pick(3, 4, 6), filters, pick(3, 5, 7), stride)
    last = sketch.conv(last, pick(16, 32), 3) if rng.random() < 0.5 else last
    last = sketch.fully_connected(last, pick(8, 16)) if seed % 3 == 0 else sketch.pool(last)
    sketch.fully_connected(last, pick(2, 10, 35))
    return with_random_values(sketch.graph(), seed)


def convolution_network(seed: int) -> Graph:
    """Convolutions of many shapes in a row."""
    _, pick = _dice(seed)
    sketch = Sketch((1, pick(16, 20, 27), pick(16, 20, 27), pick(1, 3)))
    last = "input"
    for _ in range(5):
        size = (pick(1, 3, 3, 5, 10), pick(1, 3, 3, 4, 5))
        last = sketch.conv(last, pick(8, 15, 16, 24, 32, 64), size, pick(1, 1, 1, 2))
    return with_random_values(sketch.graph(), seed)


def depthwise_network(seed: int) -> Graph:
    """Depthwise convolutions of many shapes in a row."""
    _, pick = _dice(seed)
    side = (32, 40, 48) if seed % 2 else (7, 8, 9)  # small maps tell what strips cost
    sketch = Sketch((1, pick(*side), pick(*side), pick(8, 12, 16, 30)))
    last = "input"
    for stride in (1, 2, 1, 1, 2, 1, 2, 1):
        last = sketch.depthwise(last, pick(3, 3, 5, 7), stride)
    return with_random_values(sketch.graph(), seed)


def small_network(seed: int) -> Graph:
    """The blocks with which networks for small inputs end: on maps of few pixels."""
    _, pick = _dice(seed)
    sketch = Sketch((1, 3 - seed % 3, 3 - seed % 3, pick(16, 40, 64)), bits=4 if seed % 6 > 2 else 8)
    last = "input"
    for _ in range(4):
        filters = pick(8, 24, 40, 64, 96)
        last = sketch.bottleneck(last, sketch.tensors[last].shape[3] * pick(3, 4, 6), filters, pick(3, 3, 5))
    sketch.fully_connected(last, 10)
    return with_random_values(sketch.graph(), seed)


def matrix_network(seed: int) -> Graph:
    """Fully connected layers of many shapes in a row."""
    rng = np.random.default_rng(seed)
    sketch = Sketch((1, int(rng.integers(30, 700))))
    last = "input"
    for _ in range(10):
        last = sketch.fully_connected(last, int(np.exp(rng.uniform(np.log(4), np.log(300)))))
    return with_random_values(sketch.graph(), seed)


def narrow_network(seed: int) -> Graph:
    """A network of one of the kinds above, with weights of 4 bits."""
    make = (convolution_network, depthwise_network, matrix_network, calibration_network)[seed % 4]
    return with_random_values(with_bits(make(seed + NETWORKS), 4), seed)


def with_bits(graph: Graph, bits: int) -> Graph:
    """The skeleton of ``graph`` with weights of ``bits`` bits."""
    names = {op.weights for op in graph.ops if isinstance(op, Weighted)}
    tensors = {name: replace(one, bits=bits) if name in names else one for name, one in graph.tensors.items()}
    return replace(graph, tensors=tensors, constants={})


def pool_network(seed: int) -> Graph:
    """Pooling of many shapes in a row."""
    rng, pick = _dice(seed)
    sketch = Sketch((1, pick(16, 23, 32), pick(16, 21, 32), pick(3, 8, 16, 20, 32)))
    last = "input"
    for stride in (1, 2, 1, 1, 1, 2, 1):
        op, window = (AveragePool2D, MaxPool2D, MaxPool2D)[pick(0, 1, 2)], pick(2, 2, 3, 3, 4)
        padded = min(sketch.tensors[last].shape[1:3]) < 9 or rng.random() < 0.5
        last = sketch.windows(last, op, (window, window), stride, padded=padded)
    sketch.pool(last)
    return with_random_values(sketch.graph(), seed)


def operator_network(seed: int) -> Graph:
    """What files have besides: one operator of each kind after the other, in random order."""
    rng, pick = _dice(seed)
    sketch = Sketch((1, pick(7, 10, 13), pick(8, 11, 12), pick(3, 8, 16)))
    last = "input"
    for step in rng.permutation(_KINDS):
        shape = sketch.tensors[last].shape
        if prod(shape) > _MOST_ELEMENTS:
            halved = (1, -(-shape[1] // 2), -(-shape[2] // 2), shape[3])
            last = sketch.emit(Slice(last, sketch.next, (0, 0, 0, 0), (1, 2, 2, 1), halved), halved)
        elif min(shape[1:3]) < 5:
            last = _resized(sketch, last, (9, 8), nearest=True)
        elif shape[3] < 3 or shape[3] > 40:
            last = sketch.conv(last, 8)
        last = _appended(sketch, last, str(step), pick)
    graph = with_random_values(sketch.graph(), seed)
    return replace(graph, ops=tuple(_sharpened(graph, op) if isinstance(op, Softmax) else op for op in graph.ops))


def _sharpened(graph: Graph, op: Softmax) -> Softmax:
    """With a beta that makes a tenth of each step of the input, whatever its scale has become."""
    quantization = graph.tensor(op.input).quantization
    assert quantization is not None
    return replace(op, beta=0.1 / quantization.scale[0])


def _appended(sketch: Sketch, last: str, step: str, pick: Callable[..., int]) -> str:
    """An operator of this kind on ``last``, an image."""
    shape = sketch.tensors[last].shape
    _, height, width, channels = shape
    if step == "pad":
        above, below, beside = pick(0, 1), pick(1, 2), pick(0, 0, 3)
        around = ((0, 0), (above, below), (1, 1), (0, beside))
        larger = (1, height + above + below, width + 2, channels + beside)
        return sketch.emit(Pad(last, sketch.next, around, 5), larger)
    if step == "dilated":
        filters, size = pick(4, 9, 16), pick(2, 3)
        weights, bias, output = sketch.weighted((filters, size, size, channels), filters)
        smaller = (1, height - 2 * (size - 2), width - 2 * (size - 2), filters)
        conv = Conv2D(last, weights, bias, output, padding=(1, 1, 1, 1), dilation=(2, 2))
        return sketch.emit(conv, smaller)
    if step == "many":
        several = pick(1, 2, 3)
        dilation, size = (2 if several == 1 else 1), pick(2, 3)
        weights, bias, output = sketch.weighted((1, size, size, channels * several), channels * several)
        inside = (height + 1 - dilation * (size - 1), width - dilation * (size - 1))
        several_each = DepthwiseConv2D(last, weights, bias, output, padding=(1, 0, 0, 0), dilation=(dilation, dilation))
        return sketch.emit(several_each, (1, *inside, channels * several))
    if step == "transposed":
        filters, size, stride = pick(3, 8), pick(2, 3, 4), pick(1, 2)
        weights, bias, output = sketch.weighted((filters, size, size, channels), filters)
        larger = (1, height * stride, width * stride, filters)
        before = (size - 1) // 2
        padding = (before, before, before, before)
        upward = TransposeConv2D(last, weights, bias, output, larger[1:3], (stride, stride), padding)
        return sketch.emit(upward, larger)
    if step == "rows":
        filters = pick(5, 8, 24)
        weights, bias, output = sketch.weighted((filters, channels), filters)
        rows = sketch.emit(FullyConnected(last, weights, bias, output), (1, height * width, filters))
        return sketch.emit(Reshape(rows, sketch.next, (1, height, width, filters)), (1, height, width, filters))
    if step in ("lookup", "concat"):
        sketch.tensors[f"{sketch.next}.table"] = Tensor(f"{sketch.next}.table", (256,))
        found = sketch.emit(Lookup(last, f"{sketch.next}.table", sketch.next), shape)
        if step == "lookup":
            return found
        axis = pick(1, 2, 3)
        joined = tuple(2 * size if k == axis else size for k, size in enumerate(shape))
        return sketch.emit(Concat((last, found), sketch.next, axis), joined)
    if step == "transpose":
        order = ((0, 2, 1, 3), (0, 1, 3, 2), (0, 3, 1, 2))[pick(0, 1, 2)]
        return sketch.emit(Transpose(last, sketch.next, order), tuple(shape[k] for k in order))
    if step == "slice":
        low, side = (pick(0, 1), pick(0, 1), pick(0, 1)), pick(1, 2)
        inner = (1, height - low[0], -(-(width - low[1]) // side), channels - low[2])
        return sketch.emit(Slice(last, sketch.next, (0, *low), (1, 1, side, 1), inner), inner)
    if step in ("nearest", "bilinear"):
        return _resized(sketch, last, (pick(6, 9, 15), pick(7, 14)), nearest=step == "nearest")
    if step == "means":
        means = sketch.emit(Mean(last, sketch.next, (1, 2)), (1, 1, 1, channels))
        return sketch.emit(Mul(last, means, sketch.next), shape)
    if step == "depth":
        means = sketch.emit(Mean(last, sketch.next, (3,)), (*shape[:3], 1))
        return sketch.emit(Sub(last, means, sketch.next), shape)
    if step == "sum":
        row = sketch.emit(Mean(last, sketch.next, (2,)), (1, height, 1, channels))
        return sketch.emit(Add(row, last, sketch.next), shape)
    if step == "product":
        return sketch.emit(Mul(last, last, sketch.next), shape)
    assert step == "softmax"
    return sketch.emit(Softmax(last, sketch.next), shape)


def _resized(sketch: Sketch, last: str, size: Pair, *, nearest: bool) -> str:
    shape = (1, *size, sketch.tensors[last].shape[3])
    return sketch.emit(Resize(last, sketch.next, size, "nearest" if nearest else "bilinear"), shape)


NETWORKS_OF: Mapping[str, tuple[Callable[[int], Graph], int]] = {
    "searched": (calibration_network, NETWORKS),
    "convolution": (convolution_network, 2),
    "depthwise": (depthwise_network, 2),
    "matrix": (matrix_network, 2),
    "narrow": (narrow_network, 12),
    "operator": (operator_network, 18),
    "pool": (pool_network, 6),
    "small": (small_network, 6),
}
"""What makes the networks of each kind, and how many."""


def calibration_networks() -> list[Graph]:
    """All of them."""
    return [make(seed) for make, count in NETWORKS_OF.values() for seed in range(count)]
