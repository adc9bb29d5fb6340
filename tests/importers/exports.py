"""Networks as exporters write them: published architectures with random weights, in .tflite files.

    python -m tests.importers.exports              what rewriting makes of them: a table
    python -m tests.importers.exports <folder>     the files, for `doit bench models=<folder>`

PyTorch pads by half the kernel on every side, also where the stride is 2; its exporters write that as PAD in front of a
convolution that does not pad. Keras pads as TensorFlow does (SAME).
"""

import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from mcubuild.bench.networks import network
from mcubuild.bench.sketch import Sketch
from mcubuild.bench.values import with_random_values
from mcubuild.board import read_board
from mcubuild.engine.kernels import choose
from mcubuild.engine.layer import layers
from mcubuild.engine.memory.pieces import pieces
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.memory.segments import choose_segments
from mcubuild.engine.target import Target
from mcubuild.importers.tflite import converted, import_tflite
from mcubuild.ir.graph import Graph, Tensor
from mcubuild.ir.ops.elementwise import Add
from mcubuild.ir.ops.pool import AveragePool2D
from mcubuild.ir.ops.weighted import Conv2D, DepthwiseConv2D, FullyConnected, Weighted
from mcubuild.nas.space.baselines import Baseline
from mcubuild.nas.space.skeleton import skeleton
from mcubuild.resolution import square
from mcubuild.spec.engine import EngineSettings
from tests.importers.writer import Writer, write

VALID, SAME = 1, 0


def export(graph: Graph, *, torch: bool) -> bytes:
    """A file that computes what a graph of images does, but for the sides on which it pads."""
    return _Export(graph, torch=torch).file()


class _Export:
    """A file in the making, operator by operator."""

    def __init__(self, graph: Graph, *, torch: bool) -> None:
        self._graph, self._torch, self._writer = graph, torch, Writer()
        self._numbers: dict[str, int] = {}

    def file(self) -> bytes:
        graph, writer = self._graph, self._writer
        inputs = [self._tensor(name) for name in graph.inputs]
        for op in graph.ops:
            if isinstance(op, Conv2D | DepthwiseConv2D):
                self._convolution(op)
            elif isinstance(op, Add):
                writer.operator("ADD", [self._numbers[op.left], self._numbers[op.right]], [self._tensor(op.output)])
            elif isinstance(op, AveragePool2D):
                sizes = {"FilterHeight": op.window[0], "FilterWidth": op.window[1], "StrideH": 1, "StrideW": 1}
                source = [self._numbers[op.input]]
                writer.operator("AVERAGE_POOL_2D", source, [self._tensor(op.output)], Padding=VALID, **sizes)
            else:
                assert isinstance(op, FullyConnected)
                self._classifier(op)
        return writer.finish(inputs, [self._numbers[name] for name in graph.outputs])

    def _tensor(self, name: str) -> int:
        tensor = self._graph.tensor(name)
        assert tensor.quantization is not None
        scale, zero = tensor.quantization.scale[0], tensor.quantization.zero_point
        self._numbers[name] = self._writer.tensor(tensor.shape, "int8", scale, zero, name=name)
        return self._numbers[name]

    def _constants(self, op: Weighted) -> list[int]:
        graph = self._graph
        weights = graph.tensor(op.weights)
        assert weights.quantization is not None
        axis, scales = weights.quantization.axis or 0, list(weights.quantization.scale)
        values = graph.constants[op.weights]
        bias = graph.constants[op.bias]
        return [
            self._writer.tensor(weights.shape, "int8", scales, 0, axis, values),
            self._writer.tensor(bias.shape, "int32", values=bias),
        ]

    def _convolution(self, op: Conv2D | DepthwiseConv2D) -> None:
        graph, writer = self._graph, self._writer
        source, shape = self._numbers[op.input], graph.tensor(op.input).shape
        _, rows, columns, _ = graph.tensor(op.weights).shape
        padding = SAME
        if self._torch:
            padding = VALID
            if rows > 1 or columns > 1:
                quantization = graph.tensor(op.input).quantization
                assert quantization is not None
                sides = np.array([(0, 0), (rows // 2, rows // 2), (columns // 2, columns // 2), (0, 0)])
                larger = (1, shape[1] + 2 * (rows // 2), shape[2] + 2 * (columns // 2), shape[3])
                padded = writer.tensor(larger, "int8", quantization.scale[0], quantization.zero_point)
                writer.operator("PAD", [source, writer.tensor((4, 2), "int32", values=sides)], [padded])
                source = padded
        options = {"StrideH": op.stride[0], "StrideW": op.stride[1], "Padding": padding}
        kind = "CONV_2D"
        if isinstance(op, DepthwiseConv2D):
            kind = "DEPTHWISE_CONV_2D"
            options["DepthMultiplier"] = graph.tensor(op.weights).shape[3] // shape[3]
        options |= {"DilationHFactor": 1, "DilationWFactor": 1}
        writer.operator(kind, [source, *self._constants(op)], [self._tensor(op.output)], **options)

    def _classifier(self, op: FullyConnected) -> None:
        graph, writer = self._graph, self._writer
        source = graph.tensor(op.input)
        assert source.quantization is not None
        row = (1, source.elements)
        flat = writer.tensor(row, "int8", source.quantization.scale[0], source.quantization.zero_point)
        writer.operator(
            "RESHAPE", [self._numbers[op.input], writer.tensor((2,), "int32", values=np.array(row))], [flat]
        )
        writer.operator("FULLY_CONNECTED", [flat, *self._constants(op)], [self._tensor(op.output)])


def _several_filters(sketch: Sketch, filters: int) -> str:
    """A depthwise convolution of 3x3 with stride 2 on the only channel of the input."""
    name = "first"
    _, height, width, _ = sketch.tensors["input"].shape
    tensors = (
        Tensor(f"{name}.weights", (1, 3, 3, filters)),
        Tensor(f"{name}.bias", (filters,), "int32", 32),
        Tensor(name, (1, height // 2, width // 2, filters)),
    )
    sketch.tensors |= {tensor.name: tensor for tensor in tensors}
    sketch.ops.append(DepthwiseConv2D("input", f"{name}.weights", f"{name}.bias", name, (2, 2), (0, 1, 0, 1)))
    return name


def person_detection() -> Graph:
    """MobileNetV1 of width 0.25 on 96x96 grey levels, its first layer depthwise with eight filters.

    As TensorFlow Lite Micro's example: https://github.com/tensorflow/tflite-micro (person_detection); blocks of
    MobileNets (arXiv 1704.04861, table 1).
    """
    sketch = Sketch((1, 96, 96, 1))
    last = _several_filters(sketch, 8)
    for stride, filters in (
        (1, 16),
        (2, 32),
        (1, 32),
        (2, 64),
        (1, 64),
        (2, 128),
        *5 * ((1, 128),),
        (2, 256),
        (1, 256),
    ):
        last = sketch.conv(sketch.depthwise(last, 3, stride), filters)
    sketch.conv(sketch.pool(last), 2)
    return with_random_values(sketch.graph())


EXPORTS: Mapping[str, Callable[[], bytes]] = {
    "mobile-80-torch": lambda: export(network("mobile-80"), torch=True),
    "mbv2-w0.35-r144-torch": lambda: export(network("mbv2-w0.35-r144"), torch=True),
    "mbv2-w1-r224-torch": lambda: export(
        with_random_values(skeleton(Baseline("mobilenet_v2", 1.0, square(224), 3, 1000), 8)), torch=True
    ),
    "person-96-keras": lambda: export(person_detection(), torch=False),
}
"""Files by name."""


def figures(graph: Graph, board: str) -> tuple[int, int, int]:
    """Bytes of the arena of the fastest and of the smallest plan, and estimated cycles of the fastest."""
    target = Target.of(read_board(board), EngineSettings())
    cycles = sum(choose(layer, target).cycles(layer, target.core) for layer in layers(graph))
    smallest = choose_segments(pieces(graph, target), 0)
    return plan(graph, target).arena, plan(graph, target, smallest).arena, cycles


def table() -> None:
    """Print what rewriting makes of every file."""
    print(
        f"{'network':24}{'':8}{'layers':>7}{'MMAC':>7}{'arena kB, fast':>16}{'small':>8}{'M4':>7}{'M7':>7} cycles a MAC"
    )
    for name, build in EXPORTS.items():
        with tempfile.TemporaryDirectory() as folder:
            file = write(Path(folder) / f"{name}.tflite", build())
            graphs = {"before": converted(file).graph, "after": import_tflite(file).graph}
        macs = graphs["before"].macs()
        for when, graph in graphs.items():
            (fast, small, m4), (_, _, m7) = (figures(graph, board) for board in ("stm32f412", "stm32f746"))
            print(f"{name:24}{when:8}{len(graph.ops):7}{macs / 1e6:7.1f}", end="")
            print(f"{fast / 1e3:16.1f}{small / 1e3:8.1f}{m4 / macs:7.2f}{m7 / macs:7.2f}")


def main(folder: Path | None) -> None:
    """Write the files to ``folder``, or print the table."""
    if folder is None:
        table()
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name, build in EXPORTS.items():
        write(folder / f"{name}.tflite", build())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
