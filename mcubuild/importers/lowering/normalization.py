"""Layer, group, instance and root mean square norm."""

from collections.abc import Callable, Mapping
from math import prod

import numpy as np
from numpy.typing import NDArray

from mcubuild.importers.builder import UnsupportedError
from mcubuild.importers.lowering.lowering import Lowering, Value
from mcubuild.importers.lowering.place import Known, Placed, channels_last
from mcubuild.importers.program import Call
from mcubuild.ir.ops.normalize import MOST

Converter = Callable[[Lowering, Call], Value]
_EPSILON = 1e-5
"""Where the call does not say."""


def _layer(*, centred: bool) -> Converter:
    """Operands: activation; factors, and perhaps terms, that fit the axes from ``axis`` on."""

    def convert(lowering: Lowering, call: Call) -> Value:
        x = lowering.activation(call)
        first = call.options.get("axis", -1) % len(x.shape)
        sizes, inside = x.shape[first:], tuple(axis for axis in x.order if axis >= first)
        x = lowering.arranged(call, x, (*(axis for axis in x.order if axis < first), *inside))
        turned = [axis - first for axis in inside]
        weight, bias = (np.broadcast_to(each, sizes).transpose(turned) for each in _constants(lowering, call))
        return _emitted(lowering, call, x, weight, bias, (1, 1, prod(sizes)), centred=centred)

    return convert


def _channels(groups: Callable[[Call, int], int]) -> Converter:
    """Operands: activation (1, C, ...), factors and terms (C,) or one a group; ``groups``: of a call and C."""

    def convert(lowering: Lowering, call: Call) -> Value:
        x = lowering.activation(call)
        if len(x.shape) < 3 or x.shape[0] != 1:
            raise UnsupportedError(f"is supported on (1, channels, ...), not on {x.shape}")
        channels, count = x.shape[1], groups(call, x.shape[1])
        if count < 1 or channels % count:
            raise ValueError(f"has {count} groups of {channels} channels")
        x = lowering.arranged(call, x, channels_last(len(x.shape)))
        sizes = count, channels // count
        weight, bias = (
            np.broadcast_to(each.reshape(-1, each.size // count or 1), sizes) for each in _constants(lowering, call)
        )
        return _emitted(lowering, call, x, weight, bias, (prod(x.shape[2:]), *sizes), centred=True)

    return convert


def _constants(lowering: Lowering, call: Call) -> list[NDArray[np.float64]]:
    """Factors and terms; 1 and 0 where there are none."""
    known = lowering.known(call, 1), lowering.known(call, 2)
    return [np.array(default) if each is None else each.real for each, default in zip(known, (1.0, 0.0), strict=True)]


def _emitted(
    lowering: Lowering,
    call: Call,
    x: Placed,
    weight: NDArray[np.float64],
    bias: NDArray[np.float64],
    sizes: tuple[int, int, int],
    *,
    centred: bool,
) -> Placed:
    """``sizes``: pixels, groups and channels of ``x`` as it lies."""
    pixels, groups, channels = sizes
    if pixels * channels > MOST:
        raise UnsupportedError(f"normalises {pixels * channels} elements together; at most {MOST}")
    constants = (lowering.constant(Known(each.astype(np.float32).ravel()), "norm") for each in (weight, bias))
    options = {
        "Pixels": pixels,
        "Groups": groups,
        "Channels": channels,
        "Epsilon": float(call.options.get("epsilon", _EPSILON)),
        "Centred": centred,
    }
    return lowering.emit(call, "NORMALIZATION", [x.index, *constants], x.shape, x.order, options)


CONVERTERS: Mapping[str, Converter] = {
    "GroupNormalization": _channels(lambda call, channels: int(call.options.get("num_groups", 1))),
    "InstanceNormalization": _channels(lambda call, channels: channels),
    "LayerNormalization": _layer(centred=True),
    "RMSNormalization": _layer(centred=False),
    "SimplifiedLayerNormalization": _layer(centred=False),
}
