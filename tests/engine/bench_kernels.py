"""Cycles a multiply-accumulate of single layers, beside those that prototypes reached.

    python -m tests.engine.bench_kernels [part of a name ...]

Each layer is a network of its own, compiled with GCC if it is installed and run in the emulator: on memory that never
waits, and with the Flash wait states and caches of an STM32F412 (Cortex-M4) and an STM32F746 (Cortex-M7).
"""

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mcubuild.bench.sketch import Sketch
from mcubuild.bench.values import with_random_values
from mcubuild.board import Board, read_board
from mcubuild.engine.kernels import choose
from mcubuild.engine.layer import layers
from mcubuild.engine.target import Target
from mcubuild.ir.executor import run
from mcubuild.ir.geometry import Shape
from mcubuild.ir.graph import Graph
from mcubuild.measure.runner import measure
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.spec.measure import MeasureSettings
from tests.engine.building import build

BOARDS = {"cortex-m4": "stm32f412", "cortex-m7": "stm32f746"}
Reached = tuple[float, float] | None
"""Cycles a multiply-accumulate on a Cortex-M4 and a Cortex-M7 with memory that never waits."""


def one_layer(shape: Shape, add: Callable[[Sketch], str]) -> Graph:
    """A network of one layer."""
    sketch = Sketch(shape)
    add(sketch)
    return with_random_values(sketch.graph())


def pointwise(side: int, channels: int, filters: int, stride: int = 1) -> Graph:
    return one_layer((1, side, side, channels), lambda sketch: sketch.conv("input", filters, stride=stride))


def conv(side: int, channels: int, filters: int, kernel: int, stride: int = 1) -> Graph:
    return one_layer((1, side, side, channels), lambda sketch: sketch.conv("input", filters, kernel, stride))


def depthwise(side: int, channels: int, kernel: int, stride: int = 1) -> Graph:
    return one_layer((1, side, side, channels), lambda sketch: sketch.depthwise("input", kernel, stride))


def fully_connected(inputs: int, filters: int) -> Graph:
    return one_layer((1, inputs), lambda sketch: sketch.fully_connected("input", filters))


def keyword_stem() -> Graph:
    return one_layer((1, 49, 10, 1), lambda sketch: sketch.conv("input", 64, (10, 4), 2))


LAYERS: dict[str, tuple[Callable[[], Graph], Reached]] = {
    "pointwise 40x40 16->48": (lambda: pointwise(40, 16, 48), (1.51, 0.78)),
    "pointwise 20x20 24->144": (lambda: pointwise(20, 24, 144), (1.33, 0.70)),
    "pointwise 10x10 96->160": (lambda: pointwise(10, 96, 160), (1.11, 0.58)),
    "pointwise 10x10 48->16": (lambda: pointwise(10, 48, 16), (1.25, 0.68)),
    "pointwise 24x24 8->16": (lambda: pointwise(24, 8, 16), None),
    "pointwise 5x5 240->40": (lambda: pointwise(5, 240, 40), None),
    "pointwise 3x3 96->64": (lambda: pointwise(3, 96, 64), None),
    "pointwise 1x1 128->64": (lambda: pointwise(1, 128, 64), None),
    "pointwise 32x32 16->32 /2": (lambda: pointwise(32, 16, 32, 2), None),
    "stem 80x80 3x3 3->16 /2": (lambda: conv(80, 3, 16, 3, 2), (2.57, 1.54)),
    "stem 32x32 3x3 3->16": (lambda: conv(32, 3, 16, 3), None),
    "conv 49x10 10x4 1->64 /2": (keyword_stem, None),
    "conv 32x32 3x3 16->16": (lambda: conv(32, 16, 16, 3), None),
    "conv 16x16 3x3 32->32": (lambda: conv(16, 32, 32, 3), None),
    "conv 8x8 3x3 64->64": (lambda: conv(8, 64, 64, 3), None),
    "depthwise 40x40 3x3 32": (lambda: depthwise(40, 32, 3), (2.02, 1.22)),
    "depthwise 20x20 3x3 96": (lambda: depthwise(20, 96, 3), (2.02, 1.22)),
    "depthwise 10x10 3x3 96": (lambda: depthwise(10, 96, 3), (2.02, 1.22)),
    "depthwise 5x5 3x3 96": (lambda: depthwise(5, 96, 3), None),
    "depthwise 20x20 5x5 96": (lambda: depthwise(20, 96, 5), (1.36, 0.72)),
    "depthwise 10x10 5x5 96": (lambda: depthwise(10, 96, 5), None),
    "depthwise 5x5 5x5 96": (lambda: depthwise(5, 96, 5), None),
    "depthwise 20x20 7x7 96": (lambda: depthwise(20, 96, 7), (1.00, 0.52)),
    "depthwise 10x10 7x7 96": (lambda: depthwise(10, 96, 7), None),
    "depthwise 5x5 7x7 96": (lambda: depthwise(5, 96, 7), None),
    "depthwise 40x40 3x3 48 /2": (lambda: depthwise(40, 48, 3, 2), None),
    "depthwise 20x20 5x5 96 /2": (lambda: depthwise(20, 96, 5, 2), None),
    "depthwise 20x20 7x7 96 /2": (lambda: depthwise(20, 96, 7, 2), None),
    "fully connected 640->128": (lambda: fully_connected(640, 128), (1.6, float("nan"))),
    "fully connected 128->128": (lambda: fully_connected(128, 128), (1.6, float("nan"))),
    "fully connected 128->8": (lambda: fully_connected(128, 8), (1.6, float("nan"))),
    "fully connected 64->10": (lambda: fully_connected(64, 10), None),
    "fully connected 256->2": (lambda: fully_connected(256, 2), None),
}


def cycles(graph: Graph, board: Board, engine: EngineSettings) -> tuple[float, float]:
    """Cycles of an inference with memory that never waits, and with the board's.

    Raises:
        AssertionError: the firmware does not compute what the executor does.
    """
    toolchain = "gcc" if shutil.which("arm-none-eabi-gcc") else "zig"
    shape = graph.tensor(graph.inputs[0]).shape[1:]
    inputs = np.random.default_rng(0).integers(-128, 128, (1, *shape), np.int8)
    with tempfile.TemporaryDirectory() as folder:
        build(graph, board, FirmwareSettings.model_validate({"toolchain": toolchain}), Path(folder), engine)
        measured = measure(Path(folder) / "firmware.elf", board, MeasureSettings(), inputs, [])
    assert measured.zero_wait_cycles is not None and measured.cycles is not None
    np.testing.assert_array_equal(measured.outputs, run(graph, inputs).reshape(1, -1))
    return measured.zero_wait_cycles, measured.cycles.mean


def main(wanted: list[str]) -> None:
    """Measure and print."""
    engine = EngineSettings()
    print(f"{'':28}" + "".join(f"{core:>32}" for core in BOARDS))
    print(f"{'cycles a MAC':28}" + f"{'reached':>12}{'zero-wait':>10}{'board':>10}" * len(BOARDS) + "  kernel")
    for name, (make, reached) in LAYERS.items():
        if wanted and not any(part in name for part in wanted):
            continue
        graph, line, kernel = make(), f"{name:28}", ""
        total = graph.macs()
        for index, board in enumerate(map(read_board, BOARDS.values())):
            figures = [value / total for value in cycles(graph, board, engine)]
            line += f"{f'{reached[index]:.2f}' if reached else '':>12}{figures[0]:10.2f}{figures[1]:10.2f}"
            kernel = choose(layers(graph)[0], Target.of(board, engine)).kind
        print(f"{line}  {kernel}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
