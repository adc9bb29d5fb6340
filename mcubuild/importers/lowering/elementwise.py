"""Functions of single elements, and operators with two operands."""

from collections.abc import Callable, Mapping
from math import pi, prod, sqrt
from typing import Final

import numpy as np

from mcubuild.importers.builder import UnsupportedError
from mcubuild.importers.lowering.lowering import Lowering, Value, same_rank
from mcubuild.importers.lowering.place import Known, Placed
from mcubuild.importers.lowering.quantization import HALF_EVEN
from mcubuild.importers.lowering.weighted import folded
from mcubuild.importers.program import Call

Converter = Callable[[Lowering, Call], Value]


def _function(kind: str) -> Converter:
    def convert(lowering: Lowering, call: Call) -> Value:
        x = lowering.activation(call)
        return on_real(lowering, call, x, lambda real: lowering.emit(call, kind, [real.index], real.shape, real.order))

    return convert


def on_real(lowering: Lowering, call: Call, x: Placed, compute: Callable[[Placed], Placed]) -> Placed:
    """``compute`` of the real numbers of ``x``; what is levels becomes levels of the same scale again."""
    source = lowering.tensors[x.index]
    if source.dtype == "FLOAT32":
        return compute(x)
    if not source.scale:
        raise UnsupportedError("computes with levels of no known scale")
    result = compute(lowering.emit(call, "DEQUANTIZE", [x.index], x.shape, x.order))
    again = lowering.emit(
        call, "QUANTIZE", [result.index], x.shape, x.order, HALF_EVEN,
        dtype=source.dtype, scale=source.scale, zero_point=source.zero_point,
    )  # fmt: skip
    if x.index in lowering.unsigned:
        lowering.unsigned.add(again.index)
    return again


def _with_alpha(kind: str, default: float) -> Converter:
    def convert(lowering: Lowering, call: Call) -> Value:
        x, alpha = lowering.activation(call), float(call.options.get("alpha", default))
        return lowering.emit(call, kind, [x.index], x.shape, x.order, {"Alpha": alpha})

    return convert


_CLIPS: Final[Mapping[tuple[float | None, float | None], str]] = {
    (0, None): "RELU", (0, 6): "RELU6", (-1, 1): "RELU_N1_TO_1", (0, 1): "RELU_0_TO_1"
}  # fmt: skip


def _clip(lowering: Lowering, call: Call) -> Value:
    """Operands (or, before version 11, options): activation, smallest, largest value."""
    x = lowering.activation(call)
    ends: list[float | None] = []
    zero = _levels_of(lowering, x)
    for position, option in ((1, "min"), (2, "max")):
        known = lowering.known(call, position)
        end = call.options.get(option) if known is None else float(known.real.ravel()[0])
        if end is not None and abs(end) > _ENDLESS:
            end = None
        ends.append(end if end is None or zero is None else (end - zero[1]) * zero[0])
    return on_real(lowering, call, x, lambda real: clipped(lowering, call, real, *ends))


_ENDLESS: Final = 3e38
"""Bounds beyond are none."""


def _levels_of(lowering: Lowering, x: Placed) -> tuple[float, int] | None:
    """Scale and zero point of levels, as the program counts them; None of real numbers."""
    source = lowering.tensors[x.index]
    if source.dtype == "FLOAT32" or not source.scale:
        return None
    return source.scale[0], source.zero_point[0] + (128 if x.index in lowering.unsigned else 0)


def clipped(lowering: Lowering, call: Call, x: Placed, low: float | None, high: float | None) -> Placed:
    """Real numbers limited to [low, high]."""
    if (low, high) in _CLIPS:
        return lowering.emit(call, _CLIPS[low, high], [x.index], x.shape, x.order)
    for kind, end in (("MAXIMUM", low), ("MINIMUM", high)):
        if end is not None:
            x = lowering.emit(call, kind, [x.index, lowering.scalar(end)], x.shape, x.order)
    return x


def _hard_sigmoid(lowering: Lowering, call: Call) -> Value:
    x = lowering.activation(call)
    slope, offset = call.options.get("alpha", 0.2), call.options.get("beta", 0.5)
    x = lowering.emit(call, "MUL", [x.index, lowering.scalar(slope)], x.shape, x.order)
    x = lowering.emit(call, "ADD", [x.index, lowering.scalar(offset)], x.shape, x.order)
    return clipped(lowering, call, x, 0, 1)


def _prelu(lowering: Lowering, call: Call) -> Value:
    x, slope = lowering.activation(call), lowering.known(call, 1)
    if slope is not None and slope.values.size == 1:
        alpha = float(slope.real.ravel()[0])
        return lowering.emit(call, "LEAKY_RELU", [x.index], x.shape, x.order, {"Alpha": alpha})
    return _two(lowering, call, "PRELU")


def _gelu(lowering: Lowering, call: Call) -> Value:
    """Approximated, x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))): Hendrycks and Gimpel, 2016."""
    if call.options.get("approximate", "none") == "none":
        return _function("GELU")(lowering, call)

    def tanh(x: Placed) -> Placed:
        def of(kind: str, *operands: int) -> int:
            return lowering.emit(call, kind, operands, x.shape, x.order).index

        cube = of("MUL", of("MUL", x.index, x.index), of("MUL", x.index, lowering.scalar(0.044715)))
        inside = of("MUL", of("ADD", x.index, cube), lowering.scalar(sqrt(2 / pi)))
        half = of("MUL", x.index, lowering.scalar(0.5))
        factor = of("ADD", of("TANH", inside), lowering.scalar(1))
        return lowering.emit(call, "MUL", [half, factor], x.shape, x.order)

    return on_real(lowering, call, lowering.activation(call), tanh)


def _pow(lowering: Lowering, call: Call) -> Value:
    x, power = lowering.activation(call), lowering.known(call, 1)
    kind = None
    if power is not None and power.values.size == 1:
        kind = {2.0: "SQUARE", 0.5: "SQRT", -0.5: "RSQRT"}.get(float(power.real.ravel()[0]))
    if kind is None:
        raise UnsupportedError("must have the power 2, 0.5 or -0.5")
    return lowering.emit(call, kind, [x.index], x.shape, x.order)


def _reciprocal(lowering: Lowering, call: Call) -> Value:
    x = lowering.activation(call)
    return lowering.emit(call, "DIV", [lowering.scalar(1), x.index], x.shape, x.order)


def _binary(kind: str) -> Converter:
    def convert(lowering: Lowering, call: Call) -> Value:
        if len(call.inputs) != 2:
            raise UnsupportedError(f"has {len(call.inputs)} operands, must have two")
        return _folded(lowering, call, kind) or _two(lowering, call, kind)

    return convert


def _folded(lowering: Lowering, call: Call, kind: str) -> Placed | None:
    """The first operand, if a constant a channel went into the operator that gives it."""
    values = [lowering.value(call, position) for position in (0, 1)]
    swapped = isinstance(values[0], Known) and kind in ("ADD", "MUL")
    x, known = values[::-1] if swapped else values
    if not isinstance(x, Placed) or not isinstance(known, Known) or kind not in ("ADD", "SUB", "MUL", "DIV"):
        return None
    channel, rank = x.order[-1], len(x.shape)
    shape = (1,) * (rank - len(known.shape)) + known.shape
    if len(shape) != rank or any(size != 1 for axis, size in enumerate(shape) if axis != channel):
        return None
    constant = np.broadcast_to(known.real.ravel(), x.shape[channel])
    ones, zeros = np.ones(len(constant)), np.zeros(len(constant))
    if kind == "DIV" and not constant.all():
        return None
    factors = constant if kind == "MUL" else 1 / constant if kind == "DIV" else ones
    offsets = constant if kind == "ADD" else -constant if kind == "SUB" else zeros
    return x if folded(lowering, call.inputs[1 if swapped else 0], x, factors, offsets) else None


def _two(lowering: Lowering, call: Call, kind: str) -> Value:
    values = [lowering.value(call, position) for position in (0, 1)]
    rank = max(len(value.shape) for value in values)
    shape = np.broadcast_shapes(*(value.shape for value in values))
    computed = [value for value in values if isinstance(value, Placed)]
    if not computed:
        raise UnsupportedError("computes on constants; let the exporter fold them")
    # The larger one stays as it lies.
    main = max(computed, key=lambda value: prod(value.shape))
    known = next((value for value in values if isinstance(value, Known)), None)
    if kind == "DIV" and known is values[1] and known.values.size > 1:
        kind, values[1] = "MUL", Known((1 / known.real).astype(np.float32))
    placed = same_rank(lowering, call, main, rank)
    assert isinstance(placed, Placed)
    operands = []
    for value in values:
        if isinstance(value, Known) and value.values.size == 1:
            operands.append(lowering.constant(Known(value.real.reshape(1).astype(np.float32)), "operand"))
            continue
        each = placed if value is main else same_rank(lowering, call, value, rank)
        if isinstance(each, Known):
            operands.append(lowering.constant(each, "operand", placed.order))
        else:
            operands.append(lowering.arranged(call, each, placed.order).index)
    return lowering.emit(call, kind, operands, shape, placed.order)


CONVERTERS: Mapping[str, Converter] = {
    "Abs": _function("ABS"),
    "Add": _binary("ADD"),
    "Clip": _clip,
    "Cos": _function("COS"),
    "Div": _binary("DIV"),
    "Elu": _with_alpha("ELU", 1.0),
    "Erf": _function("ERF"),
    "Exp": _function("EXP"),
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _function("HARD_SWISH"),
    "LeakyRelu": _with_alpha("LEAKY_RELU", 0.01),
    "Log": _function("LOG"),
    "Max": _binary("MAXIMUM"),
    "Min": _binary("MINIMUM"),
    "Mul": _binary("MUL"),
    "Neg": _function("NEG"),
    "PRelu": _prelu,
    "Pow": _pow,
    "Reciprocal": _reciprocal,
    "Relu": _function("RELU"),
    "Sigmoid": _function("LOGISTIC"),
    "Sin": _function("SIN"),
    "Softplus": _function("SOFTPLUS"),
    "Sqrt": _function("SQRT"),
    "Sub": _binary("SUB"),
    "Tanh": _function("TANH"),
}
