"""Islands of floating point inside a quantised network: DEQUANTIZE, functions of single elements, QUANTIZE.

What such an island computes depends on one int8 alone, so it is a table of 256 real values until it is quantised again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mcubuild.importers.builder import Node, activation_scale
from mcubuild.importers.tflite_file import FileOperator, FileTensor
from mcubuild.ir.graph import Quantization, Tensor
from mcubuild.ir.ops.lookup import Lookup

Values: TypeAlias = NDArray[np.float32]
Options: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Real:
    """A FLOAT32 tensor of the file."""

    activation: str
    """The int8 activation that it depends on."""
    values: Values
    """Its value for each int8 from -128 on, (256,)."""


def _through_double(function: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Callable[..., Values]:
    """``function``, rounded once to float32."""
    return lambda options, x: function(x.astype(np.float64)).astype(np.float32)


def _limited(low: float, high: float | None) -> Callable[..., Values]:
    ends = np.float32(low), None if high is None else np.float32(high)
    return lambda options, x: np.clip(x, *ends)


def _erf(x: NDArray[np.float64]) -> NDArray[np.float64]:
    from math import erf

    return np.array([erf(each) for each in x.ravel().tolist()]).reshape(x.shape)


FUNCTIONS: Final[Mapping[str, Callable[..., Values]]] = {
    "ABS": lambda options, x: np.abs(x),
    "ADD": lambda options, x, y: x + y,
    "COS": _through_double(np.cos),
    "DIV": lambda options, x, y: x / y,
    "ELU": lambda options, x: np.where(
        x < 0, np.float32(options.get("Alpha", 1.0)) * np.expm1(np.minimum(x, 0).astype(np.float64)), x
    ).astype(np.float32),
    "ERF": _through_double(_erf),
    "EXP": _through_double(np.exp),
    "GELU": _through_double(lambda x: x * (1 + _erf(x / sqrt(2))) / 2),
    "HARD_SWISH": _through_double(lambda x: x * np.clip(x + 3, 0, 6) / 6),
    "LEAKY_RELU": lambda options, x: np.where(x >= 0, x, x * np.float32(options.get("Alpha", 0.0))),
    "LOG": _through_double(np.log),
    "LOGISTIC": _through_double(lambda x: 1 / (1 + np.exp(-x))),
    "MAXIMUM": lambda options, x, y: np.maximum(x, y),
    "MINIMUM": lambda options, x, y: np.minimum(x, y),
    "MUL": lambda options, x, y: x * y,
    "NEG": lambda options, x: np.negative(x),
    "RELU": _limited(0, None),
    "RELU6": _limited(0, 6),
    "RELU_0_TO_1": _limited(0, 1),
    "RELU_N1_TO_1": _limited(-1, 1),
    "RSQRT": _through_double(lambda x: 1 / np.sqrt(x)),
    "SIN": _through_double(np.sin),
    "SOFTPLUS": _through_double(lambda x: np.logaddexp(0, x)),
    "SQRT": _through_double(np.sqrt),
    "SQUARE": lambda options, x: np.square(x),
    "SUB": lambda options, x, y: x - y,
    "TANH": _through_double(np.tanh),
}
"""In float32, by the schema's name (and some that it does not have): options and operands -> result."""


def is_function(op: FileOperator, tensors: Sequence[FileTensor]) -> bool:
    """Whether ``op`` computes each FLOAT32 element of those at the same place of its operands, and of numbers."""
    if op.kind not in FUNCTIONS or len(op.outputs) != 1 or -1 in op.inputs or op.options.get("FusedActivationFunction"):
        return False
    result, operands = tensors[op.outputs[0]], [tensors[index] for index in op.inputs]
    computed = [each for each in operands if each.values is None]
    return (
        bool(computed)
        and all(each.dtype == "FLOAT32" for each in (*operands, result))
        and all(each.elements == (result.elements if each.values is None else 1) for each in operands)
    )


def convert_real(node: Node, reals: dict[int, Real]) -> bool:
    """Whether the operator belongs to an island; then it is converted.

    Args:
        node: the operator.
        reals: what is known of FLOAT32 tensors, by number; the operator's result is added.
    """
    if not node.op.inputs or len(node.op.outputs) != 1:
        return False
    builder, kind, source, result = node.builder, node.op.kind, node.input(0), node.output
    if kind == "DEQUANTIZE" and (source.dtype, result.dtype) == ("INT8", "FLOAT32"):
        name = builder.activation(source)
        reals[result.index] = Real(name, _dequantized(builder.quantization(name)))
        return True
    if is_function(node.op, builder.file.tensors):
        return _compute(node, reals)
    if source.index in reals and kind == "QUANTIZE" and result.dtype == "INT8":
        real, after = reals[source.index], activation_scale(result)
        table = Tensor(f"{builder.name_of(result)}.table", (256,))
        name = builder.constant(table, _quantized(real.values, after, bool(node.option("HalfEven"))))
        builder.emit(lambda out: Lookup(real.activation, name, out), result, after)
        return True
    return False


def _compute(node: Node, reals: dict[int, Real]) -> bool:
    """Whether all operands depend on the same int8; then the result does."""
    operands, roots = list[Values](), set[str]()
    for tensor in node.inputs:
        if tensor.values is not None:
            operands.append(tensor.values.ravel().astype(np.float32))
        elif tensor.index in reals:
            operands.append(reals[tensor.index].values)
            roots.add(reals[tensor.index].activation)
        else:
            return False
    if len(roots) != 1:
        return False
    with np.errstate(all="ignore"):
        values = FUNCTIONS[node.op.kind](node.op.options, *operands)
    reals[node.output.index] = Real(roots.pop(), np.asarray(values, np.float32))
    return True


def _dequantized(x: Quantization) -> Values:
    """Source: ``Dequantize`` of TensorFlow Lite, whose product is a double."""
    return (x.scale[0] * (np.arange(-128, 128, dtype=np.float64) - x.zero_point)).astype(np.float32)


def _quantized(values: Values, y: Quantization, half_even: bool) -> NDArray[np.int8]:
    """Levels of real numbers, divided in float32.

    ``AffineQuantize`` of TensorFlow Lite rounds half away from zero, QuantizeLinear of ONNX half to even.

    Raises:
        ValueError: a value is no number.
    """
    if np.isnan(values).any():
        raise ValueError("quantises what is no number for some of the levels before")
    ratio = np.clip(values / np.float32(y.scale[0]), -1e6, 1e6).astype(np.float64)
    levels = np.rint(ratio) if half_even else np.copysign(np.floor(np.abs(ratio) + 0.5), ratio)
    return np.asarray(np.clip(levels + y.zero_point, -128, 127), np.int8)
