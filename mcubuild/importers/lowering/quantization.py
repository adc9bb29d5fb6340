"""Real numbers and levels: QuantizeLinear, DequantizeLinear, and operators that have both inside."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mcubuild.importers.builder import UnsupportedError
from mcubuild.importers.lowering.lowering import Lowering, Value
from mcubuild.importers.lowering.place import Grid, Known
from mcubuild.importers.program import Call, Program

_TYPES: Final[Mapping[str, tuple[str, int]]] = {
    "int8": ("INT8", 0), "uint8": ("INT8", 128), "int16": ("INT16", 0), "uint16": ("INT16", 1 << 15)
}  # fmt: skip
"""Of levels: the file's type, and what is subtracted from them, and from their zero point, without changing a value."""
HALF_EVEN: Final = {"HalfEven": True}
"""The option of QUANTIZE that rounds as ONNX does."""


def _grid(lowering: Lowering, call: Call, rank: int, dtype: str | None = None) -> tuple[Grid, str]:
    """Scales and zero points as the program has them, and the type of levels.

    Args:
        lowering: reads the operands.
        call: the operator.
        rank: of what is quantised.
        dtype: of levels, where the operator does not say.
    """
    scale, zero = lowering.known(call, 1), lowering.known(call, 2)
    if scale is None:
        raise ValueError("has no scale")
    if call.options.get("block_size"):
        raise UnsupportedError("has scales for blocks; quantise a tensor or a channel at a time")
    scales = scale.values.astype(np.float32).ravel()
    if not (np.isfinite(scales) & (scales >= 0)).all() or not len(scales):
        raise ValueError("has a scale that is negative or not finite")
    if dtype is None:
        dtype = _OUTPUTS.get(call.options.get("output_dtype", 0), "uint8") if zero is None else zero.values.dtype.name
    zeros = np.zeros(len(scales), np.int64) if zero is None else zero.values.ravel().astype(np.int64)
    if len(zeros) != len(scales):
        raise ValueError(f"has {len(scales)} scales and {len(zeros)} zero points")
    axis = call.options.get("axis", 1)
    if len(scales) > 1 and not -rank <= axis < rank:
        raise ValueError(f"has axis {axis}; its operand has {rank} axes")
    return Grid(tuple(scales.tolist()), tuple(zeros.tolist()), axis % rank if rank else 0), dtype


_OUTPUTS: Final[Mapping[int, str]] = {2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 22: "int4", 21: "uint4"}
"""ONNX's numbers of types."""
_LIMITS: Final[Mapping[str, tuple[int, int]]] = {"int4": (-8, 7), "uint4": (0, 15)}


def _quantize(lowering: Lowering, call: Call) -> Value:
    x = lowering.value(call, 0)
    grid, dtype = _grid(lowering, call, len(x.shape))
    if isinstance(x, Known):
        return Known(_levels(x, grid, dtype))
    if dtype not in _TYPES or len(grid.scale) > 1:
        found = f"{len(grid.scale)} scales" if len(grid.scale) > 1 else dtype
        raise UnsupportedError(f"quantises an activation with {found}; must have one scale, of int8, uint8 or int16")
    kind, less = _TYPES[dtype]
    place = lowering.emit(
        call, "QUANTIZE", [x.index], x.shape, x.order, HALF_EVEN,
        dtype=kind, scale=grid.scale, zero_point=(grid.zero_point[0] - less,),
    )  # fmt: skip
    if dtype == "uint8":
        lowering.unsigned.add(place.index)
    return place


def _levels(x: Known, grid: Grid, dtype: str) -> NDArray[Any]:
    """Levels of a constant: in float32, rounded half to even, as ONNX defines it."""
    along = (-1, *(1,) * (len(x.shape) - 1 - grid.axis)) if len(grid.scale) > 1 else ()
    scale = np.array(grid.scale, np.float32).reshape(along)
    zero = np.array(grid.zero_point).reshape(along)
    container = np.dtype(dtype.replace("4", "8") if dtype in _LIMITS else dtype)
    ends = _LIMITS.get(dtype) or (np.iinfo(container).min, np.iinfo(container).max)
    steps = np.rint(x.real.astype(np.float32) / np.where(scale == 0, np.float32(1), scale)).astype(np.float64)
    return np.asarray(np.clip(steps + zero, *ends), container)


def _dequantize(lowering: Lowering, call: Call) -> Value:
    x = lowering.value(call, 0)
    if isinstance(x, Known):
        grid, _ = _grid(lowering, call, len(x.shape), x.values.dtype.name)
        return _on_grid(x, grid)
    tensor = lowering.tensors[x.index]
    if tensor.dtype == "FLOAT32":
        raise ValueError("dequantises what is real already")
    unsigned = tensor.dtype == "UINT8" or x.index in lowering.unsigned
    grid, _ = _grid(lowering, call, len(x.shape), "uint8" if unsigned else "int8")
    if len(grid.scale) > 1:
        raise UnsupportedError(f"dequantises an activation with {len(grid.scale)} scales, must have one")
    zero = grid.zero_point[0] - (128 if x.index in lowering.unsigned else 0)
    if not tensor.scale:  # an input of the network: nothing says before what its levels are
        tensor = lowering.tensors[x.index] = replace(tensor, scale=grid.scale, zero_point=(zero,))
    if (tensor.scale, tensor.zero_point) != (grid.scale, (zero,)):
        raise UnsupportedError(
            f"dequantises with scale {grid.scale[0]:g} and zero point {grid.zero_point[0]} what was quantised with "
            f"others"
        )
    if tensor.dtype == "UINT8":
        x = lowering.emit(
            call, "QUANTIZE", [x.index], x.shape, x.order, dtype="INT8", scale=grid.scale, zero_point=(zero - 128,)
        )
    return lowering.emit(call, "DEQUANTIZE", [x.index], x.shape, x.order)


def _on_grid(x: Known, grid: Grid) -> Known:
    """Constant levels with what they stand for; uint8 as int8."""
    if x.values.dtype.kind not in "iu":
        raise ValueError(f"dequantises constants of {x.values.dtype}")
    if len(grid.scale) > 1 and len(grid.scale) != x.shape[grid.axis]:
        raise ValueError(f"has {len(grid.scale)} scales for {x.shape[grid.axis]} channels")
    if x.values.dtype == np.uint8:
        shifted = (x.values.astype(np.int16) - 128).astype(np.int8)
        return Known(shifted, replace(grid, zero_point=tuple(zero - 128 for zero in grid.zero_point)))
    if x.values.dtype.itemsize == 8:
        return Known(x.values.astype(np.int32), grid)
    return Known(x.values, grid)


def symmetric(known: Known) -> Known:
    """Weights with zero points of 0.

    Raises:
        UnsupportedError: without its zero point a level leaves 8 bits.
    """
    grid = known.grid
    if grid is None or not any(grid.zero_point):
        return known
    along = (-1, *(1,) * (known.values.ndim - 1 - grid.axis)) if len(grid.scale) > 1 else ()
    levels = known.values.astype(np.int64) - np.array(grid.zero_point).reshape(along)
    if levels.min() < -128 or levels.max() > 127:
        raise UnsupportedError(
            f"has weights with zero point {next(filter(None, grid.zero_point))} (as int8), without which they leave 8 "
            f"bits; quantise weights symmetrically"
        )
    return Known(levels.astype(np.int8), replace(grid, zero_point=(0,) * len(grid.scale)))


# ---- operators with quantisation inside ------------------------------------------------------------------------------


class _Parts:
    """Calls in place of one, and the names between them."""

    def __init__(self, call: Call, constants: dict[str, NDArray[Any]]) -> None:
        self._call = call
        self._constants = constants
        self._count = 0

    def fresh(self) -> str:
        self._count += 1
        return f"{self._call.outputs[0]}/part{self._count}"

    def real(self, level: str, scale: str, zero: str) -> tuple[str, Call]:
        name = self.fresh()
        options = {"axis": 0}  # of the filters; a single scale has none
        return name, replace(
            self._call, kind="DequantizeLinear", inputs=(level, scale, zero), outputs=(name,), options=options
        )

    def bias(self, level: str, *scales: str) -> tuple[str, Call]:
        """Sums, whose scale is the product of the operands'."""
        first, second = (self._constants.get(scale) for scale in scales)
        if first is None or second is None:
            raise UnsupportedError("has scales that are no constants")
        name = self.fresh()
        self._constants[name] = np.asarray(first * second, np.float32)
        return self.real(level, name, "")


def _linear(call: Call, parts: _Parts) -> Iterator[Call]:
    """A call with levels for operands and result, as three kinds of calls."""
    kind, operands, scale, zero, sums = _INSIDE[call.kind]
    inputs = list[str]()
    names = [*call.inputs, *[""] * 9]
    positions = operands or tuple(range(2, len(call.inputs), 3))
    for position in positions:
        name, before = parts.real(*names[position : position + 3])
        inputs.append(name)
        yield before
    if sums is not None and names[sums]:
        name, before = parts.bias(names[sums], names[1], names[4])
        inputs.append(name)
        yield before
    result = parts.fresh()
    yield replace(call, kind=kind, inputs=tuple(inputs), outputs=(result,))
    yield replace(call, kind="QuantizeLinear", inputs=(result, names[scale], names[zero]), options={})


_INSIDE: Final[Mapping[str, tuple[str, tuple[int, ...], int, int, int | None]]] = {
    "QLinearConv": ("Conv", (0, 3), 6, 7, 8),
    "QLinearMatMul": ("MatMul", (0, 3), 6, 7, None),
    "QGemm": ("Gemm", (0, 3), 7, 8, 6),
    "QLinearAdd": ("Add", (0, 3), 6, 7, None),
    "QLinearMul": ("Mul", (0, 3), 6, 7, None),
    "QLinearSigmoid": ("Sigmoid", (0,), 3, 4, None),
    "QLinearLeakyRelu": ("LeakyRelu", (0,), 3, 4, None),
    "QLinearSoftmax": ("Softmax", (0,), 3, 4, None),
    "QLinearGlobalAveragePool": ("GlobalAveragePool", (0,), 3, 4, None),
    "QLinearAveragePool": ("AveragePool", (0,), 3, 4, None),
    "QLinearConcat": ("Concat", (), 0, 1, None),
}
"""What is computed; positions of operands (each followed by scale and zero point), of the result's, and of sums."""
KINDS: Final = tuple(_INSIDE)


def expanded(program: Program) -> Program:
    """The program with levels and real numbers apart."""
    constants, calls = dict(program.constants), list[Call]()
    for call in program.calls:
        if call.kind == "Constant" and "value" in call.options:
            constants[call.outputs[0]] = np.asarray(call.options["value"])
        elif call.kind in _INSIDE:
            calls.extend(_linear(call, _Parts(call, constants)))
        else:
            calls.append(call)
    return replace(program, calls=tuple(calls), constants=constants)


CONVERTERS: Mapping[str, Callable[[Lowering, Call], Value]] = {
    "QuantizeLinear": _quantize,
    "DequantizeLinear": _dequantize,
}
