"""How long a build will train, search and run on this machine: told before it begins.

Training steps and evaluations are made for real, some tenths of a second of each, on networks like those to come, and
multiplied; what follows the training goes by rates.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

import numpy as np
import torch

from mcubuild.artifacts.margin import NO_MARGIN, Margin
from mcubuild.board import Board
from mcubuild.data.splits import Index, Split
from mcubuild.engine.memory.footprint import Footprint
from mcubuild.nas.search import race
from mcubuild.nas.search.inherited import Inherited
from mcubuild.nas.search.scaling import fitting_sizes, frontier
from mcubuild.nas.search.search import evaluated, judging, lasting, to_judge_by
from mcubuild.nas.space.arch import Arch, largest, smallest
from mcubuild.nas.space.blocks import Described
from mcubuild.nas.space.candidates import Candidates, Limits
from mcubuild.nas.space.contender import Contender
from mcubuild.nas.space.family import Family
from mcubuild.nas.space.footprints import Footprints
from mcubuild.nas.training.batches import at_resolution, spread, training_batches
from mcubuild.nas.training.fit import distilled, labelled
from mcubuild.nas.training.length import ALONE, COMPARED, SUPERNET, Length, batch_for, length_of
from mcubuild.nas.training.network import Network, build_network
from mcubuild.nas.training.recipe import device, sgd, workers
from mcubuild.nas.training.scratch import full, reduced
from mcubuild.nas.training.supernet import SuperNetwork
from mcubuild.nas.training.throughput import Trainer
from mcubuild.spec.deployment import Deployment
from mcubuild.spec.spec import Spec
from mcubuild.tasks.learning import Learning
from mcubuild.units import format_time

_SECONDS = 0.3
"""Of each kind of work that is timed."""
_STEPS = 2
"""That are timed together."""
_LIKELY = 8
"""Networks drawn to find one like that which will be chosen: the one with the most multiply-accumulates."""
_EMULATED = 3e8
"""Cycles of a core that the emulator runs in a second, and"""
_INTEGER = 2e8
"""multiply-accumulates that the integer reference computes in a second on one core: both as measured on a server's core
at 2.5 GHz."""


PACED: Final = ("race", "supernet", "search", "finetune")
"""Stages that share the time which the spec gives."""


@dataclass(frozen=True)
class Part:
    """The time of one stage."""

    stage: str
    seconds: float
    keys: tuple[str, ...]
    """Of the spec: what would make it shorter, if anything does."""


@dataclass(frozen=True)
class Amounts:
    """Samples of the splits."""

    train: int
    val: int
    test: int
    one_draw: bool
    """Whether validation samples were drawn from the training samples, and so are learned from in the end."""


@dataclass(frozen=True)
class Rates:
    """Seconds of each kind of work of a search: timed once, so that forecasts of any length agree with each other."""

    step: float
    """Of a super network's training;"""
    judged: float
    """of judging it after a round, with all validation samples."""
    evaluated: float
    """Of a network that the search draws and judges."""
    alone: float
    """Of a step in which a network like that which will be chosen learns from the super network;"""
    likely: Footprint
    """what such a network needs."""


def rates(
    spec: Spec,
    board: Board,
    family: Family,
    train: Split,
    val: Split,
    learning: Learning,
    margin: Margin = NO_MARGIN,
) -> Rates:
    """Time a search here, some tenths of a second of each kind of work.

    Args:
        spec: with a budget as ``read_spec`` resolved it.
        board: where the network must run.
        family: the search space and its neighbours.
        train: the samples to learn from.
        val: the samples that networks are judged by.
        learning: how networks learn their task.
        margin: how cycles relate to the engine's estimates.
    """
    deployment = Deployment.of(spec, board)
    footprints = Footprints(deployment, margin)
    candidates = Candidates(family.space, footprints, Limits.of(deployment), family.neighbours)
    rng = np.random.default_rng(0)
    drawn = [candidates.draw(rng) for _ in range(4 * _LIKELY)]  # most blocks are known to the planner soon
    start = time.perf_counter()
    drawn = [candidates.draw(rng) for _ in range(_LIKELY)]
    drawing = (time.perf_counter() - start) / _LIKELY
    likely = max(drawn, key=footprints.macs)
    network = SuperNetwork(family.largest)
    with workers() as executor:
        trainer = Trainer(family, at_resolution(train, family.resolution), spec.supernet, learning, executor)
        ends = [largest(family.largest), smallest(family.smallest)]
        some, judges = drawn[: 2 * _cores()], to_judge_by(val)
        batch = batch_for(spec.finetune, len(train))
        return Rates(
            step=_each(lambda: trainer.run(1)),
            judged=_judgement(network, ends, train, val, spec, learning, executor),
            evaluated=drawing + _judgement(network, some, train, judges, spec, learning, executor) / len(some),
            alone=_step(likely, train, batch, learning, executor, network if learning.taught else None),
            likely=footprints.of(likely),
        )


def searched(spec: Spec, rates: Rates, amounts: Amounts, factor: float = 1.0) -> list[Part]:
    """The stages of a network that is searched for, in their order.

    Args:
        spec: whose search it is.
        rates: of its work.
        amounts: of samples.
        factor: on the length of trainings and search.
    """
    length = length_of(spec.supernet, SUPERNET * factor, amounts.train)
    supernet = length.rounds * (rates.step * length.steps + rates.judged)
    looked_at = evaluated(lasting(spec.search.sized(judging(amounts.val)), factor))
    known = amounts.train + amounts.val * amounts.one_draw
    length = length_of(spec.finetune, ALONE * factor, known)
    finetune = _trained(length, rates.alone, 0 if amounts.one_draw else amounts.val)
    return [
        Part("supernet", supernet, ("supernet.epochs", "dataset.max_resolution")),
        Part("search", looked_at * rates.evaluated, ("search.generations", "search.population")),
        Part("finetune", finetune, ("finetune.epochs",)),
        *_run(spec, rates.likely, amounts.test),
    ]


def race_rate(contenders: Sequence[Contender], spec: Spec, train: Split, learning: Learning) -> float:
    """Seconds of a step of a race, the mean over some contenders from small to large."""
    by_size = sorted(contenders, key=lambda contender: contender.macs)
    some = by_size[len(by_size) // 6 :: max(1, len(by_size) // 3)]
    batch = batch_for(spec.supernet, len(train))
    with workers() as executor:
        return sum(_step(one.arch, train, batch, learning, executor) for one in some) / len(some)


def raced(spec: Spec, contenders: int, rate: float, amounts: Amounts, factor: float = 1.0) -> Part:
    """The race of so many ``contenders``, a step of which takes ``rate`` seconds; all else as for ``searched``."""
    settings = reduced(spec.supernet, spec.supernet.epochs)
    length = length_of(settings, (SUPERNET + ALONE) * factor, amounts.train)
    rounds = race.plan(contenders, length, amounts.val, race.FOLDS if amounts.one_draw else 1)
    seconds, judged = 0.0, min(amounts.train, race.CALIBRATION) + race.judging(amounts.val)
    for one in rounds:
        trainings = one.contenders * len(one.folds)
        # A core has a training at a time: with an odd number of them another one waits for the last.
        each = _trained(replace(one.length, rounds=1, steps=one.length.total), rate, judged)
        seconds += each * ceil(trainings / _cores())
    return Part("race", seconds, ("supernet.epochs", "space.blocks"))


def typical(contenders: Sequence[Contender]) -> Family:
    """The spaces that a race of ``contenders`` may find, as far as one can tell before: those of the middle one."""
    middle = sorted(contenders, key=lambda contender: contender.macs)[len(contenders) // 2]
    return Family(middle.arch.space, middle.neighbours)


def published(
    spec: Spec,
    board: Board,
    index: Index,
    train: Split,
    val: Split,
    tested: int,
    learning: Learning,
    margin: Margin = NO_MARGIN,
) -> Iterator[Part]:
    """The stages of a published network, in their order; ``index`` is the data set's, all else as for ``searched``."""
    deployment = Deployment.of(spec, board)
    footprints = Footprints(deployment, margin)
    fitting = fitting_sizes(str(spec.arch), index, spec.space, footprints, Limits.of(deployment))
    competing = frontier(fitting)
    likely = max(competing, key=footprints.macs)
    epochs = spec.finetune.epochs
    with workers() as executor:
        batch = batch_for(spec.supernet, len(train))
        if len(competing) > 1:
            length = length_of(reduced(spec.supernet, epochs), COMPARED, len(train))
            steps = [_step(size, train, batch, learning, executor) for size in competing]
            seconds = sum(_trained(length, step, len(val)) for step in steps)
            seconds *= ceil(len(competing) / _cores()) / len(competing)
            yield Part("scale", seconds, ("finetune.epochs", "space.widths", "space.resolutions"))
        length = length_of(full(spec.supernet, epochs), SUPERNET + ALONE, len(train))
        seconds = _trained(length, _step(likely, train, batch, learning, executor), len(val))
        yield Part("train", seconds, ("supernet.epochs",))
    yield from _run(spec, footprints.of(likely), tested)


def told(parts: Iterable[Part], after: str = "") -> str:
    """The parts from the stage ``after`` on as a sentence, with keys that shorten the longest; empty below a second."""
    rest = list(parts)
    names = [part.stage for part in rest]
    rest = rest[names.index(after) if after in names else 0 :]
    total = sum(part.seconds for part in rest)
    if total < 1:
        return ""
    shown = ", ".join(f"{part.stage} {format_time(part.seconds)}" for part in rest if part.seconds >= total / 100)
    longest = max((part for part in rest if part.keys), key=lambda part: part.seconds)
    return f"about {format_time(total)} to go on this machine: {shown}. Shorter: lower {' or '.join(longest.keys)}."


def corrected(parts: Iterable[Part], stage: str, seconds: float, left: float) -> str:
    """What is told where ``stage`` takes ``seconds``, of which some are ``left``, instead of what its part says."""
    found = list(parts)
    before = next(part.seconds for part in found if part.stage == stage)
    rest = [replace(part, seconds=left) if part.stage == stage else part for part in found]
    times = f"{stage} takes {format_time(seconds)} in all, not {format_time(before)}"
    return f"{times}, as its first steps show: {told(rest, stage) or 'less than a second to go.'}"


def _run(spec: Spec, needs: Footprint, tested: int) -> Iterator[Part]:
    """Accuracy, and the firmware in the emulator."""
    yield Part("accuracy", tested * needs.macs / (_INTEGER * _cores()), ())
    run = min(spec.measure.samples or tested, tested)
    yield Part("measure", run * needs.cycles / _EMULATED, ("measure.samples",))


def _cores() -> int:
    return os.cpu_count() or 1


def _each(work: Callable[[], object]) -> float:
    """Seconds of ``work``, the mean over ``_SECONDS``, after one time that does not count."""
    work()
    start, times = time.perf_counter(), 0
    while times == 0 or time.perf_counter() - start < _SECONDS:
        work()
        times += 1
    return (time.perf_counter() - start) / times


def _judgement(
    network: SuperNetwork,
    archs: Sequence[Arch],
    train: Split,
    val: Split,
    spec: Spec,
    learning: Learning,
    executor: Executor,
) -> float:
    """Seconds to judge ``archs`` with inherited weights on all cores."""
    calibration = spread(train, spec.search.calibration)
    sides = {arch.resolution for arch in archs}
    samples = {side: (at_resolution(calibration, side), at_resolution(val, side)) for side in sides}
    judge = Inherited(network, learning, samples)
    return _each(lambda: list(executor.map(judge, archs)))


def _step(
    arch: Described,
    train: Split,
    batch: int,
    learning: Learning,
    executor: Executor,
    teacher: SuperNetwork | None = None,
) -> float:
    """Seconds of a step of ``batch`` samples of ``arch`` alone, taught by a ``teacher`` or the labels."""
    samples = at_resolution(spread(train, 2 * batch), arch.resolution)
    network = build_network(arch).to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser, rng = sgd(network), np.random.default_rng(0)
    objective = labelled(network, learning, 0.0)
    if teacher is not None:
        objective = distilled(network, _taught(teacher, arch), learning, 0.0, executor)

    def some() -> None:
        for images, targets in training_batches(samples, batch, _STEPS, learning, rng):
            x, y = images.to(device()), targets.to(device())
            loss, _ = objective(x, y)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()

    network.train()
    return _each(some) / _STEPS


def _trained(length: Length, step: float, judged: int) -> float:
    """Seconds of a training whose steps take ``step``, and which is judged by so many samples each round."""
    # Without gradients a sample takes a third of the time.
    return length.rounds * (length.steps * step + judged / length.batch * step / 3)


def _taught(teacher: SuperNetwork, arch: Described) -> Network:
    whole: Network = teacher
    if isinstance(arch, Arch) and arch.space != teacher.largest.space:
        whole = teacher.extract(largest(arch.space))
    return whole.to(device()).eval()
