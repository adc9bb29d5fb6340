"""Pooling, reductions, softmax and resizing."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mcubuild.importers.builder import UnsupportedError
from mcubuild.importers.lowering.lowering import Lowering, Value
from mcubuild.importers.lowering.place import Placed, Shape, channels_last
from mcubuild.importers.lowering.windowing import image, restored, window_of
from mcubuild.importers.program import Call
from mcubuild.ir.ops.resize import Resize

Converter = Callable[[Lowering, Call], Value]


def _pool(kind: str) -> Converter:
    def convert(lowering: Lowering, call: Call) -> Value:
        x = lowering.activation(call)
        picture = image(lowering, call, x)
        kernel = tuple(call.options.get("kernel_shape", ()))
        if len(kernel) != len(x.shape) - 2:
            raise ValueError(f"has a window of {kernel} over {x.shape}")
        window = window_of(call, picture.shape, (1, *kernel) if len(kernel) == 1 else kernel, signal=len(kernel) == 1)
        if window.dilation != (1, 1):
            raise UnsupportedError(f"has dilations {window.dilation}, must be 1")
        options = dict(window.options)
        if kind == "AVERAGE_POOL_2D" and any(window.pads) and call.options.get("count_include_pad"):
            if call.options.get("ceil_mode"):
                raise UnsupportedError("counts what is padded, and has ceil_mode; must have one of the two")
            picture = _padded(lowering, call, picture, window.pads)
            options |= window.padding((0, 0, 0, 0))
        shape = (1, x.shape[1], *window.size)
        result = lowering.emit(
            call, kind, [picture.index], shape, channels_last(4), options, **levels(lowering, picture)
        )
        return restored(lowering, call, marked(lowering, picture, result), len(x.shape))

    return convert


def _padded(lowering: Lowering, call: Call, x: Placed, pads: Sequence[int]) -> Placed:
    top, bottom, left, right = pads
    shape = (1, x.shape[1], x.shape[2] + top + bottom, x.shape[3] + left + right)
    operands = [x.index, lowering.integers(0, 0, top, bottom, left, right, 0, 0)]
    operands[1] = _as_pairs(lowering, operands[1], 4)
    return lowering.emit(call, "PAD", operands, shape, x.order, **levels(lowering, x))


def _as_pairs(lowering: Lowering, index: int, axes: int) -> int:
    """Integers as (axes, 2)."""
    values = lowering.tensors[index].values
    assert values is not None
    return lowering.tensor("", (axes, 2), "INT32", values=values.reshape(axes, 2))


def levels(lowering: Lowering, x: Placed) -> dict[str, Any]:
    """What the tensor of an operator that only moves ``x`` has of its tensor."""
    tensor = lowering.tensors[x.index]
    return {"dtype": tensor.dtype, "scale": tensor.scale, "zero_point": tensor.zero_point}


def marked(lowering: Lowering, x: Placed, result: Placed) -> Placed:
    """``result``, which has the levels of ``x``."""
    if x.index in lowering.unsigned:
        lowering.unsigned.add(result.index)
    return result


def _global(kind: str) -> Converter:
    def convert(lowering: Lowering, call: Call) -> Value:
        x = lowering.activation(call)
        return reduced(lowering, call, x, kind, tuple(range(2, len(x.shape))), keep=True)

    return convert


def _reduction(kind: str) -> Converter:
    def convert(lowering: Lowering, call: Call) -> Value:
        x = lowering.activation(call)
        axes = lowering.numbers(call, 1, "axes")
        if not axes:
            if call.options.get("noop_with_empty_axes"):
                return x
            axes = tuple(range(len(x.shape)))
        return reduced(lowering, call, x, kind, axes, keep=bool(call.options.get("keepdims", 1)))

    return convert


def reduced(lowering: Lowering, call: Call, x: Placed, kind: str, axes: Sequence[int], *, keep: bool) -> Placed:
    """One element of all along ``axes``, which stay with a size of 1 if ``keep``."""
    rank = len(x.shape)
    if not all(-rank <= axis < rank for axis in axes):
        raise ValueError(f"has axes {tuple(axes)}; its operand has {rank}")
    gone = {axis % rank for axis in axes}
    shape = tuple(1 if axis in gone else size for axis, size in enumerate(x.shape))
    operands = [x.index, lowering.integers(*sorted(x.axis(axis) for axis in gone))]
    result = lowering.emit(call, kind, operands, shape, x.order, {"KeepDims": True})
    return result if keep else without(lowering, call, result, gone)


def without(lowering: Lowering, call: Call, x: Placed, gone: set[int]) -> Placed:
    """``x`` without some axes of size 1."""
    return lowering.reshaped(call, x, *_left(x, gone))


def _left(x: Placed, gone: set[int]) -> tuple[Shape, Shape]:
    """Shape and order of ``x`` without some axes."""
    left = [axis for axis in range(len(x.shape)) if axis not in gone]
    number = {axis: place for place, axis in enumerate(left)}
    return tuple(x.shape[axis] for axis in left), tuple(number[axis] for axis in x.order if axis in number)


def _softmax(kind: str) -> Converter:
    def convert(lowering: Lowering, call: Call) -> Value:
        x = lowering.activation(call)
        rank, version = len(x.shape), lowering.program.version
        axis = call.options.get("axis", -1 if version >= 13 else 1) % rank
        if version < 13 and any(size != 1 for size in x.shape[axis + 1 :]):
            raise UnsupportedError(f"is over {x.shape[axis:]} at once in version {version} of ONNX's operators")
        x = lowering.arranged(call, x, (*(each for each in x.order if each != axis), axis))
        return lowering.emit(call, kind, [x.index], x.shape, x.order, {"Beta": call.options.get("beta", 1.0)})

    return convert


def _arg_max(lowering: Lowering, call: Call) -> Value:
    x = lowering.activation(call)
    axis = call.options.get("axis", 0) % len(x.shape)
    if call.options.get("select_last_index"):
        raise UnsupportedError("takes the last of equal elements, must take the first")
    shape, order = _left(x, {axis})
    if call.options.get("keepdims", 1):
        shape, order = tuple(1 if each == axis else size for each, size in enumerate(x.shape)), x.order
    return lowering.emit(call, "ARG_MAX", [x.index, lowering.integers(x.axis(axis))], shape, order, dtype="INT32")


# ---- resizing --------------------------------------------------------------------------------------------------------


def _resize(lowering: Lowering, call: Call) -> Value:
    """Operands: activation, region, scales, sizes; of version 10, and of Upsample: activation, scales."""
    x = lowering.activation(call)
    places = (2, 3) if call.kind == "Resize" and lowering.program.version >= 11 else (1, None)
    known = [None if place is None else lowering.known(call, place) for place in places]
    scales, sizes = (None if each is None or each.values.size == 0 else each.real.ravel() for each in known)
    if scales is None and "scales" in call.options:
        scales = np.array(call.options["scales"])
    if call.options.get("axes") not in (None, (2, 3)) or call.options.get("antialias"):
        raise UnsupportedError("must change height and width, without antialias")
    both = len(call.options.get("axes") or x.shape)
    found = sizes if sizes is not None else scales
    if found is None or len(found) != both or len(x.shape) != 4:
        raise UnsupportedError(f"must have constant sizes or scales of {x.shape}")
    size = [int(each) for each in (found if sizes is not None else np.floor(found * np.array(x.shape[-both:]) + 1e-6))]
    if both == 4 and tuple(size[:2]) != x.shape[:2]:
        raise UnsupportedError(f"resizes {x.shape} to {tuple(size)}; batch and channels must stay")
    height, width = size[-2:]
    if not (0 < height <= 4096 and 0 < width <= 4096):
        raise ValueError(f"resizes to {height}x{width}")
    ratios = (height / x.shape[2], width / x.shape[3]) if scales is None else (float(scales[-2]), float(scales[-1]))
    x = lowering.arranged(call, x, channels_last(4))
    mode = call.options.get("mode", "nearest")
    if mode == "nearest":
        return _nearest(lowering, call, x, (height, width), ratios)
    places_of = call.options.get("coordinate_transformation_mode", "half_pixel")
    if mode != "linear" or places_of not in _LINEAR:
        raise UnsupportedError(f"has mode {mode} at {places_of}; supported: nearest, linear at {', '.join(_LINEAR)}")
    if any(abs(ratio * old - new) > 1e-6 for ratio, old, new in zip(ratios, x.shape[2:], (height, width), strict=True)):
        raise UnsupportedError(f"scales {x.shape[2:]} by {ratios}, which gives no whole pixels")
    corners, centers = _LINEAR[places_of]
    return lowering.emit(
        call, "RESIZE_BILINEAR", [x.index, lowering.integers(height, width)],
        (1, x.shape[1], height, width), x.order, {"AlignCorners": corners, "HalfPixelCenters": centers},
    )  # fmt: skip


_LINEAR: Final[Mapping[str, tuple[bool, bool]]] = {
    "half_pixel": (False, True),
    "pytorch_half_pixel": (False, True),
    "align_corners": (True, False),
    "asymmetric": (False, False),
}


def _nearest(lowering: Lowering, call: Call, x: Placed, size: tuple[int, int], ratios: tuple[float, float]) -> Placed:
    """Whole pixels repeated or left out: resized as TensorFlow Lite does where that takes the same, else gathered."""
    wanted = [_taken(call, x.shape[2 + axis], size[axis], ratios[axis]) for axis in (0, 1)]
    shape = (1, x.shape[1], *size)
    for corners, centers in ((False, False), (False, True), (True, False), (True, True)):
        op = Resize("", "", size, "nearest", corners, centers)
        if all((op.nearest(x.shape[2 + axis], axis) == wanted[axis]).all() for axis in (0, 1)):
            options = {"AlignCorners": corners, "HalfPixelCenters": centers}
            operands = [x.index, lowering.integers(*size)]
            resized = lowering.emit(
                call, "RESIZE_NEAREST_NEIGHBOR", operands, shape, x.order, options, **levels(lowering, x)
            )
            return marked(lowering, x, resized)
    for axis in (0, 1):
        more = (1, x.shape[1], *(size if axis else (size[0], x.shape[3])))
        operands = [x.index, lowering.integers(*wanted[axis].tolist())]
        gathered = lowering.emit(
            call, "GATHER", operands, more, x.order, {"Axis": x.axis(2 + axis)}, **levels(lowering, x)
        )
        x = marked(lowering, x, gathered)
    return x


def _taken(call: Call, size: int, count: int, ratio: float) -> NDArray[np.int64]:
    """Index of the pixel that each of ``count`` outputs equals, as ONNX defines it; in float32 as ONNX Runtime."""
    mode = call.options.get("coordinate_transformation_mode", "half_pixel" if call.kind == "Resize" else "asymmetric")
    out, scale = np.arange(count, dtype=np.float32), np.float32(ratio)
    half = np.float32(0.5)
    if mode == "asymmetric":
        places = out / scale
    elif mode == "half_pixel" or (mode == "pytorch_half_pixel" and count > 1):
        places = (out + half) / scale - half
    elif mode == "align_corners" and count > 1:
        places = out * np.float32(size - 1) / np.float32(count - 1)
    elif mode in ("align_corners", "pytorch_half_pixel"):
        places = np.zeros(1, np.float32)
    else:
        raise UnsupportedError(f"has the coordinates {mode}")
    rounding = call.options.get("nearest_mode", "round_prefer_floor" if call.kind == "Resize" else "floor")
    whole = {
        "floor": np.floor(places),
        "ceil": np.ceil(places),
        "round_prefer_floor": np.ceil(places - half),
        "round_prefer_ceil": np.floor(places + half),
    }.get(rounding)
    if whole is None:
        raise UnsupportedError(f"has nearest_mode {rounding}")
    return np.asarray(np.clip(whole, 0, size - 1), np.int64)


CONVERTERS: Mapping[str, Converter] = {
    "ArgMax": _arg_max,
    "AveragePool": _pool("AVERAGE_POOL_2D"),
    "GlobalAveragePool": _global("MEAN"),
    "GlobalMaxPool": _global("REDUCE_MAX"),
    "LogSoftmax": _softmax("LOG_SOFTMAX"),
    "MaxPool": _pool("MAX_POOL_2D"),
    "ReduceMax": _reduction("REDUCE_MAX"),
    "ReduceMean": _reduction("MEAN"),
    "ReduceSum": _reduction("SUM"),
    "Resize": _resize,
    "Softmax": _softmax("SOFTMAX"),
    "Upsample": _resize,
}
