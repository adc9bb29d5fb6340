"""Operators that compute nothing: most only rename axes."""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Final, Literal

import numpy as np

from mcubuild.importers.builder import UnsupportedError
from mcubuild.importers.lowering.constants import target_shape
from mcubuild.importers.lowering.lowering import Lowering, Value, same_rank
from mcubuild.importers.lowering.place import Known, Placed, Shape, channels_last, plain, regrouped
from mcubuild.importers.lowering.windows import levels, marked, without
from mcubuild.importers.program import Call

Converter = Callable[[Lowering, Call], Value]


def _same(lowering: Lowering, call: Call) -> Value:
    return lowering.value(call, 0)


def _cast(lowering: Lowering, call: Call) -> Value:
    x = lowering.activation(call)
    if call.options.get("to") not in (1, 10, 11) or lowering.tensors[x.index].dtype != "FLOAT32":
        raise UnsupportedError("changes the type of an activation")
    return x


def _transpose(lowering: Lowering, call: Call) -> Value:
    """A new name for each axis."""
    x = lowering.activation(call)
    rank = len(x.shape)
    permutation = [axis % rank for axis in call.options.get("perm") or range(rank)[::-1]]
    if sorted(permutation) != list(range(rank)):
        raise ValueError(f"has permutation {tuple(permutation)} of {rank} axes")
    shape = tuple(x.shape[axis] for axis in permutation)
    return Placed(x.index, shape, tuple(permutation.index(axis) for axis in x.order))


def reshaped(lowering: Lowering, call: Call, x: Placed, shape: Shape) -> Placed:
    """The elements of ``x``, in the program's order, in another shape."""
    if prod(shape) != prod(x.shape) or min(shape, default=1) < 1:
        raise ValueError(f"reshapes {x.shape} to {shape}")
    order = regrouped(x.shape, x.order, shape)
    if order is None:
        x, order = lowering.arranged(call, x, plain(len(x.shape))), plain(len(shape))
    return lowering.reshaped(call, x, shape, order)


def _reshape(lowering: Lowering, call: Call) -> Value:
    x = lowering.activation(call)
    wanted = lowering.numbers(call, 1, "shape")
    if wanted is None:
        raise ValueError("has no shape")
    return reshaped(lowering, call, x, target_shape(x.shape, wanted, bool(call.options.get("allowzero"))))


def _flatten(lowering: Lowering, call: Call) -> Value:
    x = lowering.activation(call)
    axis = call.options.get("axis", 1) % (len(x.shape) + 1)
    return reshaped(lowering, call, x, (prod(x.shape[:axis]), prod(x.shape[axis:])))


def _squeeze(lowering: Lowering, call: Call) -> Value:
    x = lowering.activation(call)
    axes = lowering.numbers(call, 1, "axes")
    gone = {axis for axis, size in enumerate(x.shape) if size == 1}
    if axes is not None:
        if any(x.shape[axis % len(x.shape)] != 1 for axis in axes):
            raise ValueError(f"squeezes axes {axes} of {x.shape}")
        gone = {axis % len(x.shape) for axis in axes}
    return without(lowering, call, x, gone)


def _unsqueeze(lowering: Lowering, call: Call) -> Value:
    x = lowering.activation(call)
    axes = lowering.numbers(call, 1, "axes") or ()
    rank = len(x.shape) + len(axes)
    return reshaped(
        lowering, call, x, np.expand_dims(np.empty(x.shape, bool), tuple(axis % rank for axis in axes)).shape
    )


def _concat(lowering: Lowering, call: Call) -> Value:
    values = [lowering.value(call, position) for position in range(len(call.inputs))]
    first = next((value for value in values if isinstance(value, Placed)), None)
    if first is None:
        raise UnsupportedError("joins constants; let the exporter fold them")
    rank = len(first.shape)
    axis = call.options.get("axis", 0) % rank
    for value in values:
        rest = [tuple(size for each, size in enumerate(v.shape) if each != axis) for v in (value, first)]
        if len(value.shape) != rank or rest[0] != rest[1]:
            raise ValueError(f"joins {value.shape} to {first.shape} along axis {axis}")
    # As most of them lie.
    orders = [value.order for value in values if isinstance(value, Placed)]
    order = max(orders, key=orders.count)
    operands = [
        lowering.constant(value, "part", order)
        if isinstance(value, Known)
        else lowering.arranged(call, value, order).index
        for value in values
    ]
    shape = tuple(sum(v.shape[axis] for v in values) if each == axis else s for each, s in enumerate(first.shape))
    options = {"Axis": order.index(axis), "FusedActivationFunction": 0}
    result = lowering.emit(call, "CONCATENATION", operands, shape, order, options, **levels(lowering, first))
    return marked(lowering, first, result)


def cut(lowering: Lowering, call: Call, x: Placed, ranges: Mapping[int, range], name: str | None = None) -> Placed:
    """The elements of ``x`` at ``ranges`` along axes of the program."""
    begin, end, step = [], [], []
    for axis in x.order:
        places = ranges.get(axis, range(x.shape[axis]))
        if len(places) == 0 or not (0 <= places[0] < x.shape[axis] and 0 <= places[-1] < x.shape[axis]):
            raise ValueError(f"takes {places} of {x.shape[axis]} elements along axis {axis}")
        begin.append(places.start)
        end.append(places.stop)
        step.append(places.step)
    shape = tuple(len(ranges.get(axis, range(size))) for axis, size in enumerate(x.shape))
    # An end before the first element, of what runs backwards, is left open.
    open_ends = sum(1 << axis for axis, last in enumerate(end) if last < 0)
    operands = [x.index, *(lowering.integers(*each) for each in (begin, end, step))]
    call = call if name is None else _renamed(call, name)
    result = lowering.emit(
        call, "STRIDED_SLICE", operands, shape, x.order, {"EndMask": open_ends}, **levels(lowering, x)
    )
    return marked(lowering, x, result)


def _renamed(call: Call, name: str) -> Call:
    return Call(call.kind, call.inputs, (name,), call.options, call.place)


def _slice(lowering: Lowering, call: Call) -> Value:
    x = lowering.activation(call)
    begin, end = lowering.numbers(call, 1, "starts"), lowering.numbers(call, 2, "ends")
    if begin is None or end is None:
        raise ValueError("has no begin or no end")
    axes = lowering.numbers(call, 3, "axes") or tuple(range(len(begin)))
    steps = lowering.numbers(call, 4, "steps") or (1,) * len(begin)
    if not len(begin) == len(end) == len(axes) == len(steps) or 0 in steps:
        raise ValueError(f"has {len(begin)} begins, {len(end)} ends, steps {steps}")
    ranges = {}
    for axis, first, last, step in zip(axes, begin, end, steps, strict=True):
        size = x.shape[axis % len(x.shape)]
        stop = None if step < 0 and last < -size else last
        ranges[axis % len(x.shape)] = range(*slice(first, stop, step).indices(size))
    return cut(lowering, call, x, ranges)


def _split(lowering: Lowering, call: Call) -> Sequence[Value]:
    x = lowering.activation(call)
    axis = call.options.get("axis", 0) % len(x.shape)
    sizes, count = lowering.numbers(call, 1, "split"), len(call.outputs)
    if sizes is None:
        most = -(-x.shape[axis] // count)
        sizes = (*[most] * (count - 1), x.shape[axis] - most * (count - 1))
    if len(sizes) != count or sum(sizes) != x.shape[axis] or min(sizes) < 1:
        raise ValueError(f"splits {x.shape[axis]} elements into {sizes} for {count} results")
    ends = np.cumsum((0, *sizes)).tolist()
    return [
        cut(lowering, call, x, {axis: range(ends[number], ends[number + 1])}, name)
        for number, name in enumerate(call.outputs)
    ]


def _gather(lowering: Lowering, call: Call) -> Value:
    x, known = lowering.activation(call), lowering.known(call, 1)
    axis = call.options.get("axis", 0) % len(x.shape)
    if known is None or known.values.ndim > 1 or known.values.dtype.kind not in "iu":
        raise UnsupportedError("must have a constant index, or a list of them")
    size, given = x.shape[axis], known.values.ravel().tolist()
    if outside := [index for index in given if not -size <= index < size]:
        raise ValueError(f"takes element {outside[0]} of {size}; must be from {-size} to {size - 1}")
    indices = [index % size for index in given]
    if known.values.ndim == 0:
        return without(lowering, call, cut(lowering, call, x, {axis: range(indices[0], indices[0] + 1)}), {axis})
    return taken(lowering, call, x, axis, indices)


def taken(lowering: Lowering, call: Call, x: Placed, axis: int, indices: Sequence[int]) -> Placed:
    """The elements of ``x`` at ``indices`` along an axis of the program."""
    shape = tuple(len(indices) if each == axis else size for each, size in enumerate(x.shape))
    operands = [x.index, lowering.integers(*indices)]
    result = lowering.emit(call, "GATHER", operands, shape, x.order, {"Axis": x.axis(axis)}, **levels(lowering, x))
    return marked(lowering, x, result)


_AROUND: Final[tuple[Literal["edge", "wrap"], ...]] = ("edge", "wrap")
"""Modes of padding whose elements are taken from the image."""


def _pad(lowering: Lowering, call: Call) -> Value:
    x = lowering.activation(call)
    pads, known = lowering.numbers(call, 1, "pads"), lowering.known(call, 2)
    axes = lowering.numbers(call, 3, "axes") or tuple(range(len(x.shape)))
    value = float(call.options.get("value", 0.0) if known is None else known.real.ravel()[0])
    if pads is None or len(pads) != 2 * len(axes):
        raise ValueError(f"pads {x.shape} by {pads}")
    around = dict.fromkeys(range(len(x.shape)), (0, 0))
    for place, axis in enumerate(axes):
        around[axis % len(x.shape)] = pads[place], pads[place + len(axes)]
    if min(pads, default=0) < 0 or max(pads, default=0) > 1 << 16:
        raise UnsupportedError(f"pads by {pads}; must not cut off")
    shape = tuple(sum(around[axis]) + size for axis, size in enumerate(x.shape))
    numbers = np.array([around[axis] for axis in x.order], np.int32)
    operands = [x.index, lowering.tensor("", numbers.shape, "INT32", values=numbers)]
    mode = call.options.get("mode", "constant")
    if mode in _AROUND:
        for axis, (before, after) in around.items():
            if before or after:
                x = taken(lowering, call, x, axis, np.pad(np.arange(x.shape[axis]), (before, after), mode).tolist())
        return x
    if mode == "reflect":
        return marked(lowering, x, lowering.emit(
            call, "MIRROR_PAD", operands, shape, x.order, {"Mode": 0}, **levels(lowering, x)
        ))  # fmt: skip
    if mode != "constant":
        raise UnsupportedError(f"has mode {mode}; supported: constant, reflect, {', '.join(_AROUND)}")
    if lowering.tensors[x.index].dtype != "FLOAT32":
        raise UnsupportedError("pads levels; put it in front of the quantisation")
    if value == 0:
        return lowering.emit(call, "PAD", operands, shape, x.order)
    return lowering.emit(call, "PADV2", [*operands, lowering.scalar(value)], shape, x.order)


def _depth_to_space(lowering: Lowering, call: Call) -> Value:
    x, block = lowering.activation(call), call.options.get("blocksize", 0)
    _, channels, height, width = x.shape
    if block < 1 or channels % (block * block):
        raise ValueError(f"makes blocks of {block} of {channels} channels")
    own = channels // block // block
    first = call.options.get("mode", "DCR") == "DCR"
    shape = (1, block, block, own, height, width) if first else (1, own, block, block, height, width)
    apart = reshaped(lowering, call, lowering.arranged(call, x, channels_last(4)), shape)
    order = (0, 4, 1, 5, 2, 3) if first else (0, 4, 2, 5, 3, 1)
    apart = lowering.arranged(call, apart, order)
    return lowering.reshaped(call, apart, (1, own, height * block, width * block), channels_last(4))


def _space_to_depth(lowering: Lowering, call: Call) -> Value:
    x, block = lowering.activation(call), call.options.get("blocksize", 0)
    _, channels, height, width = x.shape
    if block < 1 or height % block or width % block:
        raise ValueError(f"has blocks of {block} in {height}x{width}")
    shape = (1, channels, height // block, block, width // block, block)
    apart = reshaped(lowering, call, lowering.arranged(call, x, channels_last(4)), shape)
    apart = lowering.arranged(call, apart, (0, 2, 4, 3, 5, 1))
    whole = (1, channels * block * block, height // block, width // block)
    return lowering.reshaped(call, apart, whole, channels_last(4))


def _expand(lowering: Lowering, call: Call) -> Value:
    """Repeated, unless all that reads it repeats it itself."""
    x, wanted = lowering.activation(call), lowering.numbers(call, 1, "shape")
    if wanted is None:
        raise ValueError("has no shape")
    shape = np.broadcast_shapes(x.shape, wanted)
    whole = same_rank(lowering, call, x, len(shape))
    assert isinstance(whole, Placed)
    if call.outputs[0] not in lowering.program.outputs and all(
        _repeats(lowering, call.outputs[0], reader, shape) for reader in lowering.readers(call.outputs[0])
    ):
        return whole
    for axis, size in enumerate(shape):
        if whole.shape[axis] != size:
            whole = taken(lowering, call, whole, axis, [0] * size)
    return whole


def _repeats(lowering: Lowering, name: str, reader: Call, shape: Shape) -> bool:
    """Whether ``reader`` repeats ``name`` to ``shape`` by itself: its other operand has that."""
    others = [lowering.values.get(each) for each in reader.inputs if each != name]
    return (
        reader.kind in ("Add", "Sub", "Mul", "Div")
        and len(others) == 1
        and others[0] is not None
        and (others[0].shape == shape)
    )


def _tile(lowering: Lowering, call: Call) -> Value:
    x, times = lowering.activation(call), lowering.numbers(call, 1, "repeats")
    if times is None or len(times) != len(x.shape) or min(times) < 1:
        raise ValueError(f"repeats {x.shape} {times} times")
    for axis, count in enumerate(times):
        if count > 1:
            x = taken(lowering, call, x, axis, [*range(x.shape[axis])] * count)
    return x


CONVERTERS: Mapping[str, Callable[[Lowering, Call], Value | Sequence[Value]]] = {
    "Cast": _cast,
    "Concat": _concat,
    "DepthToSpace": _depth_to_space,
    "Dropout": _same,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Identity": _same,
    "Pad": _pad,
    "Reshape": _reshape,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
