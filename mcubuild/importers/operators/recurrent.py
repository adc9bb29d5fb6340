"""Operators that keep something from run to run by themselves."""

from collections.abc import Mapping

import numpy as np

from mcubuild.importers.builder import DTYPES, Node, UnsupportedError, describe
from mcubuild.importers.operators.converter import Converter
from mcubuild.importers.tflite_file import FileTensor
from mcubuild.ir.geometry import Shape
from mcubuild.ir.graph import Quantization, Tensor
from mcubuild.ir.ops.svdf import Svdf


def _svdf(node: Node) -> None:
    """Operands: input, weights of features, weights of time, bias, memory."""
    feature, time = node.input(1), node.input(2)
    if len(node.input(0).shape) != 2 or node.input(0).shape[0] != 1:
        raise UnsupportedError(f"reads {describe(node.input(0))}, must be (1, inputs)")
    if (node.input(0).dtype, node.output.dtype) != ("INT8", "INT8"):
        raise UnsupportedError("reads and gives INT8 only")
    if len(feature.shape) != 2 or len(time.shape) != 2:
        raise ValueError(f"has weights {describe(feature)} and {describe(time)}, must have two axes each")
    rank, (filters, length) = node.option("Rank"), time.shape
    x = node.activation(0)
    memory = own_variable(node, 4, (1, filters, length), (time.dtype,))
    names = (
        operand(node, feature, (1, *feature.shape), ("INT8",)),
        operand(node, time, (1, *time.shape), ("INT8", "INT16")),
        operand(node, node.input(3), (1, *node.input(3).shape), ("INT32",)),
    )
    node.builder.emit(lambda out: Svdf(x, memory, *names, out, rank), node.output)


def own_variable(node: Node, position: int, shape: Shape, types: tuple[str, ...]) -> str:
    """The variable that an operand stands for, which the operator alone reads and writes.

    Raises:
        UnsupportedError: it is none, or of another type.
        ValueError: it does not have as many elements as ``shape``.
    """
    tensor = node.input(position)
    if not tensor.variable or tensor.values is not None or tensor.dtype not in types:
        raise UnsupportedError(f"keeps its state in {describe(tensor)}, must be a variable of {' or '.join(types)}")
    if node.builder.knows(tensor):
        raise UnsupportedError(f"keeps its state in {describe(tensor)}, which another operator uses, too")
    return node.builder.define_variable(tensor, shape)


def operand(node: Node, tensor: FileTensor, shape: Shape, types: tuple[str, ...]) -> str:
    """The constant for weights of one scale, or for biases.

    Raises:
        UnsupportedError: it is computed, or its type or quantisation.
    """
    if tensor.values is None or tensor.dtype not in types:
        raise UnsupportedError(f"reads {describe(tensor)}, must be a constant of {' or '.join(types)}")
    if tensor.dtype != "INT32" and (len(tensor.scale) != 1 or any(tensor.zero_point)):
        raise UnsupportedError(f"its weights, {describe(tensor)}, must have one scale and zero point 0")
    dtype = DTYPES[tensor.dtype]
    made = Tensor(
        node.builder.name_of(tensor),
        shape,
        dtype,
        bits=32 if dtype == "int32" else 8,
        quantization=Quantization(tensor.scale) if tensor.scale else None,
    )
    return node.builder.constant(made, np.ascontiguousarray(tensor.values.reshape(shape).astype(dtype)))


CONVERTERS: Mapping[str, Converter] = {
    "SVDF": Converter(_svdf, types=("INT8", "INT16"), limits="a batch of one; state of INT8 or INT16; a bias"),
}
