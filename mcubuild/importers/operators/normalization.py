"""Normalisation by a run's own activations, of which TensorFlow Lite has no operator: from other formats alone."""

from collections.abc import Mapping

import numpy as np

from mcubuild.importers.builder import Node, describe
from mcubuild.importers.operators.converter import Converter
from mcubuild.ir.graph import Dtype, Quantization, Tensor
from mcubuild.ir.ops.normalize import Normalize


def _normalization(node: Node) -> None:
    """Operands: activation, weights INT16 with one scale, biases INT32."""
    x = node.activation(0)
    weight, bias = _constant(node, 1, "int16"), _constant(node, 2, "int32")
    sizes = node.option("Pixels"), node.option("Groups"), node.option("Channels")
    epsilon, centred = node.real_option("Epsilon"), bool(node.option("Centred"))
    node.builder.emit(lambda out: Normalize(x, weight, bias, out, *sizes, epsilon, centred), node.output)


def _constant(node: Node, position: int, dtype: Dtype) -> str:
    tensor = node.input(position)
    if tensor.values is None or tensor.values.dtype != dtype:
        raise ValueError(f"reads {describe(tensor)}, must be a constant of {dtype}")
    quantization = Quantization(tensor.scale) if tensor.scale else None
    bits = 32 if dtype == "int32" else 8
    made = Tensor(node.builder.name_of(tensor), (1, tensor.elements), dtype, bits, quantization)
    return node.builder.constant(made, np.ascontiguousarray(tensor.values.reshape(1, -1)))


CONVERTERS: Mapping[str, Converter] = {"NORMALIZATION": Converter(_normalization, types=("INT8",), own=True)}
