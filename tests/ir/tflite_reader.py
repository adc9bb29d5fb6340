"""Just enough of the TensorFlow Lite file format to run the reference networks in tests.

Field numbers follow tensorflow/lite/schema/schema.fbs; RESHAPE is dropped (our FullyConnected flattens) and the graph
ends before SOFTMAX.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mcubuild.ir.graph import (
    INT8,
    Add,
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Graph,
    Op,
    Quantization,
    Tensor,
    same_padding,
)
from mcubuild.ir.parameters import activation_clamp


@dataclass(frozen=True)
class Table:
    """A flatbuffers table: a vtable gives the offset of each field."""

    data: bytes
    position: int

    def _field(self, number: int) -> int:
        vtable = self.position - struct.unpack_from("<i", self.data, self.position)[0]
        size = struct.unpack_from("<H", self.data, vtable)[0]
        entry = 4 + 2 * number
        offset = struct.unpack_from("<H", self.data, vtable + entry)[0] if entry < size else 0
        return self.position + offset if offset else 0

    def scalar(self, number: int, code: str) -> int:
        at = self._field(number)
        return struct.unpack_from("<" + code, self.data, at)[0] if at else 0

    def _target(self, at: int) -> int:
        return at + int(struct.unpack_from("<I", self.data, at)[0])

    def table(self, number: int) -> "Table":
        return Table(self.data, self._target(self._field(number)))

    def vector(self, number: int, dtype: str) -> np.ndarray[Any, Any]:
        at = self._field(number)
        if not at:
            return np.zeros(0, dtype)
        start = self._target(at)
        count = struct.unpack_from("<I", self.data, start)[0]
        return np.frombuffer(self.data, dtype, count, start + 4)

    def tables(self, number: int) -> "list[Table]":
        start = self._target(self._field(number))
        count = struct.unpack_from("<I", self.data, start)[0]
        return [Table(self.data, self._target(start + 4 + 4 * index)) for index in range(count)]


def read_tflite(path: Path) -> Graph:
    """The network up to (without) its softmax; tensors are called ``t<number in the file>``."""
    data = path.read_bytes()
    model = Table(data, struct.unpack_from("<I", data, 0)[0])
    codes = [max(code.scalar(0, "b"), code.scalar(3, "i")) for code in model.tables(1)]
    graph, buffers = model.tables(2)[0], model.tables(4)
    tensors: dict[str, Tensor] = {}
    constants: dict[str, Any] = {}
    for index, table in enumerate(graph.tables(0)):
        shape = tuple(int(n) for n in table.vector(0, "<i4"))
        kind = {2: "int32", 9: "int8"}[table.scalar(1, "b")]
        info = table.table(4)
        scales, zeros = info.vector(2, "<f4"), info.vector(3, "<i8")
        raw = buffers[table.scalar(2, "I")].vector(0, "u1")
        if (kind == "int32" and len(shape) != 1) or not len(scales):
            continue
        quantization = Quantization(
            tuple(float(scale) for scale in scales),
            int(zeros[0]),
            int(info.scalar(6, "i")) if len(scales) > 1 else None,
        )
        name = f"t{index}"
        tensors[name] = Tensor(name, shape, kind, 32 if kind == "int32" else 8, quantization)  # type: ignore[arg-type]
        if len(raw):
            constants[name] = np.frombuffer(raw.tobytes(), np.dtype(kind).newbyteorder("<")).reshape(shape)
    alias: dict[str, str] = {}
    ops: list[Op] = []
    for table in graph.tables(3):
        code = codes[table.scalar(0, "I")]
        names = [f"t{index}" for index in table.vector(1, "<i4")]
        names = [alias.get(name, name) for name in names]
        output = f"t{table.vector(2, '<i4')[0]}"
        if code == 22:
            alias[output] = names[0]
        elif code != 25:
            ops.append(_operator(code, table.table(4), names, output, tensors))
    used = {name for op in ops for name in vars(op).values() if isinstance(name, str)}
    return Graph(
        path.stem,
        {name: tensor for name, tensor in tensors.items() if name in used},
        tuple(ops),
        (f"t{graph.vector(1, '<i4')[0]}",),
        (ops[-1].output,),
        {name: values for name, values in constants.items() if name in used},
    )


def _operator(code: int, options: Table, names: list[str], output: str, tensors: dict[str, Tensor]) -> Op:
    def clamp(field: int) -> tuple[int, int]:
        quantization = tensors[output].quantization
        assert quantization is not None
        return {
            0: INT8,
            1: activation_clamp(quantization, 0, None),
            3: activation_clamp(quantization, 0, 6),
        }[options.scalar(field, "b")]

    if code == 0:
        return Add(names[0], names[1], output, clamp=clamp(0))
    if code == 9:
        return FullyConnected(names[0], names[1], names[2], output, clamp=clamp(0))
    stride = (options.scalar(2, "i"), options.scalar(1, "i"))
    if code == 1:
        assert options.scalar(0, "b") == 1, "only VALID pooling is read"
        window = (options.scalar(4, "i"), options.scalar(3, "i"))
        return AveragePool2D(names[0], output, window, stride, clamp=clamp(5))
    shape, kernel = tensors[names[0]].shape, tensors[names[1]].shape[1:3]
    same = options.scalar(0, "b") == 0
    padding = same_padding((shape[1], shape[2]), (kernel[0], kernel[1]), stride) if same else (0, 0, 0, 0)
    if code == 3:
        return Conv2D(names[0], names[1], names[2], output, stride, padding, clamp=clamp(3))
    assert code == 4, f"operator {code} is not read"
    return DepthwiseConv2D(names[0], names[1], names[2], output, stride, padding, clamp=clamp(4))
