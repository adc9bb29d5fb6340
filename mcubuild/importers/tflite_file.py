"""A .tflite file as plain data, checked on the way: indices, sizes, types, quantisation.

The flatbuffer is read through the generated bindings of the package ``tflite``. They trust the file; so everything is
read once, here, and whatever they trip over is reported as a damaged file.
"""

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from mcubuild.errors import BuildError

_MOST_BYTES: Final = 1 << 28
_MOST_OPERATORS: Final = 4096
_MOST_TENSORS: Final = 16384
_MOST_ELEMENTS: Final = 1 << 24
"""Limits far above what any microcontroller runs, so that a hostile file costs neither time nor memory."""

_DAMAGE = (
    struct.error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    TypeError,
    UnicodeDecodeError,
    ValueError,
)
"""What the bindings raise when offsets or lengths make no sense."""

_TYPES: Final[Mapping[str, str]] = {
    "FLOAT32": "<f4",
    "FLOAT16": "<f2",
    "INT32": "<i4",
    "UINT8": "u1",
    "INT64": "<i8",
    "INT8": "i1",
    "INT16": "<i2",
}
"""Types of tensors whose values can be read, with numpy's names."""

_OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "AddOptions": ("FusedActivationFunction",),
    "BatchMatMulOptions": ("AdjX", "AdjY"),
    "CallOnceOptions": ("InitSubgraphIndex",),
    "ConcatenationOptions": ("Axis", "FusedActivationFunction"),
    "Conv2DOptions": (
        "Padding",
        "StrideW",
        "StrideH",
        "FusedActivationFunction",
        "DilationWFactor",
        "DilationHFactor",
    ),
    "DepthwiseConv2DOptions": (
        "Padding",
        "StrideW",
        "StrideH",
        "FusedActivationFunction",
        "DilationWFactor",
        "DilationHFactor",
    ),
    "DepthToSpaceOptions": ("BlockSize",),
    "DivOptions": ("FusedActivationFunction",),
    "FullyConnectedOptions": ("FusedActivationFunction", "WeightsFormat"),
    "GatherOptions": ("Axis", "BatchDims"),
    "L2NormOptions": ("FusedActivationFunction",),
    "LeakyReluOptions": ("Alpha",),
    "MirrorPadOptions": ("Mode",),
    "MulOptions": ("FusedActivationFunction",),
    "PackOptions": ("Axis",),
    "Pool2DOptions": ("Padding", "StrideW", "StrideH", "FilterWidth", "FilterHeight", "FusedActivationFunction"),
    "ReducerOptions": ("KeepDims",),
    "ResizeBilinearOptions": ("AlignCorners", "HalfPixelCenters"),
    "ResizeNearestNeighborOptions": ("AlignCorners", "HalfPixelCenters"),
    "SoftmaxOptions": ("Beta",),
    "SpaceToDepthOptions": ("BlockSize",),
    "StridedSliceOptions": ("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask", "Offset"),
    "SubOptions": ("FusedActivationFunction",),
    "SVDFOptions": ("Rank",),
    "TransposeConvOptions": ("Padding", "StrideW", "StrideH", "FusedActivationFunction"),
    "UnidirectionalSequenceLSTMOptions": ("FusedActivationFunction", "CellClip", "TimeMajor"),
    "UnpackOptions": ("Axis",),
    "VarHandleOptions": ("Container", "SharedName"),
}
"""The options that are read, by table. Every other table is skipped."""


@dataclass(frozen=True)
class FileTensor:
    """A tensor of the file."""

    index: int
    name: str
    """Printable ASCII without quotes and comment marks; need not be unique."""
    shape: tuple[int, ...]
    """As in the file; a scalar's is empty."""
    dtype: str
    """The schema's name, such as ``INT8``."""
    scale: tuple[float, ...]
    """Empty where the tensor is not quantised."""
    zero_point: tuple[int, ...]
    """As many as scales."""
    axis: int
    """To which several scales belong."""
    values: NDArray[Any] | None
    """Of a constant: ``shape``, a view of the file where the type is read; INT4 as one int8 each."""
    variable: bool = False
    """Whether its operator keeps something in it from run to run."""
    unsigned: bool = False
    """Whether it is INT8 here and UINT8 in the file: 128 more (``importers.unsigned``)."""

    @property
    def said(self) -> str:
        """The type that the file says."""
        return "UINT8" if self.unsigned else self.dtype

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class FileOperator:
    """An operator of the file."""

    index: int
    kind: str
    """The schema's name, such as ``CONV_2D``; ``CUSTOM`` ones have theirs behind a colon."""
    inputs: tuple[int, ...]
    """Tensors; -1 for an optional one that is not there."""
    outputs: tuple[int, ...]
    options: Mapping[str, int | float | bool | str]
    """By the bindings' names; those that the file leaves out have the schema's defaults."""
    place: str = ""
    """What the network's author calls it, if that is not the index and the kind."""


@dataclass(frozen=True)
class File:
    """The network in a .tflite file."""

    path: Path
    tensors: tuple[FileTensor, ...]
    operators: tuple[FileOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    orders: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    """Of inputs and outputs whose axes its author has elsewhere: axis i of the tensor is the author's ``orders[i]``."""
    once: Mapping[int, "File"] = field(default_factory=dict)
    """The graphs that run once, before the first run, by number."""


def read_file(path: Path) -> File:
    """The network in ``path``.

    Raises:
        BuildError: the file is missing, damaged, or larger than any microcontroller's.
    """
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise BuildError(f"{path}: {size} bytes; a network for a microcontroller has at most {_MOST_BYTES}.")
        data = path.read_bytes()
    except OSError as error:
        raise BuildError(f"{path}: cannot be read ({error.strerror}); [model] file names a .tflite file.") from None
    try:
        return _Reader(path, data).file()
    except _DAMAGE as error:
        raise BuildError(f"{path}: not a TensorFlow Lite model, or damaged ({error}); export it again.") from None


class _Reader:
    """Walks through one file; raises any of ``_DAMAGE``."""

    def __init__(self, path: Path, data: bytes) -> None:
        import tflite

        if data[4:8] != b"TFL3":
            raise ValueError(f"it does not begin as one: found {data[4:8]!r}, expected b'TFL3'")
        self._path = path
        self._left = 4 * len(data) + (1 << 20)
        self._bindings: Any = tflite
        self._model = tflite.Model.GetRootAs(data, 0)
        self._types = {code: name for name, code in vars(tflite.TensorType).items() if isinstance(code, int)}
        self._kinds = {code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)}
        self._tables = {code: name for name, code in vars(tflite.BuiltinOptions).items() if isinstance(code, int)}

    def file(self) -> File:
        if self._model.SubgraphsLength() < 1:
            raise ValueError("it holds no graph")
        file = self._graph(0)
        calls = [op.options.get("InitSubgraphIndex") for op in file.operators if op.kind == "CALL_ONCE"]
        return replace(file, once={number: self._graph(number) for number in calls if isinstance(number, int)})

    def _graph(self, number: int) -> File:
        if not 0 <= number < self._model.SubgraphsLength():
            raise ValueError(f"it calls graph {number}, which does not exist")
        graph = self._model.Subgraphs(number)
        tensors = _items(graph.TensorsLength(), graph.Tensors, _MOST_TENSORS, "tensors")
        operators = _items(graph.OperatorsLength(), graph.Operators, _MOST_OPERATORS, "operators")
        file = File(
            path=self._path,
            tensors=tuple(self._tensor(index, tensor) for index, tensor in enumerate(tensors)),
            operators=tuple(self._operator(index, operator) for index, operator in enumerate(operators)),
            inputs=self._numbers(graph.InputsAsNumpy()),
            outputs=self._numbers(graph.OutputsAsNumpy()),
        )
        named = [*file.inputs, *file.outputs, *(each for op in file.operators for each in op.outputs)]
        optional = [each for op in file.operators for each in op.inputs]
        for each in [*named, *(each for each in optional if each != -1)]:
            if not 0 <= each < len(file.tensors):
                raise ValueError(f"there is no tensor {each} among {len(file.tensors)}")
        return file

    def _tensor(self, index: int, tensor: Any) -> FileTensor:
        shape = self._numbers(tensor.ShapeAsNumpy())
        if any(size < 0 for size in shape) or math.prod(shape) > _MOST_ELEMENTS:
            raise ValueError(f"tensor {index} has shape {shape}, must have 0 to {_MOST_ELEMENTS} elements")
        dtype = self._types.get(tensor.Type(), f"type {tensor.Type()}")
        scale, zero_point, axis = self._quantization(index, tensor.Quantization())
        return FileTensor(
            index=index,
            name=_printable(tensor.Name() or b""),
            shape=shape,
            dtype=dtype,
            scale=scale,
            zero_point=zero_point,
            axis=axis,
            values=self._values(index, tensor, shape, dtype),
            variable=bool(tensor.IsVariable()),
        )

    def _quantization(self, index: int, quantization: Any) -> tuple[tuple[float, ...], tuple[int, ...], int]:
        if quantization is None or quantization.ScaleLength() == 0:
            return (), (), 0
        scales = quantization.ScaleAsNumpy()
        self._spend(scales.nbytes)
        scale: tuple[float, ...] = tuple(scales.tolist())
        zero_point = self._numbers(quantization.ZeroPointAsNumpy()) or (0,) * len(scale)
        if not all(0 <= value < math.inf for value in scale):  # 0: of a channel without weights
            raise ValueError(f"tensor {index} has a scale that is negative or not finite")
        if len(zero_point) != len(scale) or not all(-(2**31) <= value < 2**31 for value in zero_point):
            raise ValueError(f"tensor {index} has {len(scale)} scales and zero points that do not go with them")
        return scale, zero_point, int(quantization.QuantizedDimension())

    def _values(self, index: int, tensor: Any, shape: tuple[int, ...], dtype: str) -> NDArray[Any] | None:
        number = tensor.Buffer()
        if not 0 <= number < self._model.BuffersLength():
            raise ValueError(f"tensor {index} lies in buffer {number}, which does not exist")
        buffer = self._model.Buffers(number)
        if buffer is None or buffer.Offset() > 1:
            raise ValueError(f"tensor {index} has values outside the flatbuffer")
        if buffer.DataLength() == 0:
            return None
        if tensor.Sparsity() is not None:
            raise ValueError(f"tensor {index} is sparse, which is not read")
        data = buffer.DataAsNumpy()
        self._spend(data.nbytes)
        if dtype == "INT4":
            return _halves(data, shape)
        if dtype not in _TYPES:
            return np.asarray(data)  # only an operator that is refused anyway can have it
        values = np.frombuffer(data, np.dtype(_TYPES[dtype]))
        if values.size != math.prod(shape):
            raise ValueError(f"tensor {index} of shape {shape} has {values.size} values")
        return values.reshape(shape)

    def _operator(self, index: int, operator: Any) -> FileOperator:
        number = operator.OpcodeIndex()
        if not 0 <= number < self._model.OperatorCodesLength():
            raise ValueError(f"operator {index} has code {number}, which does not exist")
        code = self._model.OperatorCodes(number)
        builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        kind = self._kinds.get(builtin, f"operator code {builtin}")
        if kind == "CUSTOM":
            kind = f"CUSTOM:{_printable(code.CustomCode() or b'')}"
        return FileOperator(
            index=index,
            kind=kind,
            inputs=self._numbers(operator.InputsAsNumpy()),
            outputs=self._numbers(operator.OutputsAsNumpy()),
            options=self._options(operator),
        )

    def _numbers(self, values: NDArray[np.integer[Any]] | Literal[0]) -> tuple[int, ...]:
        """A vector of integers; the bindings give 0 for one that is not there."""
        if isinstance(values, int):
            return ()
        self._spend(values.nbytes)
        return tuple(values.tolist())

    def _spend(self, count: int) -> None:
        """Note that so many bytes were read: vectors of a hostile file may overlap, and be read again and again."""
        self._left -= count
        if self._left < 0:
            raise ValueError("its parts overlap")

    def _options(self, operator: Any) -> Mapping[str, int | float | bool | str]:
        name = self._tables.get(operator.BuiltinOptionsType(), "")
        table = operator.BuiltinOptions()
        if table is None or name not in _OPTIONS:
            return {}
        options = getattr(self._bindings, name)()
        options.Init(table.Bytes, table.Pos)
        found = {field: getattr(options, field)() for field in _OPTIONS[name]}
        return {key: value.decode() if isinstance(value, bytes) else value for key, value in found.items()}


def _halves(data: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.int8]:
    """4-bit numbers, two to a byte, the first in the low half, as int8 of ``shape``."""
    count = math.prod(shape)
    if data.size != (count + 1) // 2:
        raise ValueError(f"a tensor of shape {shape} has {data.size} bytes for 4 bits each")
    low, high = (data << 4).view(np.int8) >> 4, data.view(np.int8) >> 4
    return np.stack([low, high], axis=1).ravel()[:count].reshape(shape)


def _items(count: int, item: Callable[[int], Any], most: int, what: str) -> list[Any]:
    if count > most:
        raise ValueError(f"it has {count} {what}; at most {most} are read")
    return [item(index) for index in range(count)]


def _printable(name: bytes) -> str:
    """Safe in messages, in C comments and in file names."""
    allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
    return "".join(letter if letter in allowed else "_" for letter in name[-200:].decode("ascii", "replace"))
