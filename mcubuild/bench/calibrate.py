"""Fits the costs of the kernels to emulated runs.

Random networks (``kernel_networks``) are generated, compiled (zig, -O2) and run in the emulator, as often as it takes
for each layer to be computed by every kernel that can (with packed activations, by the one that estimates choose); the
costs are the non-negative least squares fit of the relative errors over all layers. What layers do only because their
weights are narrow is fitted to them alone, all else being held: as fitted to the others, or as it was if there are
none. Costs of what none of the networks does stay as they are.

What was measured is kept by the C that it was measured of: another choice of features costs nothing but the generation.
"""

import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from mcubuild.artifacts import Artifact
from mcubuild.bench.kernel_networks import calibration_networks, with_bits
from mcubuild.bench.latency import mixed
from mcubuild.bench.values import with_random_values
from mcubuild.bench.workbench import Workbench, roomy
from mcubuild.board import CoreName, read_board
from mcubuild.cores.core import core_of
from mcubuild.cores.costs import Costs, read_costs
from mcubuild.engine.kernels import kernels, serving
from mcubuild.engine.kernels.base import Kernel
from mcubuild.engine.layer import Layer, layers
from mcubuild.engine.memory.footprint import target_of
from mcubuild.errors import BuildError
from mcubuild.ir.executor import sample_shape
from mcubuild.ir.graph import Graph
from mcubuild.ir.ops.weighted import Weighted
from mcubuild.measure.build import link_and_run, write_c
from mcubuild.nas.space.skeleton import skeleton
from mcubuild.processes import processes
from mcubuild.progress import bar
from mcubuild.spec.deployment import Deployment
from mcubuild.store import digest_file

_MOST_CALL = 200
"""Cycles of a call, at most: whole layers hardly tell, and chains make many calls."""
_PACKED = (0, 1, 4)
"""Networks of ``latency.mixed``, by number, whose packed layers are measured: of 64, 48 and 28 pixels."""


class Run(Artifact, frozen=True):
    """What a firmware took."""

    cycles: dict[str, float]
    """Of an inference, by layer function."""
    bytes: dict[str, int]
    """Of code, by function."""


@dataclass(frozen=True)
class Sample:
    """What one layer took."""

    layer: Layer
    kind: str
    """Of the kernel."""
    deployment: Deployment
    cycles: float
    code_bytes: int
    routines: Mapping[str, int]
    """Bytes of its routines in assembly, by name."""

    @property
    def core(self) -> CoreName:
        """What it ran on."""
        return self.deployment.board.core

    @cached_property
    def kernel(self) -> Kernel:
        """The kernel."""
        return next(one for one in serving(self.layer, target_of(self.deployment)) if one.kind == self.kind)


@dataclass(frozen=True)
class Fit:
    """What was fitted together: costs of a kernel, or of several that have some in common."""

    name: str
    """Of the kernel, or of what they have in common."""
    costs: Costs
    """By kernel and feature, in cycles."""
    errors: NDArray[np.float64]
    """Of the estimate of each layer, relative to what it took."""
    code: NDArray[np.float64]
    """The estimate of each layer's code, relative to its bytes."""


def deployment_of(core: str) -> Deployment:
    """Where the costs of ``core`` are measured.

    Raises:
        BuildError: it has none of its own.
    """
    found = core_of(core)
    if found.board is None:
        raise BuildError(
            f"core={core}: its costs are {found.times:g} times those of the {found.like}; name that one, or write a "
            f"board to measure on, and no like, into mcubuild/cores/{core.replace('-', '_')}.py."
        )
    return Deployment(read_board(found.board))


def groups(core: str, wanted: Collection[str], deployment: Deployment) -> set[str]:
    """What must be fitted, as ``Fit.name``, for new costs of the ``wanted`` kernels (none: of all).

    Raises:
        BuildError: there is no such kernel.
    """
    known = {kind: kind for kind in read_costs(core)}
    known |= {kernel.costed[-1]: kernel.costed[0] for kernel in kernels(deployment.engine)}
    if unknown := sorted({*wanted} - {*known}):
        raise BuildError(f"kernels={unknown[0]}: there is no such kernel; allowed: {', '.join(sorted(known))}.")
    return {known[kind] for kind in wanted or known}


def measured(core: str, wanted: Collection[str], bench: Workbench) -> list[Sample]:
    """Every layer of the networks with every kernel that is ``wanted`` (none: with every one) and serves it.

    Raises:
        BuildError: ``core`` has no costs of its own, there is no such kernel, or no network has a layer for it.
    """
    deployment = deployment_of(core)
    names = groups(core, wanted, deployment)
    graphs, result = calibration_networks(), list[Sample]()
    packed = _PACKED if "packed" in names else ()
    with bar("calibrate", len(graphs) + len(packed)) as progress, processes() as executor:
        running = [executor.submit(_samples, graph, deployment, bench, names) for graph in graphs]
        running += [executor.submit(_samples_of_packed, number, deployment, bench) for number in packed]
        for one in running:
            result += one.result()
            progress.advance()
    if not result:
        raise BuildError(f"kernels={','.join(wanted)}: no network of mcubuild.bench.kernel_networks has such layers.")
    return result


def _samples(graph: Graph, deployment: Deployment, bench: Workbench, names: Collection[str]) -> list[Sample]:
    """Every layer of ``graph`` with every kernel of the groups ``names`` that serves it."""
    target = target_of(deployment)
    able = {layer.output.name: serving(layer, target) for layer in layers(graph)}
    found: dict[tuple[str, str], Sample] = {}
    for turn in range(max(map(len, able.values()))):
        chosen = {name: each[(turn + index) % len(each)] for index, (name, each) in enumerate(able.items())}
        if any((name, k.kind) not in found and k.costed[0] in names for name, k in chosen.items()):
            tuned = {name: kernel.kind for name, kernel in chosen.items()}
            for one in samples(graph, deployment, bench, tuned):
                if one.kernel.costed[0] in names:
                    found.setdefault((one.layer.output.name, one.kind), one)
    return list(found.values())


def _samples_of_packed(number: int, deployment: Deployment, bench: Workbench) -> list[Sample]:
    """Layers with activations of 4 bits of a searched network, each with the kernel of the lowest estimate.

    What packing takes is what the kernel inside leaves: around slow kernels, it would be lost in the error of these.
    """
    room = replace(deployment, board=roomy(deployment.board))
    case = mixed(room, "mobile", number + 1)[number]
    graph = with_random_values(skeleton(case.arch, 8, 4), case.seed)
    return [sample for sample in samples(graph, room, bench, {}) if sample.layer.packed]


def samples(graph: Graph, deployment: Deployment, bench: Workbench, tuned: Mapping[str, str]) -> list[Sample]:
    """Cycles and code of every layer of ``graph``, with the kernels ``tuned`` or those of the lowest estimate."""
    run, every = _run(graph, deployment, bench, tuned), layers(graph)
    result = []
    for name, cycles in run.cycles.items():  # a reshape may have no function
        _, index, kind = name.split("_", 2)
        sample = Sample(every[int(index)], kind, deployment, cycles, run.bytes[name], {})
        routines = {one.name: run.bytes[f"model_{one.name}"] for one in sample.kernel.routines(sample.layer)}
        result.append(replace(sample, routines=routines))
    return result


def _run(graph: Graph, deployment: Deployment, bench: Workbench, tuned: Mapping[str, str]) -> Run:
    inputs = np.random.default_rng(0).integers(-128, 128, (1, *sample_shape(graph)), np.int8)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_c(graph, deployment, folder, tuned)
        files = {path.relative_to(folder).as_posix(): digest_file(path) for path in folder.rglob("*") if path.is_file()}

        def run(_: Path) -> Run:
            outcome = link_and_run(deployment, inputs, folder)
            cycles = {one.name: one.cycles for one in outcome.measured.layers if one.cycles is not None}
            return Run(cycles, {symbol.name: symbol.bytes for symbol in outcome.sizes.symbols})

        return bench.kept({"c": files}, deployment, Run, run)


def fits(data: Iterable[Sample]) -> list[Fit]:
    """The costs that ``data`` tell, by name."""
    grouped = defaultdict[str, list[Sample]](list)
    for sample in data:
        grouped[sample.kernel.costed[0]].append(sample)
    return [_fit(name, each) for name, each in sorted(grouped.items())]


def _fit(name: str, data: Sequence[Sample]) -> Fit:
    features, errors = coefficients(data)
    costs = defaultdict[str, dict[str, float]](dict)
    for feature, cost in features.items():
        own, _, short = feature.rpartition(".")
        costs[own or name][short] = round(cost, 2)
    code = [one.kernel.code_bytes(one.layer) / one.code_bytes for one in data]
    return Fit(name, dict(costs), errors, np.array(code))


def coefficients(data: Sequence[Sample]) -> tuple[dict[str, float], NDArray[np.float64]]:
    """Cycles by feature, and the relative error of each sample's estimate.

    Of kernels that are fitted together, a feature that is not what they have in common has its kernel's kind in front.
    """
    core, kernel = data[0].core, data[0].kernel
    costs = read_costs(core)
    shared = frozenset(costs[kernel.common] if kernel.common else ())
    if kernel.template:
        shared = frozenset(kernel.work(data[0].layer))

    def work(sample: Sample, layer: Layer) -> dict[str, int]:
        counts = sample.kernel.work(layer).items()
        return {name if name in shared or not shared else f"{sample.kind}.{name}": count for name, count in counts}

    done = [work(sample, sample.layer) for sample in data]
    features = sorted({feature for row in done for feature in row})
    rows = np.array([[row.get(name, 0) / one.cycles for name in features] for row, one in zip(done, data, strict=True)])
    most = np.array([_MOST_CALL if feature.endswith("call") else np.inf for feature in features])
    share = np.array([1 - one.kernel.cycles_inside(one.layer, core) / one.cycles for one in data])
    narrow = np.array([isinstance(one.layer.op, Weighted) and one.layer.weights.bits < 8 for one in data])
    in_wide = {
        feature
        for sample in data
        for feature, count in work(sample, Layer(with_bits(sample.layer.graph, 8), sample.layer.index)).items()
        if count
    }
    others = np.array([feature in in_wide for feature in features])
    if narrow.all():
        places = [feature.rpartition(".") for feature in features]
        known = [costs[kind or kernel.costed[0]].get(feature, 0.0) for kind, _, feature in places]
        found = np.where(others, known, 0.0)
    else:
        found = np.zeros(len(features))
        found[others] = _least_squares(rows[~narrow][:, others], share[~narrow], most[others])
    if narrow.any() and not others.all():
        left = share[narrow] - rows[narrow] @ found
        found[~others] = _least_squares(rows[narrow][:, ~others], left, most[~others])
    return dict(zip(features, found.tolist(), strict=True)), rows @ found - share


def _least_squares(
    rows: NDArray[np.float64], wanted: NDArray[np.float64], most: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Coefficients of 0 ... ``most``."""
    solution: NDArray[np.float64] = lsq_linear(rows, wanted, (0, most)).x
    return solution


def updated(known: Costs, found: Iterable[Fit]) -> Costs:
    """The costs ``known``, with those that were ``found`` instead of theirs."""
    fresh = {kind: features for fit in found for kind, features in fit.costs.items()}
    return {**known, **{kind: {**known.get(kind, {}), **features} for kind, features in fresh.items()}}


def lines(data: Sequence[Sample], found: Sequence[Fit]) -> Iterator[str]:
    """Costs, how far off they are, and how the estimated sizes of code compare."""
    for fit in found:
        yield fit.name
        for kind, features in sorted(fit.costs.items()):
            yield f"    {kind}: {', '.join(f'{feature} {cost:.2f}' for feature, cost in sorted(features.items()))}"
        rms = np.sqrt(np.mean(np.square(fit.errors)))
        yield (
            f"    {len(fit.errors)} layers: {fit.errors.min():+.0%} ... {fit.errors.max():+.0%}, {rms:.0%} rms; "
            f"code {fit.code.min():.0%} ... {fit.code.max():.0%}"
        )
    routines = defaultdict[str, list[float]](list)
    for sample in data:
        for routine in sample.kernel.routines(sample.layer):
            routines[routine.template].append(routine.code_bytes / sample.routines[routine.name])
    for template, ratios in sorted(routines.items()):
        yield f"{template}: code {min(ratios):.0%} ... {max(ratios):.0%}"
