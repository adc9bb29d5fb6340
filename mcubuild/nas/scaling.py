"""A published network on a small board: width and resolution scaled down until it fits, then trained from scratch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (the name that everyone uses)
from torch import Tensor

from mcubuild.board import Board
from mcubuild.data.splits import Index, Split
from mcubuild.engine.footprint import Footprint, arena_within, estimate
from mcubuild.engine.target import Target
from mcubuild.errors import BuildError
from mcubuild.nas.augmentation import Variation
from mcubuild.nas.baselines import Baseline
from mcubuild.nas.batches import at_resolution
from mcubuild.nas.files import write_json
from mcubuild.nas.fit import finish, fit_alone
from mcubuild.nas.network import Network, build_network
from mcubuild.nas.rows import Described
from mcubuild.nas.skeleton import skeleton
from mcubuild.nas.space import sizes
from mcubuild.nas.training import Log, calibrate, device, evaluate, mixed_precision, workers
from mcubuild.progress import bar
from mcubuild.spec.budget import Budget
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.finetune import FinetuneSettings
from mcubuild.spec.space import SpaceSettings
from mcubuild.spec.supernet import SupernetSettings
from mcubuild.spec.training import TrainingSettings
from mcubuild.units import format_size


def full(supernet: SupernetSettings, finetune: FinetuneSettings) -> TrainingSettings:
    """As many passes over the samples as a searched network has seen: as part of its super network, then alone."""
    return _alike(supernet, supernet.epochs + finetune.epochs)


def reduced(supernet: SupernetSettings, finetune: FinetuneSettings) -> TrainingSettings:
    """To compare sizes of a network: a fine-tuning's passes, at least one."""
    return _alike(supernet, max(1, finetune.epochs))


def _alike(supernet: SupernetSettings, epochs: int) -> TrainingSettings:
    return TrainingSettings(
        epochs=epochs,
        learning_rate=supernet.learning_rate,
        label_smoothing=supernet.label_smoothing,
        batch=supernet.batch,
        ema=supernet.ema,
    )


def scale(
    name: str,
    index: Index,
    train: Split,
    val: Split,
    space: SpaceSettings,
    settings: TrainingSettings,
    board: Board,
    engine: EngineSettings,
    *,
    budget: Budget,
    stack: int,
    bits: int,
    vary: Variation,
    seed: int,
    out: Path,
    work: Path,
) -> None:
    """Choose width and resolution; write arch.json (the chosen network) and scaling.json (all that fit) to ``out``.

    Of the sizes that fit, those are trained that no other exceeds in both width and resolution; validation decides.

    Args:
        name: of the network, one of BASELINES.
        index: of the data set: classes, channels and the largest resolution.
        train: the samples to learn from.
        val: the samples that sizes are judged by.
        space: the widths and resolutions.
        settings: how each size is trained.
        board: where the network must run.
        engine: how the planner schedules.
        budget: limits; those that are not given are the board's.
        stack: bytes of RAM reserved for the stack.
        bits: of the weights.
        vary: what may be done to a sample.
        seed: of weights and the order of samples.
        out: folder for the results.
        work: folder for checkpoints of this very job; a killed run goes on from there to the same bits.

    Raises:
        BuildError: no size fits, or a resolution is above the data set's.
    """
    sram, flash = budget.sram or board.sram_bytes, budget.flash or board.flash_bytes
    target = Target.of(board, engine, arena_within(sram, stack))
    candidates = [Baseline(name, *size, index.channels, len(index.classes)) for size in sizes(index, space)]
    footprints = {size: estimate(skeleton(size, bits), target, stack) for size in candidates}
    latest = float("inf") if budget.latency is None else budget.latency
    fitting = [
        size
        for size, needs in footprints.items()
        if needs.sram <= sram and needs.flash <= flash and needs.cycles / board.clock <= latest
    ]
    if not fitting:
        raise BuildError(_nothing_fits(name, footprints, sram, flash, board))
    largest = frontier(fitting)
    rows = []
    with bar("scale", len(largest)) as progress, workers():
        for size in largest:
            network, _ = _from_scratch(size, train, val, settings, vary=vary, seed=seed, work=work / size.name)
            calibrate(network, at_resolution(train, size.resolution))
            accuracy, loss = evaluate(network, at_resolution(val, size.resolution))
            rows.append((accuracy, -loss, size))
            progress.advance(accuracy=max(rows, key=lambda row: row[:2])[0])
    best = max(rows, key=lambda row: row[:2])[2]
    write_json(best.to_json(), out / "arch.json")
    trained = {size: accuracy for accuracy, _, size in rows}
    table = [_describe(size, footprints[size], board, trained.get(size)) for size in fitting]
    write_json({"chosen": best.name, "fitting": table}, out / "scaling.json")


def frontier(fitting: Sequence[Baseline]) -> list[Baseline]:
    """Those of ``fitting`` that no other exceeds in width or resolution while at least matching it in both."""
    return [
        size
        for size in fitting
        if not any(
            other != size and other.width >= size.width and other.resolution >= size.resolution for other in fitting
        )
    ]


def train_from_scratch(
    arch: Described,
    train: Split,
    val: Split,
    settings: TrainingSettings,
    *,
    vary: Variation,
    seed: int,
    out: Path,
    work: Path,
) -> None:
    """Train ``arch`` from scratch; write weights.safetensors and finetune_log.json to ``out``.

    Arguments as for ``scale``.
    """
    with workers():
        network, log = _from_scratch(arch, train, val, settings, vary=vary, seed=seed, work=work)
        train = at_resolution(train, arch.resolution)
        finish(network, train, log, out / "weights.safetensors", out / "finetune_log.json")


def _from_scratch(
    arch: Described, train: Split, val: Split, settings: TrainingSettings, *, vary: Variation, seed: int, work: Path
) -> tuple[Network, Log]:
    """The trained network, batch norm not calibrated, and the log of its epochs; samples may have any resolution."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_network(arch)
    network.to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]

    def objective(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        with mixed_precision(network):
            logits = network(images).float()
        return F.cross_entropy(logits, labels, label_smoothing=settings.label_smoothing), logits

    train, val = at_resolution(train, arch.resolution), at_resolution(val, arch.resolution)
    return network, fit_alone("train", network, objective, train, val, settings, vary=vary, seed=seed, work=work)


def _describe(size: Baseline, needs: Footprint, board: Board, accuracy: float | None) -> dict[str, Any]:
    """A row of scaling.json; the accuracy on the validation split is null for what was not trained."""
    return {
        "name": size.name,
        "width": size.width,
        "resolution": size.resolution,
        "macs": needs.macs,
        "sram": needs.sram,
        "flash": needs.flash,
        "latency": needs.cycles / board.clock,
        "accuracy": accuracy,
    }


def _nothing_fits(name: str, footprints: dict[Baseline, Footprint], sram: int, flash: int, board: Board) -> str:
    least = min(footprints, key=lambda size: (footprints[size].sram, footprints[size].flash))
    needs = footprints[least]
    return (
        f'budget: arch = "{name}" does not fit at any of the {len(footprints)} sizes; {least.name} needs '
        f"{format_size(needs.sram)} SRAM (budget.sram is {format_size(sram)}), {format_size(needs.flash)} Flash "
        f"(budget.flash is {format_size(flash)}) and {1e3 * needs.cycles / board.clock:.3g} ms. Raise the budget, or "
        f"allow smaller networks in space.widths and space.resolutions."
    )
