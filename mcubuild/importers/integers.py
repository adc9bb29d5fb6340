"""Files of real numbers between QUANTIZE and DEQUANTIZE, as files of operators on levels.

Exporters write an operator on levels as DEQUANTIZE, the operator on real numbers, QUANTIZE; networks that were never
quantised have the operators alone. Either way the levels of each result have to be known: from the QUANTIZE behind it,
from an operator that only moves or clamps it, or else from a ``Quantizer``, which has seen samples.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from mcubuild.importers.builder import UnsupportedError, describe
from mcubuild.importers.reals import FUNCTIONS, is_function
from mcubuild.importers.refusals import refused
from mcubuild.importers.tflite_file import File, FileOperator, FileTensor
from mcubuild.ir.graph import Quantization
from mcubuild.ir.ops.normalize import fraction

Floats = NDArray[np.float64]

_CLAMPS: Final = ("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "MAXIMUM", "MINIMUM")
_MOVES: Final = (
    "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "STRIDED_SLICE", "SLICE", "SPLIT", "SPLIT_V", "GATHER", "PAD",
    "MIRROR_PAD", "CONCATENATION", "PACK", "UNPACK", "MAX_POOL_2D", "RESIZE_NEAREST_NEIGHBOR", "DEPTH_TO_SPACE",
    "SPACE_TO_DEPTH", "REDUCE_MAX",
)  # fmt: skip
"""Operators that do the same to levels as to real numbers; a clamp before them is a clamp behind them."""
_SAME: Final = (*_MOVES, "PADV2", "AVERAGE_POOL_2D", "RESIZE_BILINEAR")
"""Operators whose result has their operand's levels."""
_JOINT: Final = ("CONCATENATION", "PACK", "MAXIMUM", "MINIMUM", "PADV2")
"""Operators whose operands need the result's levels."""
_FIXED: Final = {
    "SOFTMAX": Quantization((1 / 256,), -128),
    "LOG_SOFTMAX": Quantization((1 / 16,), 127),
    "L2_NORMALIZATION": Quantization((1 / 128,), 0),
}
"""Levels that results have whatever is asked for."""
_RANGED: Final = {"LOGISTIC": Quantization((1 / 256,), -128), "TANH": Quantization((1 / 128,), 0), **_FIXED}
"""Levels of results whose range is known without samples."""
_WEIGHTED: Final = {
    "CONV_2D": (0, 1, 2, 0),
    "DEPTHWISE_CONV_2D": (0, 1, 2, 3),
    "FULLY_CONNECTED": (0, 1, 2, 0),
    "TRANSPOSE_CONV": (2, 1, 3, 0),
}
"""Positions of activation, weights and bias, and the weights' axis of output channels."""
ADVICE: Final = "give samples to quantise it by, a dataset or [model] inputs, or quantise it before the export"


class Quantizer(Protocol):
    """What gives levels to real numbers of which the file says none."""

    def activation(self, index: int) -> Quantization:
        """Of tensor ``index``."""

    def constant(self, values: Floats) -> tuple[NDArray[np.int8], Quantization]:
        """Of a constant operand."""

    def weights(
        self, values: Floats, bias: Floats, axis: int, input_scale: float
    ) -> tuple[NDArray[np.int8], NDArray[np.int32], tuple[float, ...]]:
        """Levels of weights and bias, and the scales of the weights' channels, which lie along ``axis``."""


def computes_reals(file: File) -> bool:
    """Whether an operator computes with real numbers, more than a function of one operand's elements, of levels."""
    functions = set[int]()
    for op in file.operators:
        real = [index for index in op.inputs if index != -1 and file.tensors[index].dtype == "FLOAT32"]
        if op.kind != "QUANTIZE" and real:
            computed = [index for index in real if file.tensors[index].values is None]
            if len(computed) != 1 or computed[0] not in functions or not is_function(op, file.tensors):
                return True
        if op.kind == "DEQUANTIZE" or real:
            functions.update(op.outputs)
    return False


def integral(file: File, quantizer: Quantizer | None = None) -> File:
    """The file with operators on levels in place of those on real numbers, but for functions of single elements.

    Raises:
        BuildError: the levels of a tensor are not known, and there is no ``quantizer``.
    """
    return _Integral(file, quantizer).file()


class _Integral:
    def __init__(self, file: File, quantizer: Quantizer | None) -> None:
        self._file = file
        self._quantizer = quantizer
        self._tensors = list(file.tensors)
        self._operators = list[FileOperator]()
        self._writers = {result: op for op in file.operators for result in op.outputs}
        self._readers: dict[int, list[FileOperator]] = {}
        for op in file.operators:
            for index in dict.fromkeys(op.inputs):
                self._readers.setdefault(index, []).append(op)
        self._levels: dict[int, int] = {}
        """The tensor of levels that stands for a real one."""
        self._roots: dict[int, int] = {}
        """The tensor of levels that a real tensor, which the file still has, is a function of."""
        self._aliases: dict[int, int] = {}
        """Of real inputs: the tensor with their values as levels give them."""
        self._op: FileOperator | None = None

    def file(self) -> File:
        try:
            for op in self._file.operators:
                self._op = op
                self._convert(op)
            outputs = [self._output(index) for index in self._file.outputs]
        except (ValueError, OverflowError) as error:
            if self._op is None:
                raise
            raise refused(replace(self._file, tensors=tuple(self._tensors)), self._op, error) from None
        orders = {
            new: self._file.orders[old]
            for old, new in zip(self._file.outputs, outputs, strict=True)
            if old in self._file.orders
        }
        return replace(
            self._file, tensors=tuple(self._tensors), operators=tuple(self._operators), outputs=tuple(outputs),
            orders={**self._file.orders, **orders},
        )  # fmt: skip

    def _output(self, index: int) -> int:
        """An output of the network; a real one with levels behind it."""
        if not self._is_real(index) or index not in self._writers:
            return index
        self._op = self._writers[index]
        levels = self._known_levels(index)
        if index not in self._roots:
            self._append("DEQUANTIZE", [levels], index)
            self._roots[index] = levels
        if self._op.kind in ("DEQUANTIZE", *FUNCTIONS) and self._roots[index] != levels:
            source, index = index, len(self._tensors)
            self._tensors.append(replace(self._tensors[source], index=index))
            self._append("DEQUANTIZE", [levels], index)
        return index

    # ---- tensors -----------------------------------------------------------------------------------------------------

    def _is_real(self, index: int) -> bool:
        return index != -1 and self._tensors[index].dtype == "FLOAT32" and self._tensors[index].values is None

    def _new(self, like: int, quantization: Quantization, dtype: str = "INT8", suffix: str = "levels") -> int:
        """A tensor of levels for a real one."""
        index, source = len(self._tensors), self._tensors[like]
        self._tensors.append(
            replace(
                source,
                index=index,
                name=f"{source.name}_{suffix}",
                dtype=dtype,
                values=None,
                scale=quantization.scale,
                zero_point=(quantization.zero_point,),
            )
        )
        return index

    def _constant(self, values: NDArray[np.generic], dtype: str, scale: tuple[float, ...], axis: int, name: str) -> int:
        index = len(self._tensors)
        self._tensors.append(
            FileTensor(index, name, values.shape, dtype, scale, (0,) * len(scale), axis, np.asarray(values))
        )
        return index

    def _append(self, kind: str, operands: Sequence[int], result: int, **options: bool) -> None:
        assert self._op is not None
        self._operators.append(FileOperator(self._op.index, kind, tuple(operands), (result,), options, self._op.place))

    def _grid(self, index: int) -> Quantization:
        tensor = self._tensors[index]
        if len(tensor.scale) != 1:
            raise UnsupportedError(f"{describe(tensor)} has {len(tensor.scale)} scales, must have one")
        return Quantization(tensor.scale, tensor.zero_point[0])

    # ---- levels ------------------------------------------------------------------------------------------------------

    def _known_levels(self, index: int) -> int:
        """The tensor of levels for the real tensor ``index``, which is written already, or an input.

        Raises:
            UnsupportedError: nothing tells them.
        """
        if index not in self._levels:
            if index not in self._file.inputs and index not in self._roots:
                raise ValueError(f"reads {describe(self._tensors[index])}, which nothing writes before")
            self._levels[index] = self._chosen(index)
            self._append("QUANTIZE", [index], self._levels[index], HalfEven=True)
        return self._levels[index]

    def _chosen(self, index: int) -> int:
        """A tensor of levels for what is written to the real tensor ``index``."""
        home = self._home(index)
        return self._new(index, self._wanted(index) or self._measured(index)) if home is None else home

    def _home(self, index: int) -> int | None:
        """The result of the first QUANTIZE that reads ``index``."""
        found = (op.outputs[0] for op in self._readers.get(index, ()) if op.kind == "QUANTIZE" and op.outputs)
        return next(found, None)

    def _wanted(self, index: int) -> Quantization | None:
        """The levels that the only reader of ``index`` asks for, if it only moves or clamps."""
        for _ in self._file.operators:  # no further than there are operators
            if (home := self._home(index)) is not None:
                return self._grid(home)
            readers = self._readers.get(index, [])
            if index in self._file.outputs or len(readers) != 1 or len(readers[0].outputs) != 1:
                return None
            reader = readers[0]
            others = [self._tensors[other] for other in reader.inputs if other not in (index, -1)]
            clamps = reader.kind in _CLAMPS and all(
                other.values is not None and other.elements == 1 for other in others
            )
            if not clamps and reader.kind not in _MOVES:
                return None
            index = reader.outputs[0]
            if clamps and self._quantizer is not None and self._home(index) is None:
                return self._wanted(index) or self._measured(index)
        return None

    def _measured(self, index: int) -> Quantization:
        writer = self._writers.get(index)
        if writer is not None and writer.kind in _RANGED:
            return _RANGED[writer.kind]
        if self._quantizer is None:
            raise UnsupportedError(f"{describe(self._tensors[index])} is not quantised; {ADVICE}")
        return self._quantizer.activation(index)

    def _real(self, index: int) -> int:
        """The real tensor ``index`` of the file, or one with its values: written from its levels if it is not there."""
        index = self._aliases.get(index, index)
        if index not in self._roots:
            levels, source = self._known_levels(index), index
            if index in self._file.inputs:
                source = self._aliases[index] = len(self._tensors)
                self._tensors.append(replace(self._tensors[index], index=source))
            self._append("DEQUANTIZE", [levels], source)
            self._roots[source], self._levels[source] = levels, levels
            index = source
        return index

    # ---- operators ---------------------------------------------------------------------------------------------------

    def _convert(self, op: FileOperator) -> None:
        if not any(self._is_real(index) for index in (*op.inputs, *op.outputs)):
            self._operators.append(op)
        elif op.kind == "DEQUANTIZE":
            self._levels[op.outputs[0]] = self._roots[op.outputs[0]] = op.inputs[0]
            self._operators.append(op)
        elif op.kind == "QUANTIZE":
            self._quantize(op)
        elif is_function(op, self._tensors) and self._function(op):
            pass
        elif op.kind in _WEIGHTED:
            self._weighted(op)
        elif op.kind == "NORMALIZATION":
            self._normalized(op)
        else:
            self._plain(op)

    def _quantize(self, op: FileOperator) -> None:
        source, result = op.inputs[0], op.outputs[0]
        if self._levels.get(source) == result:  # written by the operator itself
            return
        if source in self._roots or (source in self._file.inputs and source not in self._levels):
            self._operators.append(op)
            self._levels.setdefault(source, result)
        else:
            self._append("QUANTIZE", [self._known_levels(source)], result)

    def _function(self, op: FileOperator) -> bool:
        """Whether all operands are functions of the same int8 levels; then the operator stays as it is."""
        operands = [index for index in op.inputs if self._is_real(index)]
        roots = {self._root(self._aliases.get(index, index)) for index in operands}
        if len(roots) != 1 or self._tensors[min(roots)].dtype != "INT8":
            return False
        renamed = {index: self._real(index) for index in operands}
        self._operators.append(replace(op, inputs=tuple(renamed.get(index, index) for index in op.inputs)))
        self._roots[op.outputs[0]] = min(roots)
        return True

    def _root(self, index: int) -> int:
        """The levels that a real tensor is a function of."""
        return self._roots[index] if index in self._roots else self._known_levels(index)

    def _plain(self, op: FileOperator) -> None:
        """An operator that reads and writes levels."""
        if not op.outputs:
            raise ValueError("has no result")
        reals = [index for index in op.inputs if self._is_real(index)]
        if op.kind in _SAME and op.kind not in _JOINT and reals:
            first = self._grid(self._known_levels(reals[0]))
            results = [self._placed(index, first) for index in op.outputs]
        elif op.kind in _FIXED:
            results = [self._placed(index, _FIXED[op.kind]) for index in op.outputs]
        else:
            results = [self._chosen(index) if self._is_real(index) else index for index in op.outputs]
        joint = self._grid(results[0]) if op.kind in _JOINT else None
        operands = [self._operand(index, joint) for index in op.inputs]
        self._operators.append(replace(op, inputs=tuple(operands), outputs=tuple(results)))
        for index, result in zip(op.outputs, results, strict=True):
            home = self._home(index)
            if home is not None and home != result:
                self._append("DEQUANTIZE", [result], index)
                self._append("QUANTIZE", [index], home, HalfEven=True)
                self._roots[index] = result
            self._levels[index] = result if home is None else home

    def _placed(self, index: int, quantization: Quantization) -> int:
        """A tensor with these very levels for the result ``index``."""
        home = self._home(index)
        return home if home is not None and self._grid(home) == quantization else self._new(index, quantization)

    def _operand(self, index: int, joint: Quantization | None) -> int:
        """Levels of an operand, real or constant; ``joint`` ones if there are such."""
        if index == -1 or self._tensors[index].dtype not in ("FLOAT32", "INT8", "INT16"):
            return index
        tensor = self._tensors[index]
        if tensor.values is not None:
            return self._constant_levels(tensor, joint)
        if not self._is_real(index):
            return index
        levels = self._known_levels(index)
        if joint is None or self._grid(levels) == joint:
            return levels
        again = self._new(index, joint, self._tensors[levels].dtype, "rescaled")
        self._append("QUANTIZE", [self._real(index)], again, HalfEven=True)
        return again

    def _constant_levels(self, tensor: FileTensor, joint: Quantization | None) -> int:
        if tensor.dtype != "FLOAT32" and joint is None:
            return tensor.index
        assert tensor.values is not None
        real = real_values(tensor)
        if joint is not None:
            steps = np.rint(np.clip(real / joint.scale[0], -1e6, 1e6)) + joint.zero_point
            levels, quantization = np.clip(steps, -128, 127).astype(np.int8), joint
        elif self._quantizer is None:
            raise UnsupportedError(f"{describe(tensor)} is not quantised; {ADVICE}")
        else:
            levels, quantization = self._quantizer.constant(real)
        index = self._new(tensor.index, quantization)
        self._tensors[index] = replace(self._tensors[index], values=levels)
        return index

    def _weighted(self, op: FileOperator) -> None:
        """An operator with weights and a bias, whose scale is the product of the operands'."""
        place, filters, sums, axis = _WEIGHTED[op.kind]
        operands = [*op.inputs, *[-1] * (sums + 1 - len(op.inputs))]
        weights = self._tensors[operands[filters]]
        if weights.values is None:
            raise UnsupportedError(f"has computed weights, {describe(weights)}; they must be constant")
        x = self._known_levels(operands[place])
        result = self._chosen(op.outputs[0])
        channels = weights.shape[axis] if axis < len(weights.shape) else 0
        bias = np.zeros(channels)
        if operands[sums] != -1:
            found = self._tensors[operands[sums]]
            if found.values is None or found.values.size != channels:
                raise UnsupportedError(f"its bias, {describe(found)}, must be a constant of {channels} elements")
            bias = real_values(found).reshape(channels)
        scale = self._grid(x).scale[0]
        wide = self._tensors[x].dtype == "INT16"
        if weights.dtype == "FLOAT32":
            if self._quantizer is None:
                raise UnsupportedError(f"its weights, {describe(weights)}, are not quantised; {ADVICE}")
            values, levels, scales = self._quantizer.weights(real_values(weights), bias, axis, scale)
            operands[filters] = self._constant(values, "INT8", scales, axis, weights.name)
        else:
            products = scale * np.broadcast_to(np.array(weights.scale), channels)
            steps = np.rint(bias / np.where(products > 0, products, 1.0))
            levels = np.clip(steps, -(2**31), 2**31 - 1).astype(np.int64)
        dtype, kind = ("INT64", np.int64) if wide else ("INT32", np.int32)
        if operands[sums] != -1 or levels.any():
            operands[sums] = self._constant(levels.astype(kind), dtype, (), 0, f"{weights.name}_bias")
        operands[place] = x
        self._operators.append(replace(op, inputs=tuple(operands), outputs=(result,)))
        self._levels[op.outputs[0]] = result

    def _normalized(self, op: FileOperator) -> None:
        """Weights of 16 bits, and biases that are added to normalised numbers times these."""
        x, result = self._known_levels(op.inputs[0]), self._chosen(op.outputs[0])
        weights, biases = (real_values(self._tensors[index]) for index in op.inputs[1:])
        steps = 1 << fraction(int(op.options["Pixels"]) * int(op.options["Channels"]))
        scale = max(float(np.abs(weights).max()) / 32767, float(np.abs(biases).max()) * steps / (1 << 30)) or 1.0
        operands = [x]
        for values, dtype, unit in ((weights, "INT16", scale), (biases, "INT32", scale / steps)):
            levels = np.rint(values / unit).astype(dtype.lower())
            operands.append(self._constant(levels, dtype, (unit,), 0, f"{self._tensors[op.outputs[0]].name}_{dtype}"))
        self._operators.append(replace(op, inputs=tuple(operands), outputs=(result,)))
        self._levels[op.outputs[0]] = result


def real_values(tensor: FileTensor) -> Floats:
    """The real numbers of a constant; of one without scales its values."""
    assert tensor.values is not None
    values: Floats = tensor.values.astype(np.float64)
    if not tensor.scale:
        return values
    along = [1] * values.ndim
    if len(tensor.scale) > 1:
        if not -values.ndim <= tensor.axis < values.ndim:
            raise ValueError(f"has scales along axis {tensor.axis} of {values.ndim}")
        along[tensor.axis] = len(tensor.scale)
    scale, zero = (
        np.array(each, np.float64).reshape(along if along else ()) for each in (tensor.scale, tensor.zero_point)
    )
    return np.asarray((values - zero) * scale, np.float64)
