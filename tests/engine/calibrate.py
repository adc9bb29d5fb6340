"""Fits the costs of the kernels to emulated runs, prints them and writes them to the modules of ``mcubuild.cores``.

    python -m tests.engine.calibrate [file [kind of networks ...]]

Random networks are generated, compiled (zig, -O2) and run in the emulator, as often as it takes for each layer to be
computed by every kernel that can (with packed activations, by the one that estimates choose); the coefficients are the
non-negative least squares fit of the relative errors over all layers. What layers do only because their weights are
narrow is fitted to them alone, all else being held: as fitted to the others, or as it was if there are none. Run it
after a change of a kernel or of a cycle model, and see whether ``test_footprint`` agrees. Costs of what none of the
networks does stay as they are.

Measuring takes ten minutes or more; fewer kinds of networks (``pool``, say, of KINDS) take less, for kernels that are
in no other kind. ``file`` keeps what was measured; if it exists, that is fitted once more, which
shows what a change of the features of a kernel's work is worth.
"""

import json
import pickle
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from mcubuild import ROOT
from mcubuild.bench.latency import mixed
from mcubuild.bench.values import with_random_values
from mcubuild.bench.workbench import roomy
from mcubuild.board import Board, CoreName, read_board
from mcubuild.cores.core import Costs
from mcubuild.cores.registry import core_of, cores
from mcubuild.engine.emit.codegen import generate
from mcubuild.engine.kernels import serving
from mcubuild.engine.kernels.base import Kernel
from mcubuild.engine.layer import Layer, layers
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.ir.executor import sample_shape
from mcubuild.ir.geometry import Pair
from mcubuild.ir.graph import Graph, Tensor
from mcubuild.ir.ops.elementwise import Add, Mul, Sub
from mcubuild.ir.ops.lookup import Lookup
from mcubuild.ir.ops.movement import Concat, Pad, Reshape, Slice, Transpose
from mcubuild.ir.ops.pool import AveragePool2D, MaxPool2D
from mcubuild.ir.ops.reduction import Mean
from mcubuild.ir.ops.resize import Resize
from mcubuild.ir.ops.softmax import Softmax
from mcubuild.ir.ops.weighted import Conv2D, DepthwiseConv2D, FullyConnected, TransposeConv2D, Weighted
from mcubuild.measure.runner import measure
from mcubuild.nas.space.skeleton import skeleton
from mcubuild.progress import bar
from mcubuild.spec.deployment import Deployment
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.spec.measure import MeasureSettings
from mcubuild.toolchain import firmware
from mcubuild.toolchain.compile import link
from tests.engine.skeletons import Sketch

NETWORKS = 5
OTHER_NETWORKS = 2
"""Of convolutions, of depthwise ones and of matrices, each."""
NARROW_NETWORKS = 12
"""Of these three kinds and of those that the search draws, in turn, in 4 bits."""
POOL_NETWORKS = 6
OPERATORS = (
    *("pad", "dilated", "many", "transposed", "rows", "lookup", "concat", "transpose", "slice", "nearest", "bilinear"),
    *("means", "depth", "sum", "product", "softmax"),
)
"""Kinds of operators that networks of files have, see ``_appended``."""
OPERATOR_NETWORKS = 18
MOST_ELEMENTS = 5000
"""Of a tensor that such an operator computes on."""
SMALL_NETWORKS = 6
"""On maps of 3x3, 2x2 and 1x1 pixels, in 8 and in 4 bits."""
PACKED = (0, 1, 4)
"""Networks of ``bench.latency.mixed``, by number, whose packed layers are measured: of 64, 48 and 28 pixels."""
MOST_CALL = 200
"""Cycles of a call, at most: whole layers hardly tell, and chains make many calls."""
BOARDS = {name: core.board for name, core in cores().items() if core.board is not None}
"""What costs are fitted on, by core."""


@dataclass(frozen=True)
class Sample:
    """What one layer took."""

    layer: Layer
    kind: str
    """Of the kernel."""
    core: CoreName
    cycles: float
    code_bytes: int
    routines: Mapping[str, int]
    """Bytes of its routines, by name."""

    @property
    def kernel(self) -> Kernel:
        """The kernel."""
        return _kernel(self.layer, self.kind, Target.of(read_board(BOARDS[self.core]), EngineSettings()))

    @property
    def costed(self) -> str:
        """Whose costs it tells: those that kernels have in common, or its kernel's own."""
        return self.kernel.common or self.kernel.template or self.kind


def _kernel(layer: Layer, kind: str, target: Target) -> Kernel:
    return next(kernel for kernel in serving(layer, target) if kernel.kind == kind)


def packed_network(seed: int) -> Graph:
    """A network of the kind that the search draws, with activations of 4 bits."""
    return calibration_network(seed, activations=4)


def calibration_network(seed: int, activations: int = 8) -> Graph:
    """A network of the kind that the search draws, with shapes off its grid mixed in."""
    rng = np.random.default_rng(seed)

    def pick(*choices: int) -> int:
        return choices[int(rng.integers(len(choices)))]

    side = pick(16, 20, 23, 28)
    shape = (1, side, side + pick(0, 0, 3), pick(1, 3, 3))
    sketch = Sketch(shape, 4 if seed % 4 == 2 else 8, activations)
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


def depthwise_network(seed: int) -> Graph:
    """Depthwise convolutions of many shapes in a row."""
    rng = np.random.default_rng(seed)

    def pick(*choices: int) -> int:
        return choices[int(rng.integers(len(choices)))]

    side = (32, 40, 48) if seed % 2 else (7, 8, 9)  # small maps tell what strips cost
    sketch = Sketch((1, pick(*side), pick(*side), pick(8, 12, 16, 30)))
    last = "input"
    for stride in (1, 2, 1, 1, 2, 1, 2, 1):
        last = sketch.depthwise(last, pick(3, 3, 5, 7), stride)
    return with_random_values(sketch.graph(), seed)


def small_network(seed: int) -> Graph:
    """The blocks with which networks for small inputs end: on maps of few pixels."""
    rng = np.random.default_rng(seed)

    def pick(*choices: int) -> int:
        return choices[int(rng.integers(len(choices)))]

    sketch = Sketch((1, 3 - seed % 3, 3 - seed % 3, pick(16, 40, 64)), bits=4 if seed % 6 > 2 else 8)
    last = "input"
    for _ in range(4):
        filters = pick(8, 24, 40, 64, 96)
        last = sketch.bottleneck(last, sketch.tensors[last].shape[3] * pick(3, 4, 6), filters, pick(3, 3, 5))
    sketch.fully_connected(last, 10)
    return with_random_values(sketch.graph(), seed)


def matrix_network(seed: int) -> Graph:
    """Fully connected layers of many shapes in a row."""
    rng = np.random.default_rng(seed)
    sketch = Sketch((1, int(rng.integers(30, 700))))
    last = "input"
    for _ in range(10):
        last = sketch.fully_connected(last, int(np.exp(rng.uniform(np.log(4), np.log(300)))))
    return with_random_values(sketch.graph(), seed)


def narrow_network(seed: int) -> Graph:
    """A network of one of the kinds above, with weights of 4 bits."""
    make = (convolution_network, depthwise_network, matrix_network, calibration_network)[seed % 4]
    return with_random_values(_with_bits(make(seed + NETWORKS), 4), seed)


def _with_bits(graph: Graph, bits: int) -> Graph:
    """The skeleton of ``graph`` with weights of ``bits`` bits."""
    names = {op.weights for op in graph.ops if isinstance(op, Weighted)}
    tensors = {name: replace(one, bits=bits) if name in names else one for name, one in graph.tensors.items()}
    return replace(graph, tensors=tensors, constants={})


def pool_network(seed: int) -> Graph:
    """Pooling of many shapes in a row."""
    rng = np.random.default_rng(seed)

    def pick(*choices: int) -> int:
        return choices[int(rng.integers(len(choices)))]

    sketch = Sketch((1, pick(16, 23, 32), pick(16, 21, 32), pick(3, 8, 16, 20, 32)))
    last = "input"
    for stride in (1, 2, 1, 1, 1, 2, 1):
        op, window = (AveragePool2D, MaxPool2D, MaxPool2D)[pick(0, 1, 2)], pick(2, 2, 3, 3, 4)
        padded = min(sketch.tensors[last].shape[1:3]) < 9 or rng.random() < 0.5
        last = sketch.windows(last, op, (window, window), stride, padded=padded)
    sketch.pool(last)
    return with_random_values(sketch.graph(), seed)


def operator_network(seed: int) -> Graph:
    """What files have besides: one operator of each kind after the other, in random order."""
    rng = np.random.default_rng(seed)

    def pick(*choices: int) -> int:
        return choices[int(rng.integers(len(choices)))]

    sketch = Sketch((1, pick(7, 10, 13), pick(8, 11, 12), pick(3, 8, 16)))
    last = "input"
    for step in rng.permutation(OPERATORS):
        shape = sketch.tensors[last].shape
        if prod(shape) > MOST_ELEMENTS:
            halved = (1, -(-shape[1] // 2), -(-shape[2] // 2), shape[3])
            last = sketch.emit(Slice(last, sketch.next, (0, 0, 0, 0), (1, 2, 2, 1), halved), halved)
        elif min(shape[1:3]) < 5:
            last = _resized(sketch, last, (9, 8), nearest=True)
        elif shape[3] < 3 or shape[3] > 40:
            last = sketch.conv(last, 8)
        last = _appended(sketch, last, str(step), pick)
    graph = with_random_values(sketch.graph(), seed)
    return replace(graph, ops=tuple(_sharpened(graph, op) if isinstance(op, Softmax) else op for op in graph.ops))


def _sharpened(graph: Graph, op: Softmax) -> Softmax:
    """With a beta that makes a tenth of each step of the input, whatever its scale has become."""
    quantization = graph.tensor(op.input).quantization
    assert quantization is not None
    return replace(op, beta=0.1 / quantization.scale[0])


def _appended(sketch: Sketch, last: str, step: str, pick: Callable[..., int]) -> str:
    """An operator of this kind on ``last``, an image."""
    shape = sketch.tensors[last].shape
    _, height, width, channels = shape
    if step == "pad":
        above, below, beside = pick(0, 1), pick(1, 2), pick(0, 0, 3)
        around = ((0, 0), (above, below), (1, 1), (0, beside))
        larger = (1, height + above + below, width + 2, channels + beside)
        return sketch.emit(Pad(last, sketch.next, around, 5), larger)
    if step == "dilated":
        filters, size = pick(4, 9, 16), pick(2, 3)
        weights, bias, output = sketch.weighted((filters, size, size, channels), filters)
        smaller = (1, height - 2 * (size - 2), width - 2 * (size - 2), filters)
        conv = Conv2D(last, weights, bias, output, padding=(1, 1, 1, 1), dilation=(2, 2))
        return sketch.emit(conv, smaller)
    if step == "many":
        several = pick(1, 2, 3)
        dilation, size = (2 if several == 1 else 1), pick(2, 3)
        weights, bias, output = sketch.weighted((1, size, size, channels * several), channels * several)
        inside = (height + 1 - dilation * (size - 1), width - dilation * (size - 1))
        several_each = DepthwiseConv2D(last, weights, bias, output, padding=(1, 0, 0, 0), dilation=(dilation, dilation))
        return sketch.emit(several_each, (1, *inside, channels * several))
    if step == "transposed":
        filters, size, stride = pick(3, 8), pick(2, 3, 4), pick(1, 2)
        weights, bias, output = sketch.weighted((filters, size, size, channels), filters)
        larger = (1, height * stride, width * stride, filters)
        before = (size - 1) // 2
        padding = (before, before, before, before)
        upward = TransposeConv2D(last, weights, bias, output, larger[1:3], (stride, stride), padding)
        return sketch.emit(upward, larger)
    if step == "rows":
        filters = pick(5, 8, 24)
        weights, bias, output = sketch.weighted((filters, channels), filters)
        rows = sketch.emit(FullyConnected(last, weights, bias, output), (1, height * width, filters))
        return sketch.emit(Reshape(rows, sketch.next, (1, height, width, filters)), (1, height, width, filters))
    if step in ("lookup", "concat"):
        sketch.tensors[f"{sketch.next}.table"] = Tensor(f"{sketch.next}.table", (256,))
        found = sketch.emit(Lookup(last, f"{sketch.next}.table", sketch.next), shape)
        if step == "lookup":
            return found
        axis = pick(1, 2, 3)
        joined = tuple(2 * size if k == axis else size for k, size in enumerate(shape))
        return sketch.emit(Concat((last, found), sketch.next, axis), joined)
    if step == "transpose":
        order = ((0, 2, 1, 3), (0, 1, 3, 2), (0, 3, 1, 2))[pick(0, 1, 2)]
        return sketch.emit(Transpose(last, sketch.next, order), tuple(shape[k] for k in order))
    if step == "slice":
        low, side = (pick(0, 1), pick(0, 1), pick(0, 1)), pick(1, 2)
        inner = (1, height - low[0], -(-(width - low[1]) // side), channels - low[2])
        return sketch.emit(Slice(last, sketch.next, (0, *low), (1, 1, side, 1), inner), inner)
    if step in ("nearest", "bilinear"):
        return _resized(sketch, last, (pick(6, 9, 15), pick(7, 14)), nearest=step == "nearest")
    if step == "means":
        means = sketch.emit(Mean(last, sketch.next, (1, 2)), (1, 1, 1, channels))
        return sketch.emit(Mul(last, means, sketch.next), shape)
    if step == "depth":
        means = sketch.emit(Mean(last, sketch.next, (3,)), (*shape[:3], 1))
        return sketch.emit(Sub(last, means, sketch.next), shape)
    if step == "sum":
        row = sketch.emit(Mean(last, sketch.next, (2,)), (1, height, 1, channels))
        return sketch.emit(Add(row, last, sketch.next), shape)
    if step == "product":
        return sketch.emit(Mul(last, last, sketch.next), shape)
    assert step == "softmax"
    return sketch.emit(Softmax(last, sketch.next), shape)


def _resized(sketch: Sketch, last: str, size: Pair, *, nearest: bool) -> str:
    shape = (1, *size, sketch.tensors[last].shape[3])
    return sketch.emit(Resize(last, sketch.next, size, "nearest" if nearest else "bilinear"), shape)


def build(
    graph: Graph,
    board: Board,
    settings: FirmwareSettings,
    folder: Path,
    engine: EngineSettings | None = None,
    tuned: Mapping[str, str] | None = None,
) -> None:
    """Generate and link the firmware of ``graph``, all in ``folder``; ``tuned`` says which kernels to take."""
    target = replace(Target.of(board, engine or EngineSettings()), tuned=tuned or {})
    generate(graph, plan(graph, target), target, folder, stack=settings.stack)
    firmware.generate(board, settings.stack, folder)
    link(folder, board, settings, folder)


def samples(graph: Graph, board: Board, settings: FirmwareSettings, tuned: Mapping[str, str]) -> list[Sample]:
    """Cycles and code of every layer of ``graph``, with the kernels ``tuned`` or those of the lowest estimate."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build(graph, board, settings, folder, tuned=tuned)
        names = [layer["name"] for layer in json.loads((folder / "plan.json").read_text())["layers"]]
        sizes = {s["name"]: s["bytes"] for s in json.loads((folder / "sizes.json").read_text())["symbols"]}
        inputs = np.random.default_rng(0).integers(-128, 128, (1, *sample_shape(graph)), np.int8)
        measured = measure(folder / "firmware.elf", board, MeasureSettings(), inputs, names)
    result = []
    every_layer = layers(graph)
    for share in measured.layers:  # a reshape may have no function
        _, index, kind = share.name.split("_", 2)
        layer = every_layer[int(index)]
        kernel = _kernel(layer, kind, Target.of(board, EngineSettings()))
        routines = {routine.name: sizes[f"model_{routine.name}"] for routine in kernel.routines(layer)}
        assert share.cycles is not None
        result.append(Sample(layer, kind, board.core, share.cycles, sizes[share.name], routines))
    return result


def samples_of_every_kernel(graph: Graph, board: Board) -> list[Sample]:
    """Every layer of ``graph`` with every kernel that serves it."""
    target = Target.of(board, EngineSettings())
    able = {layer.output.name: [kernel.kind for kernel in serving(layer, target)] for layer in layers(graph)}
    found: dict[tuple[str, str], Sample] = {}
    for turn in range(max(map(len, able.values()))):
        tuned = {name: kinds[(turn + index) % len(kinds)] for index, (name, kinds) in enumerate(able.items())}
        for sample in samples(graph, board, FirmwareSettings(), tuned):
            found.setdefault((sample.layer.output.name, sample.kind), sample)
    return list(found.values())


def samples_of_packed_layers(number: int, board: Board) -> list[Sample]:
    """Layers with activations of 4 bits of a searched network, each with the kernel of the lowest estimate.

    What packing takes is what the kernel inside leaves: around slow kernels, it would be lost in the error of these.
    """
    case, room = mixed(Deployment(roomy(board)), "mobile", number + 1)[number], roomy(board)
    graph = with_random_values(skeleton(case.arch, 8, 4), case.seed)
    return [sample for sample in samples(graph, room, FirmwareSettings(), {}) if sample.layer.packed]


def fit(data: list[Sample]) -> tuple[dict[str, float], list[float]]:
    """Cycles by feature, and the relative error of each sample's estimate."""
    common, costs = data[0].kernel.common, core_of(data[0].core).costs
    shared = frozenset(costs[common] if common else ())
    if data[0].kernel.template:
        shared = frozenset(data[0].kernel.work(data[0].layer))

    def work(sample: Sample, layer: Layer) -> dict[str, int]:
        counts = sample.kernel.work(layer).items()
        return {name if name in shared or not shared else f"{sample.kind}.{name}": count for name, count in counts}

    done = [work(sample, sample.layer) for sample in data]
    features = sorted({feature for row in done for feature in row})
    rows = np.array([[row.get(name, 0) / one.cycles for name in features] for row, one in zip(done, data, strict=True)])
    most = np.array([MOST_CALL if feature.endswith("call") else np.inf for feature in features])
    share = np.array([1 - one.kernel.cycles_inside(one.layer, one.core) / one.cycles for one in data])
    narrow = np.array([isinstance(one.layer.op, Weighted) and one.layer.weights.bits < 8 for one in data])
    in_wide = {
        feature
        for sample in data
        for feature, count in work(sample, Layer(_with_bits(sample.layer.graph, 8), sample.layer.index)).items()
        if count
    }
    others = np.array([feature in in_wide for feature in features])
    if narrow.all():
        places = [feature.rpartition(".") for feature in features]
        known = [costs[kind or data[0].costed].get(feature, 0.0) for kind, _, feature in places]
        coefficients = np.where(others, known, 0.0)
    else:
        coefficients = np.zeros(len(features))
        coefficients[others] = _least_squares(rows[~narrow][:, others], share[~narrow], most[others])
    if narrow.any() and not others.all():
        left = share[narrow] - rows[narrow] @ coefficients
        coefficients[~others] = _least_squares(rows[narrow][:, ~others], left, most[~others])
    return dict(zip(features, coefficients.tolist(), strict=True)), (rows @ coefficients - share).tolist()


def _least_squares(rows: NDArray[np.float64], wanted: NDArray[np.float64], most: NDArray[np.float64]) -> list[float]:
    """Coefficients of 0 ... ``most``."""
    solution: list[float] = lsq_linear(rows, wanted, (0, most)).x.tolist()
    return solution


NETWORKS_OF: Mapping[str, tuple[Callable[[int], Graph], int]] = {
    "searched": (calibration_network, NETWORKS),
    "convolution": (convolution_network, OTHER_NETWORKS),
    "depthwise": (depthwise_network, OTHER_NETWORKS),
    "matrix": (matrix_network, OTHER_NETWORKS),
    "narrow": (narrow_network, NARROW_NETWORKS),
    "operator": (operator_network, OPERATOR_NETWORKS),
    "pool": (pool_network, POOL_NETWORKS),
    "small": (small_network, SMALL_NETWORKS),
}
"""What makes the networks of each kind, and how many."""
KINDS = (*NETWORKS_OF, "packed")


def measure_all(kinds: Iterable[str]) -> list[Sample]:
    """Every layer of the networks of these kinds, with every kernel, on every board."""
    kinds, boards = set(kinds), [*map(read_board, BOARDS.values())]
    makers = [NETWORKS_OF[kind] for kind in NETWORKS_OF if kind in kinds]
    graphs = [make(seed) for make, count in makers for seed in range(count)]
    numbers = PACKED if "packed" in kinds else ()
    result: list[Sample] = []
    with ProcessPoolExecutor() as pool, bar("calibrate", (len(graphs) + len(numbers)) * len(boards)) as progress:
        running = [pool.submit(samples_of_every_kernel, *job) for job in product(graphs, boards)]
        running += [pool.submit(samples_of_packed_layers, *job) for job in product(numbers, boards)]
        for one in running:
            result += one.result()
            progress.advance()
    return result


def show(data: Iterable[Sample]) -> None:
    """Write costs; print them, how far off they are, and how the estimated sizes of code compare."""
    groups: dict[str, dict[CoreName, list[Sample]]] = defaultdict(lambda: defaultdict(list))
    routines: dict[str, list[float]] = defaultdict(list)
    fresh: dict[CoreName, dict[str, dict[str, float]]] = defaultdict(dict)
    for sample in data:
        groups[sample.costed][sample.core].append(sample)
        for routine in sample.kernel.routines(sample.layer):
            routines[routine.template].append(routine.code_bytes / sample.routines[routine.name])
    for kind, by_core in sorted(groups.items()):
        print(kind)
        for core, fitted in by_core.items():
            coefficients, errors = fit(fitted)
            fresh[core] |= _by_kind(kind, coefficients)
            row = ", ".join(f'"{feature}": {value:.2f}' for feature, value in coefficients.items())
            code = [s.kernel.code_bytes(s.layer) / s.code_bytes for s in fitted]
            print(f"    {core}: {row}")
            print(f"        # {len(fitted)} layers, {min(errors):+.0%} ... {max(errors):+.0%}, ", end="")
            print(f"{np.sqrt(np.mean(np.square(errors))):.0%} rms; code {min(code):.0%} ... {max(code):.0%}")
    for template, ratios in sorted(routines.items()):
        print(f"{template}: code {min(ratios):.0%} ... {max(ratios):.0%}")
    for core, fitted_costs in fresh.items():
        known = core_of(core).costs
        costs = {kind: {**known.get(kind, {}), **features} for kind, features in fitted_costs.items()}
        path = ROOT / "mcubuild" / "cores" / f"{core.replace('-', '_')}.py"
        path.write_text(with_costs(path.read_text(), {**known, **costs}))


def _by_kind(kind: str, coefficients: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Costs as a core has them: of kernels that were fitted together, features of one have its kind in front."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for feature, value in coefficients.items():
        own, _, name = feature.rpartition(".")
        found[own or kind][name] = round(value, 2)
    return dict(found)


def with_costs(text: str, costs: Costs) -> str:
    """The source of a core's module with these costs instead of its own."""
    start = text.index("COSTS: Costs = {")
    end = text.index("\n}\n", start) + 3
    lines = ["COSTS: Costs = {"]
    for kind, features in sorted(costs.items()):
        lines += [
            f'    "{kind}": {{',
            *(f'        "{name}": {cost},' for name, cost in sorted(features.items())),
            "    },",
        ]
    return text[:start] + "\n".join([*lines, "}", ""]) + text[end:]


def main(kept: Path | None, kinds: Iterable[str]) -> None:
    """Measure, fit, print."""
    if kept is not None and kept.exists():
        show(pickle.loads(kept.read_bytes()))
        return
    data = measure_all(kinds)
    if kept is not None:
        kept.write_bytes(pickle.dumps(data))
    show(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None, sys.argv[2:] or KINDS)
