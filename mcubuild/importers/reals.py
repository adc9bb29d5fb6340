"""Islands of floating point inside a quantised network: DEQUANTIZE, functions of single elements, QUANTIZE.

What such an island computes depends on one int8 alone, so it is a table of 256 real values until it is quantised again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mcubuild.importers.builder import Node, activation_scale
from mcubuild.ir.graph import Quantization, Tensor
from mcubuild.ir.ops.lookup import Lookup

Values: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True)
class Real:
    """A FLOAT32 tensor of the file."""

    activation: str
    """The int8 activation that it depends on."""
    values: Values
    """Its value for each int8 from -128 on, (256,)."""


def _through_double(function: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Callable[[Values], Values]:
    """``function``, rounded once to float32."""
    return lambda x: function(x.astype(np.float64)).astype(np.float32)


FUNCTIONS: Final[Mapping[str, Callable[[Values], Values]]] = {
    "ABS": np.abs,
    "ELU": _through_double(lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0)), x)),
    "EXP": _through_double(np.exp),
    "LOGISTIC": _through_double(lambda x: 1 / (1 + np.exp(-x))),
    "NEG": np.negative,
    "RELU": lambda x: np.maximum(x, np.float32(0)),
    "RELU6": lambda x: np.clip(x, np.float32(0), np.float32(6)),
    "SQUARE": np.square,
    "TANH": _through_double(np.tanh),
}
"""In float32, by the schema's name."""


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
    if source.index not in reals:
        return False
    real = reals[source.index]
    if kind in FUNCTIONS and result.dtype == "FLOAT32":
        reals[result.index] = replace(real, values=FUNCTIONS[kind](real.values))
        return True
    if kind == "QUANTIZE" and result.dtype == "INT8":
        after = activation_scale(result)
        table = Tensor(f"{builder.name_of(result)}.table", (256,))
        name = builder.constant(table, _quantized(real.values, after))
        builder.emit(lambda out: Lookup(real.activation, name, out), result, after)
        return True
    return False


def _dequantized(x: Quantization) -> Values:
    """Source: ``Dequantize`` of TensorFlow Lite, whose product is a double."""
    return (x.scale[0] * (np.arange(-128, 128, dtype=np.float64) - x.zero_point)).astype(np.float32)


def _quantized(values: Values, y: Quantization) -> NDArray[np.int8]:
    """Source: ``AffineQuantize`` of TensorFlow Lite, which divides in float32 and rounds half away from zero."""
    ratio = (values / np.float32(y.scale[0])).astype(np.float64)
    levels = np.copysign(np.floor(np.abs(ratio) + 0.5), ratio) + y.zero_point
    return np.asarray(np.clip(levels, -128, 127), np.int8)
