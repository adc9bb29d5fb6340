"""Writes small .tflite files, with the builder functions of the package ``tflite``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import tflite
from numpy.typing import NDArray

_TYPES = {
    name: name.upper()
    for name in ("float16", "float32", "int4", "int8", "int16", "int32", "int64", "resource", "uint8")
}

_OPTIONS = {
    "CALL_ONCE": "CallOnceOptions",
    "ADD": "AddOptions",
    "ARG_MAX": "ArgMaxOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "BATCH_MATMUL": "BatchMatMulOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "DEPTH_TO_SPACE": "DepthToSpaceOptions",
    "DIV": "DivOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "GATHER": "GatherOptions",
    "L2_NORMALIZATION": "L2NormOptions",
    "LEAKY_RELU": "LeakyReluOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "MIRROR_PAD": "MirrorPadOptions",
    "MUL": "MulOptions",
    "PACK": "PackOptions",
    "REDUCE_MAX": "ReducerOptions",
    "RESHAPE": "ReshapeOptions",
    "RESIZE_BILINEAR": "ResizeBilinearOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    "SOFTMAX": "SoftmaxOptions",
    "SPACE_TO_DEPTH": "SpaceToDepthOptions",
    "SPLIT": "SplitOptions",
    "SPLIT_V": "SplitVOptions",
    "SQUEEZE": "SqueezeOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "SUB": "SubOptions",
    "SUM": "ReducerOptions",
    "SVDF": "SVDFOptions",
    "TRANSPOSE": "TransposeOptions",
    "TRANSPOSE_CONV": "TransposeConvOptions",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTMOptions",
    "UNPACK": "UnpackOptions",
    "VAR_HANDLE": "VarHandleOptions",
}


class Writer:
    """A network under construction; tensors are known by their numbers."""

    def __init__(self) -> None:
        self._builder = flatbuffers.Builder(1024)
        self._tensors: list[int] = []
        self._operators: list[int] = []
        self._codes: dict[str, int] = {}
        self._buffers = [self._buffer(None)]
        self._others: list[int] = []
        self.shapes: list[tuple[int, ...]] = []

    def tensor(
        self,
        shape: tuple[int, ...],
        dtype: str = "int8",
        scale: float | list[float] | None = None,
        zero_point: int = 0,
        axis: int = 0,
        values: NDArray[Any] | None = None,
        name: str | None = None,
        variable: bool = False,
    ) -> int:
        """A tensor; with ``values`` a constant. ``scale`` of a list is one scale for each index of ``axis``.

        ``variable``: its operator keeps something in it from run to run.
        """
        build = self._builder
        number = 0
        if values is not None:
            number = len(self._buffers)
            self._buffers.append(self._buffer(_halves(values) if dtype == "int4" else np.asarray(values, dtype)))
        text = build.CreateString(name or f"tensor/{len(self._tensors)}")
        quantization = None
        if scale is not None:
            scales = scale if isinstance(scale, list) else [scale]
            first = build.CreateNumpyVector(np.array(scales, np.float32))
            second = build.CreateNumpyVector(np.full(len(scales), zero_point, np.int64))
            tflite.QuantizationParametersStart(build)
            tflite.QuantizationParametersAddScale(build, first)
            tflite.QuantizationParametersAddZeroPoint(build, second)
            tflite.QuantizationParametersAddQuantizedDimension(build, axis)
            quantization = tflite.QuantizationParametersEnd(build)
        dims = build.CreateNumpyVector(np.array(shape, np.int32))
        tflite.TensorStart(build)
        tflite.TensorAddShape(build, dims)
        tflite.TensorAddType(build, getattr(tflite.TensorType, _TYPES[dtype]))
        tflite.TensorAddBuffer(build, number)
        tflite.TensorAddName(build, text)
        tflite.TensorAddIsVariable(build, variable)
        if quantization is not None:
            tflite.TensorAddQuantization(build, quantization)
        self._tensors.append(tflite.TensorEnd(build))
        self.shapes.append(shape)
        return len(self._tensors) - 1

    def operator(self, kind: str, inputs: list[int], outputs: list[int], **options: Any) -> None:
        """An operator; options by the schema's names, such as ``StrideW=2``."""
        build = self._builder
        table = _OPTIONS.get(kind)
        made = None
        texts = {field: build.CreateString(value) for field, value in options.items() if isinstance(value, str)}
        options |= texts
        if table is not None:
            getattr(tflite, f"{table}Start")(build)
            for field, value in options.items():
                getattr(tflite, f"{table}Add{field}")(build, value)
            made = getattr(tflite, f"{table}End")(build)
        sources = build.CreateNumpyVector(np.array(inputs, np.int32))
        targets = build.CreateNumpyVector(np.array(outputs, np.int32))
        code = self._codes.setdefault(kind, len(self._codes))
        tflite.OperatorStart(build)
        tflite.OperatorAddOpcodeIndex(build, code)
        tflite.OperatorAddInputs(build, sources)
        tflite.OperatorAddOutputs(build, targets)
        if made is not None:
            tflite.OperatorAddBuiltinOptionsType(build, getattr(tflite.BuiltinOptions, str(table)))
            tflite.OperatorAddBuiltinOptions(build, made)
        self._operators.append(tflite.OperatorEnd(build))

    def finish(self, inputs: list[int], outputs: list[int], custom: bytes | None = None) -> bytes:
        """The file. It can be written once."""
        build = self._builder
        codes = []
        for kind in self._codes:
            number = getattr(tflite.BuiltinOperator, kind)
            tflite.OperatorCodeStart(build)
            tflite.OperatorCodeAddDeprecatedBuiltinCode(build, min(number, 127))
            tflite.OperatorCodeAddBuiltinCode(build, number)
            tflite.OperatorCodeAddVersion(build, 1)
            codes.append(tflite.OperatorCodeEnd(build))
        graphs = self._vector([self._graph(inputs, outputs), *self._others])
        buffers, code_vector = self._vector(self._buffers), self._vector(codes)
        tflite.ModelStart(build)
        tflite.ModelAddVersion(build, 3)
        tflite.ModelAddOperatorCodes(build, code_vector)
        tflite.ModelAddSubgraphs(build, graphs)
        tflite.ModelAddBuffers(build, buffers)
        build.Finish(tflite.ModelEnd(build), file_identifier=b"TFL3")
        return bytes(build.Output())

    @contextmanager
    def another(self) -> Iterator[int]:
        """Write tensors and operators of another graph meanwhile, with numbers of their own; its number."""
        own = self._tensors, self._operators, self.shapes
        self._tensors, self._operators, self.shapes = [], [], []
        yield len(self._others) + 1
        self._others.append(self._graph([], []))
        self._tensors, self._operators, self.shapes = own

    def _graph(self, inputs: list[int], outputs: list[int]) -> int:
        build = self._builder
        sources = build.CreateNumpyVector(np.array(inputs, np.int32))
        targets = build.CreateNumpyVector(np.array(outputs, np.int32))
        tensors, operators = self._vector(self._tensors), self._vector(self._operators)
        tflite.SubGraphStart(build)
        tflite.SubGraphAddTensors(build, tensors)
        tflite.SubGraphAddOperators(build, operators)
        tflite.SubGraphAddInputs(build, sources)
        tflite.SubGraphAddOutputs(build, targets)
        return int(tflite.SubGraphEnd(build))

    def _buffer(self, values: NDArray[Any] | None) -> int:
        build = self._builder
        data = None
        if values is not None:
            data = build.CreateNumpyVector(np.frombuffer(values.tobytes(), np.uint8))
        tflite.BufferStart(build)
        if data is not None:
            tflite.BufferAddData(build, data)
        return int(tflite.BufferEnd(build))

    def _vector(self, offsets: list[int]) -> int:
        build = self._builder
        build.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            build.PrependUOffsetTRelative(offset)
        return int(build.EndVector())


def _halves(values: NDArray[Any]) -> NDArray[np.uint8]:
    """4-bit numbers, two to a byte, the first in the low half."""
    flat = np.asarray(values, np.int8).ravel().view(np.uint8) & 15
    padded = np.pad(flat, (0, flat.size % 2))
    return np.asarray(padded[0::2] | padded[1::2] << 4, np.uint8)


def write(path: Path, data: bytes) -> Path:
    """Write a file; its path."""
    path.write_bytes(data)
    return path
