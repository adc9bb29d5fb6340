"""Operators that keep something from run to run by themselves."""

from collections.abc import Mapping

import numpy as np

from mcubuild.importers.builder import DTYPES, Node, UnsupportedError, activation_scale, describe
from mcubuild.importers.operators.converter import Converter
from mcubuild.importers.tflite_file import FileTensor
from mcubuild.ir.geometry import Shape
from mcubuild.ir.graph import Dtype, Quantization, Tensor
from mcubuild.ir.ops.lstm import Lstm
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


def _lstm(node: Node) -> None:
    """Operands by number: 0 input; weights of four gates (input, forget, cell, output) 1 for it, 5 for hidden values.

    9 peepholes; 12 biases of the gates; 16 a projection; 18 hidden and cell; 20 layer normalisation.
    """
    _is_keras(node)
    builder, tensor = node.builder, node.input(0)
    timed = node.option("TimeMajor")
    if len(tensor.shape) != 3 or tensor.shape[1 if timed else 0] != 1:
        raise UnsupportedError(f"reads {describe(tensor)}, must be {'(T, 1, I)' if timed else '(1, T, I)'}")
    if not tensor.dtype == node.output.dtype == node.input(18).dtype:
        raise UnsupportedError("its input, its hidden state and its result must have one type")
    steps, inputs, units = tensor.shape[0 if timed else 1], tensor.shape[2], node.input(18).elements
    x = builder.view(node.activation(0), (1, steps, inputs))
    hidden = own_variable(node, 18, (1, units), (tensor.dtype,))
    cell = own_variable(node, 19, (1, units), ("INT16",))
    bias_type = "INT64" if tensor.dtype == "INT16" else "INT32"
    weights = _gates(node, "weights", [1, 2, 3, 4], (units, inputs), "INT8")
    recurrent = _gates(node, "recurrent", [5, 6, 7, 8], (units, units), "INT8")
    bias = _gates(node, "bias", [12, 13, 14, 15], (units,), bias_type)
    clip = node.real_option("CellClip")
    if not clip >= 0:
        raise ValueError(f"has cell clip {clip}, must not be negative")
    if builder.quantization(hidden) != activation_scale(node.output):
        raise UnsupportedError("its hidden state and its result must share scale and zero point")
    builder.emit(lambda out: Lstm(x, hidden, cell, weights, recurrent, bias, out, clip), node.output)


def _is_keras(node: Node) -> None:
    """Refuse what Keras' layer does not have, as TensorFlow Lite Micro does."""
    more = {"peepholes": (9, 10, 11), "a projection": (16, 17), "layer normalisation": (20, 21, 22, 23)}
    found = [name for name, places in more.items() if any(node.optional_input(place) for place in places)]
    if found:
        raise UnsupportedError(f"has {' and '.join(found)}, which TensorFlow Lite Micro does not compute")
    if node.option("FusedActivationFunction") != 4:
        raise UnsupportedError(f"has activation {node.option('FusedActivationFunction')}, must be 4 (TANH)")


def _gates(node: Node, name: str, places: list[int], shape: Shape, dtype: str) -> str:
    """One constant of the four gates, one behind the other; weights with a scale each row.

    Raises:
        UnsupportedError: one is computed, or its type or quantisation.
        ValueError: its shape.
    """
    tensors = [node.input(place) for place in places]
    for tensor in tensors:
        if tensor.values is None or tensor.dtype != dtype:
            raise UnsupportedError(f"reads {describe(tensor)}, must be a constant of {dtype}")
        if tensor.shape != shape:
            raise ValueError(f"reads {describe(tensor)}, must be {shape}")
        if dtype == "INT8" and (len(tensor.scale) != 1 or any(tensor.zero_point)):
            raise UnsupportedError(f"its weights, {describe(tensor)}, must have one scale and zero point 0")
    values = np.concatenate([tensor.values for tensor in tensors])[None]
    quantization, bits = None, 8
    if dtype == "INT8":
        quantization = Quantization(tuple(tensor.scale[0] for tensor in tensors for _ in range(shape[0])), 0, 1)
    else:
        bits = 32 if dtype == "INT32" else 64
    made = Tensor(f"t{node.output.index}.{name}", values.shape, _DTYPES[dtype], bits, quantization)
    return node.builder.constant(made, values.astype(_DTYPES[dtype]))


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


_DTYPES: Mapping[str, Dtype] = {"INT8": "int8", "INT32": "int32", "INT64": "int64"}

CONVERTERS: Mapping[str, Converter] = {
    "UNIDIRECTIONAL_SEQUENCE_LSTM": Converter(
        _lstm, limits="a batch of one; Keras' layer: no peepholes, projection or layer normalisation"
    ),
    "SVDF": Converter(_svdf, types=("INT8", "INT16"), limits="a batch of one; state of INT8 or INT16; a bias"),
}
