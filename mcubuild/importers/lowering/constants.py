"""What a program computes from constants and shapes alone: weights that exporters rearrange, sizes to reshape to."""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mcubuild.importers.lowering.lowering import Lowering
from mcubuild.importers.lowering.place import Known
from mcubuild.importers.program import MOST_ELEMENTS, Call

Values = NDArray[Any]
_KEPT: Final = ("Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Dropout")
"""Operators that leave constants on their grid."""


def computed(lowering: Lowering, call: Call) -> Known | None:
    """What ``call`` gives, where that is a constant; None where it has to be computed on the device.

    Raises:
        ValueError, LookupError, TypeError: operands that do not go together.
    """
    if call.kind == "Shape" and call.inputs[0] in lowering.values:
        start, end = call.options.get("start", 0), call.options.get("end")
        return Known(np.array(lowering.values[call.inputs[0]].shape[start:end], np.int64))
    known = [lowering.optional(call, position) for position in range(len(call.inputs))]
    if (
        call.kind not in _COMPUTED
        or len(call.outputs) != 1
        or any(not isinstance(each, Known | None) for each in known)
    ):
        return None
    constants = [each for each in known if isinstance(each, Known)]
    if call.kind in _KEPT and constants:
        first = constants[0]
        result = _COMPUTED[call.kind](call, [first.values, *(each.values for each in constants[1:])])
        if call.kind == "Transpose":
            return first.moved(_permutation(call, first.values))
        return first.reshaped(result.shape)
    values = [each.values if each.grid is None else each.real.astype(np.float32) for each in constants]
    if len(values) < len(known) and call.kind not in ("Clip", "Slice"):
        return None
    with np.errstate(all="ignore"):
        return Known(np.asarray(_COMPUTED[call.kind](call, values)))


def _permutation(call: Call, values: Values) -> tuple[int, ...]:
    order = call.options.get("perm") or range(values.ndim)[::-1]
    return tuple(axis % values.ndim for axis in order)


def _axes(call: Call, known: Sequence[Values]) -> tuple[int, ...] | None:
    found = known[1].ravel().tolist() if len(known) > 1 else call.options.get("axes")
    return None if found is None else tuple(found)


def _unsqueezed(call: Call, known: Sequence[Values]) -> Values:
    return np.expand_dims(known[0], _axes(call, known) or ())


def _reshaped(call: Call, known: Sequence[Values]) -> Values:
    shape = known[1].ravel().tolist() if len(known) > 1 else call.options["shape"]
    return known[0].reshape(target_shape(known[0].shape, shape, bool(call.options.get("allowzero"))))


def target_shape(shape: Sequence[int], wanted: Sequence[int], zeros: bool) -> tuple[int, ...]:
    """The shape that Reshape gives: 0 is the operand's own size, unless ``zeros``; -1 is what is left.

    Raises:
        ValueError: the number of elements differs.
    """
    if any(size == 0 and axis >= len(shape) for axis, size in enumerate(wanted)):
        raise ValueError(f"reshapes {tuple(shape)} to {tuple(wanted)}")
    sizes = [shape[axis] if size == 0 and not zeros else size for axis, size in enumerate(wanted)]
    if sizes.count(-1) == 1 and (rest := prod(size for size in sizes if size != -1)) > 0:
        sizes[sizes.index(-1)] = prod(shape) // rest
    if prod(sizes) != prod(shape) or min(sizes, default=1) < 0:
        raise ValueError(f"reshapes {tuple(shape)} to {tuple(wanted)}")
    return tuple(sizes)


def _sliced(call: Call, known: Sequence[Values]) -> Values:
    if len(known) > 1:
        begin, end = (each.ravel().tolist() for each in known[1:3])
        axes = known[3].ravel().tolist() if len(known) > 3 else range(len(begin))
        steps = known[4].ravel().tolist() if len(known) > 4 else [1] * len(begin)
    else:
        begin, end = call.options["starts"], call.options["ends"]
        axes = call.options.get("axes", range(len(begin)))
        steps = call.options.get("steps", [1] * len(begin))
    places = [slice(None)] * known[0].ndim
    for axis, first, last, step in zip(axes, begin, end, steps, strict=True):
        places[axis] = slice(first, last if step > 0 or last >= -known[0].shape[axis] else None, step)
    return known[0][tuple(places)]


def _filled(call: Call, known: Sequence[Values]) -> Values:
    shape = tuple(known[0].ravel().tolist())
    if prod(shape) > MOST_ELEMENTS:
        raise ValueError(f"fills {shape}")
    value = np.asarray(call.options.get("value", np.zeros(1, np.float32))).ravel()
    return np.full(shape, value[0], value.dtype)


def _expanded(call: Call, known: Sequence[Values]) -> Values:
    shape = np.broadcast_shapes(known[0].shape, tuple(known[1].ravel().tolist()))
    if prod(shape) > MOST_ELEMENTS:
        raise ValueError(f"expands to {shape}")
    return np.broadcast_to(known[0], shape)


def _range(call: Call, known: Sequence[Values]) -> Values:
    start, limit, delta = (each.ravel()[0] for each in known)
    if abs(limit - start) > abs(delta) * MOST_ELEMENTS:
        raise ValueError(f"counts from {start} to {limit}")
    return np.asarray(np.arange(float(start), float(limit), float(delta)), known[0].dtype)


_CASTS: Final[Mapping[int, str]] = {
    1: "f4", 2: "u1", 3: "i1", 4: "u2", 5: "i2", 6: "i4", 7: "i8", 9: "?", 10: "f2", 11: "f8", 12: "u4", 13: "u8"
}  # fmt: skip
"""ONNX's numbers of types, with numpy's names."""


def _constant(call: Call, known: Sequence[Values]) -> Values:
    (option, value), *_ = call.options.items()
    if option == "value":
        return np.asarray(value)
    return np.asarray(value, np.float32 if option.startswith("value_float") else np.int64)


def _divided(call: Call, known: Sequence[Values]) -> Values:
    left, right = known
    if left.dtype.kind in "iu" and right.dtype.kind in "iu":
        if not right.all():
            raise ValueError("divides by zero")
        return np.asarray(np.trunc(left / right), left.dtype)
    return np.asarray(left / right)


_COMPUTED: Final[Mapping[str, Callable[[Call, Sequence[Values]], Values]]] = {
    "Abs": lambda call, known: np.abs(known[0]),
    "Add": lambda call, known: known[0] + known[1],
    "Cast": lambda call, known: known[0].astype(_CASTS[call.options["to"]]),
    "Ceil": lambda call, known: np.ceil(known[0]),
    "Clip": lambda call, known: np.clip(
        known[0],
        known[1] if len(known) > 1 else call.options.get("min"),
        known[2] if len(known) > 2 else call.options.get("max"),
    ),
    "Concat": lambda call, known: np.concatenate(known, call.options.get("axis", 0)),
    "Constant": _constant,
    "ConstantOfShape": _filled,
    "Div": _divided,
    "Dropout": lambda call, known: known[0],
    "Equal": lambda call, known: known[0] == known[1],
    "Exp": lambda call, known: np.exp(known[0]),
    "Expand": _expanded,
    "Flatten": lambda call, known: known[0].reshape(prod(known[0].shape[: call.options.get("axis", 1)]), -1),
    "Floor": lambda call, known: np.floor(known[0]),
    "Gather": lambda call, known: known[0].take(known[1], call.options.get("axis", 0)),
    "Identity": lambda call, known: known[0],
    "Mul": lambda call, known: known[0] * known[1],
    "Neg": lambda call, known: -known[0],
    "Pow": lambda call, known: np.power(known[0], known[1]).astype(known[0].dtype),
    "Range": _range,
    "Reciprocal": lambda call, known: 1 / known[0],
    "ReduceProd": lambda call, known: np.prod(known[0], keepdims=bool(call.options.get("keepdims", 1))),
    "Reshape": _reshaped,
    "Slice": _sliced,
    "Sqrt": lambda call, known: np.sqrt(known[0]),
    "Squeeze": lambda call, known: known[0].squeeze(_axes(call, known)),
    "Sub": lambda call, known: known[0] - known[1],
    "Transpose": lambda call, known: known[0].transpose(_permutation(call, known[0])),
    "Unsqueeze": _unsqueezed,
    "Where": lambda call, known: np.where(known[0], known[1], known[2]),
}
"""By ONNX's name: options and operands -> result."""
