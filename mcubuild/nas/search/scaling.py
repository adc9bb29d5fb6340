"""A published network on a small board: width and resolution scaled down until it fits, then trained from scratch."""

from collections.abc import Sequence
from pathlib import Path

from mcubuild.artifacts import write_artifact
from mcubuild.artifacts.margin import NO_MARGIN, Margin
from mcubuild.artifacts.spaces import SCALING, ScaledSize, Scaling
from mcubuild.data.splits import Index, Split
from mcubuild.errors import NothingFitsError
from mcubuild.nas.space.baselines import Baseline
from mcubuild.nas.space.candidates import Limits
from mcubuild.nas.space.files import write_json
from mcubuild.nas.space.footprints import Footprints
from mcubuild.nas.space.optimisation import baselines_for
from mcubuild.nas.training.batches import at_resolution
from mcubuild.nas.training.length import COMPARED, length_of
from mcubuild.nas.training.recipe import calibrate, evaluate, workers
from mcubuild.nas.training.scratch import from_scratch
from mcubuild.progress import bar, part_of
from mcubuild.spec.deployment import Deployment
from mcubuild.spec.space import SpaceSettings
from mcubuild.spec.training import TrainingSettings
from mcubuild.tasks.learning import Learning
from mcubuild.units import format_size, format_time


def scale(
    name: str,
    index: Index,
    train: Split,
    val: Split,
    space: SpaceSettings,
    settings: TrainingSettings,
    deployment: Deployment,
    *,
    learning: Learning,
    seed: int,
    out: Path,
    work: Path,
    margin: Margin = NO_MARGIN,
) -> None:
    """Choose width and resolution; write arch.json (the chosen network) and scaling.json (all that fit) to ``out``.

    Of the sizes that fit, those are trained that no other exceeds in both width and resolution; validation decides. A
    single one needs no training.

    Args:
        name: of the network, one of BASELINES.
        index: of the data set: classes, channels and the largest resolution.
        train: the samples to learn from.
        val: the samples that sizes are judged by.
        space: the widths and resolutions.
        settings: how each size is trained.
        deployment: where the network must run, and within which limits.
        learning: how networks learn their task.
        seed: of weights and the order of samples.
        out: folder for the results.
        work: folder for checkpoints of this very job; a killed run goes on from there to the same bits.
        margin: how cycles relate to the engine's estimates.

    Raises:
        NothingFitsError: no size fits.
        BuildError: a resolution is above the data set's.
    """
    footprints = Footprints(deployment, margin)
    fitting = fitting_sizes(name, index, space, footprints, Limits.of(deployment))
    largest = frontier(fitting)
    judged = _judge(largest, train, val, settings, learning=learning, seed=seed, work=work) if len(largest) > 1 else {}
    best = max(largest, key=lambda size: judged.get(size, (0.0, 0.0)))
    write_json(best.to_json(), out / "arch.json")
    table = tuple(_describe(size, footprints, judged.get(size)) for size in fitting)
    write_artifact(Scaling(best.name, table), out / SCALING)


def _judge(
    candidates: Sequence[Baseline],
    train: Split,
    val: Split,
    settings: TrainingSettings,
    *,
    learning: Learning,
    seed: int,
    work: Path,
) -> dict[Baseline, tuple[float, float]]:
    """Score on ``val`` and negative loss of each candidate, trained with ``settings``."""
    length = length_of(settings, COMPARED, len(train))
    # The bar ends first, on an error, too: that ends the other trainings.
    with workers() as executor, bar("scale", len(candidates) * length.total) as progress:

        def judge(size: Baseline) -> tuple[float, float]:
            samples, judges = at_resolution(train, size.resolution), at_resolution(val, size.resolution)
            network, _ = from_scratch(
                size, samples, judges, settings, length,
                learning=learning, seed=seed, work=work / size.name, progress=part_of(progress),
            )  # fmt: skip
            calibrate(network, samples)
            score, loss = evaluate(network, judges, learning)
            return score, -loss

        return dict(zip(candidates, executor.map(judge, candidates), strict=True))


def fitting_sizes(
    name: str, index: Index, space: SpaceSettings, footprints: Footprints, limits: Limits
) -> list[Baseline]:
    """The sizes of a published network that are within the limits; arguments as for ``scale``.

    Raises:
        NothingFitsError: none is.
        BuildError: a resolution is above the data set's.
    """
    candidates = baselines_for(name, index.outline, space)
    fitting = [size for size in candidates if footprints.fits(size, limits.flash, limits.latency)]
    if not fitting:
        raise NothingFitsError(_nothing_fits(name, candidates, footprints, limits))
    return fitting


def frontier(fitting: Sequence[Baseline]) -> list[Baseline]:
    """Those of ``fitting`` that no other exceeds in width or resolution while at least matching it in both."""
    return [
        size
        for size in fitting
        if not any(
            other != size and other.width >= size.width and other.resolution.covers(size.resolution)
            for other in fitting
        )
    ]


def _describe(size: Baseline, footprints: Footprints, judged: tuple[float, float] | None) -> ScaledSize:
    needs = footprints.of(size)
    return ScaledSize(
        name=size.name,
        width=size.width,
        resolution=size.resolution,
        macs=needs.macs,
        sram=needs.sram,
        flash=needs.flash,
        latency=footprints.latency(needs),
        accuracy=None if judged is None else judged[0],
    )


def _nothing_fits(name: str, candidates: Sequence[Baseline], footprints: Footprints, limits: Limits) -> str:
    needs = {size: footprints.of(size) for size in candidates}
    least = min(candidates, key=lambda size: (needs[size].sram, needs[size].flash))
    fastest = min(map(footprints.longest, needs.values()))
    within = "" if limits.latency is None else f" within {format_time(limits.latency)}"
    allowed = f"{format_size(footprints.deployment.sram)} SRAM and {format_size(limits.flash)} Flash{within}"
    return (
        f'budget: arch = "{name}" fits {allowed} at none of the {len(needs)} sizes; {least.name} needs '
        f"{format_size(needs[least].sram)} SRAM and {format_size(needs[least].flash)} Flash, the fastest "
        f"{format_time(fastest)}. Raise {limits.keys}, or allow smaller networks in space.widths and "
        f"space.resolutions."
    )
