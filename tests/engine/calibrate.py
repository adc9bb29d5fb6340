"""Fits the costs of the kernels to emulated runs and prints them.

    python -m tests.engine.calibrate

Random networks are generated, compiled (zig, -O2) and run in the emulator; the coefficients are the non-negative least
squares fit of the relative errors over all layers. Run it after a change of a kernel or of a cycle model, paste
the rows into the modules of ``mcubuild.engine.kernels`` and see whether ``test_footprint`` agrees.
"""

import json
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import nnls  # type: ignore[import-untyped]

from mcubuild.bench.values import with_random_values
from mcubuild.board import Board, read_board
from mcubuild.engine.codegen import generate
from mcubuild.engine.kernels import choose
from mcubuild.engine.layer import layers
from mcubuild.engine.planner import plan
from mcubuild.engine.target import Target
from mcubuild.ir.graph import Graph
from mcubuild.measure.runner import measure
from mcubuild.progress import bar
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.spec.measure import MeasureSettings
from mcubuild.toolchain import firmware
from mcubuild.toolchain.compile import link
from tests.engine.skeletons import Sketch

NETWORKS = 12
CONVOLUTION_NETWORKS = 4
BOARDS = {"cortex-m4": "stm32f412", "cortex-m7": "stm32f746"}


@dataclass(frozen=True)
class Sample:
    """What one layer took."""

    kind: str
    work: Mapping[str, int]
    cycles: float
    code_bytes: int
    code_estimate: int


def calibration_network(seed: int) -> Graph:
    """A network of the kind that the search draws, with shapes off its grid mixed in."""
    rng = np.random.default_rng(seed)

    def pick(*choices: int) -> int:
        return choices[int(rng.integers(len(choices)))]

    side = pick(16, 24, 31, 32, 40)
    sketch = Sketch((1, side, side + pick(0, 0, 3), pick(1, 3, 3)), bits=pick(8, 8, 4))
    last = sketch.conv("input", pick(8, 16, 24), pick(3, 3, 5), 2)
    last = sketch.conv(sketch.depthwise(last), pick(8, 16))
    for stride in (pick(1, 2), 1, 2, pick(1, 2), 1, 1):
        channels = sketch.tensors[last].shape[3]
        filters = channels if stride == 1 and rng.random() < 0.6 else pick(8, 15, 16, 24, 33, 40, 64)
        last = sketch.bottleneck(last, channels * pick(3, 4, 6), filters, pick(3, 5, 7), stride)
    last = sketch.conv(last, pick(16, 32), 3) if rng.random() < 0.5 else last
    last = sketch.fully_connected(last, pick(8, 16)) if seed % 3 == 0 else sketch.pool(last)
    sketch.fully_connected(last, pick(2, 10, 35))
    return with_random_values(sketch.graph(), seed)


def convolution_network(seed: int) -> Graph:
    """Convolutions of many shapes in a row."""
    rng = np.random.default_rng(seed)

    def pick(*choices: int) -> int:
        return choices[int(rng.integers(len(choices)))]

    sketch = Sketch((1, pick(16, 20, 27), pick(16, 20, 27), pick(1, 3)))
    last = "input"
    for _ in range(5):
        size = (pick(1, 3, 3, 5, 10), pick(1, 3, 3, 4, 5))
        last = sketch.conv(last, pick(8, 15, 16, 24, 32, 64), size, pick(1, 1, 1, 2))
    return with_random_values(sketch.graph(), seed)


def build(
    graph: Graph, board: Board, settings: FirmwareSettings, folder: Path, engine: EngineSettings | None = None
) -> None:
    """Generate and link the firmware of ``graph``, all in ``folder``."""
    target = Target.of(board, engine or EngineSettings())
    generate(graph, plan(graph, target), target, folder, stack=settings.stack)
    firmware.generate(board, settings.stack, folder)
    link(folder, board, settings, folder)


def samples(graph: Graph, board: Board, settings: FirmwareSettings, folder: Path) -> list[Sample]:
    """Cycles and code of every layer of ``graph``."""
    build(graph, board, settings, folder)
    names = [layer["name"] for layer in json.loads((folder / "plan.json").read_text())["layers"]]
    sizes = {s["name"]: s["bytes"] for s in json.loads((folder / "sizes.json").read_text())["symbols"]}
    inputs = np.random.default_rng(0).integers(-128, 128, (1, *graph.tensor(graph.inputs[0]).shape[1:]), np.int8)
    measured = measure(folder / "firmware.elf", board, MeasureSettings(), inputs, names)
    result = []
    for layer, share in zip(layers(graph), measured.layers, strict=True):
        kernel = choose(layer, Target.of(board, EngineSettings()))
        assert share.cycles is not None
        result.append(
            Sample(kernel.kind, kernel.work(layer), share.cycles, sizes[share.name], kernel.code_bytes(layer))
        )
    return result


def fit(data: list[Sample]) -> tuple[dict[str, float], list[float]]:
    """Cycles by feature, and the relative error of each sample's estimate."""
    features = sorted({feature for sample in data for feature in sample.work})
    rows = np.array([[sample.work.get(feature, 0) / sample.cycles for feature in features] for sample in data])
    coefficients, _ = nnls(rows, np.ones(len(data)))
    return dict(zip(features, coefficients.tolist(), strict=True)), (rows @ coefficients - 1).tolist()


def main() -> None:
    """Measure, fit, print."""
    graphs = [calibration_network(seed) for seed in range(NETWORKS)]
    graphs += [convolution_network(seed) for seed in range(CONVOLUTION_NETWORKS)]
    data: dict[str, dict[str, list[Sample]]] = defaultdict(lambda: defaultdict(list))
    with bar("calibrate", len(graphs) * len(BOARDS)) as progress:
        for core, name in BOARDS.items():
            for graph in graphs:
                with tempfile.TemporaryDirectory() as folder:
                    for sample in samples(graph, read_board(name), FirmwareSettings(), Path(folder)):
                        data[sample.kind][core].append(sample)
                progress.advance()
    for kind, by_core in sorted(data.items()):
        print(kind)
        for core, fitted in by_core.items():
            coefficients, errors = fit(fitted)
            row = ", ".join(f'"{feature}": {value:.2f}' for feature, value in coefficients.items())
            code = max(sample.code_bytes / sample.code_estimate for sample in fitted)
            print(f'        "{core}": {{{row}}},')
            print(f"        # {len(fitted)} layers, {min(errors):+.0%} ... {max(errors):+.0%}; code up to {code:.0%}")


if __name__ == "__main__":
    main()
