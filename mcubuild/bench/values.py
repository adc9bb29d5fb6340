"""Random constants and plausible scales for skeletons: what the code generator needs, without any training."""

from dataclasses import replace

import numpy as np

from mcubuild.ir.graph import Graph, Quantization, Tensor
from mcubuild.ir.ops.elementwise import Elementwise, Mul
from mcubuild.ir.ops.lookup import Lookup
from mcubuild.ir.ops.reduction import Mean
from mcubuild.ir.ops.softmax import Softmax
from mcubuild.ir.ops.weighted import Weighted

_WIDENING, _NARROWING = 1.5, 0.35
"""Steps of an output relative to those of its input: inputs fill their range, and so it stays layer by layer."""
_WIDER = 17
"""Steps of 8 bits in one of 4."""
_MIDDLE = 64
"""Steps of one operand that a product's other one is multiplied by to get the output's step."""


def with_random_values(skeleton: Graph, seed: int = 0) -> Graph:
    """``skeleton`` with random weights and biases, and scales that keep outputs of random inputs in the int8 range.

    Weights are normally distributed, and the largest of each filter fills its bits: as those of trained networks are.
    """
    rng = np.random.default_rng(seed)
    tensors: dict[str, Tensor] = dict(skeleton.tensors)
    constants: dict[str, np.ndarray] = {}

    def step(name: str) -> float:
        """The scale, as of 8 bits."""
        quantization = tensors[name].quantization
        assert quantization is not None
        return quantization.scale[0] / (_WIDER if tensors[name].packed else 1)

    def set_activation(name: str, scale: float, zero_point: int) -> None:
        if tensors[name].packed:
            scale, zero_point = _WIDER * scale, round(zero_point / _WIDER)
        set_quantization(name, scale, zero_point)

    def set_quantization(name: str, scale: float | tuple[float, ...], zero_point: int, axis: int | None = None) -> None:
        scales = scale if isinstance(scale, tuple) else (float(np.float32(scale)),)
        tensors[name] = replace(tensors[name], quantization=Quantization(scales, zero_point, axis))

    for name in skeleton.inputs:
        set_quantization(name, 1 / 255, -128)
    for op in skeleton.ops:
        if isinstance(op, Weighted):
            weights, filters = tensors[op.weights], tensors[op.bias].elements
            largest = 2 ** (weights.bits - 1) - 1
            axis = op.channel_axis
            drawn = rng.normal(size=(filters, weights.elements // filters))
            drawn = np.rint(drawn * largest / abs(drawn).max(axis=1, keepdims=True)).astype(np.int8)
            shape = (filters, *np.delete(weights.shape, axis))
            constants[op.weights] = np.ascontiguousarray(np.moveaxis(drawn.reshape(shape), 0, axis))
            constants[op.bias] = rng.integers(-2000, 2000, filters).astype(np.int32)
            norms = np.sqrt(3 * np.square(drawn, dtype=np.float64).sum(axis=1))
            scales = tuple(float(np.float32(s)) for s in rng.uniform(0.5, 1, filters) / norms)
            set_quantization(op.weights, scales, 0, axis)
            widening = _WIDENING if op.input in skeleton.inputs else _NARROWING
            set_activation(op.output, widening * step(op.input), int(rng.integers(-20, 20)))
        elif isinstance(op, Elementwise):
            left, right = step(op.left), step(op.right)
            together = _MIDDLE * left * right if isinstance(op, Mul) else None
            set_activation(op.output, together or np.hypot(left, right), int(rng.integers(-20, 20)))
        elif isinstance(op, Softmax):
            set_quantization(op.output, 1 / 256, -128)
        else:
            if isinstance(op, Lookup):
                constants[op.table] = rng.permutation(np.arange(-128, 128)).astype(np.int8)
            tensors[op.output] = replace(tensors[op.output], quantization=tensors[op.operands[0]].quantization)
            if isinstance(op, Mean) and tensors[op.input].packed:
                set_activation(op.output, step(op.input), int(rng.integers(-20, 20)))
    return skeleton.with_values(tensors, constants)
