"""Which space suits data and board: short trainings of a network of each (successive halving, arXiv 1502.07943).

The more multiply-accumulates, the better, holds where there are enough samples to learn from; with a few hundred, or
where pictures are small, a plain network beats a deep narrow one. So spaces from small to large, of every kind, meet
on the samples themselves: all are trained a little, the better third longer, the best two longer still. Each round of
the race trains afresh and, where training and validation samples are one draw, judges by other samples than the one
before: k-fold validation, until the judged samples are enough. Of two that validation does not tell apart, the smaller
wins.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mcubuild.artifacts import write_artifact
from mcubuild.artifacts.spaces import RACE, Race, Raced
from mcubuild.data.splits import Split, joined
from mcubuild.nas.space.contender import Contender
from mcubuild.nas.space.files import write_space
from mcubuild.nas.training.batches import at_resolution, spread
from mcubuild.nas.training.length import ALONE, SUPERNET, Length, Pace, length_of
from mcubuild.nas.training.recipe import calibrate, judge, workers
from mcubuild.nas.training.scratch import from_scratch
from mcubuild.progress import Bar, bar, part_of
from mcubuild.spec.training import TrainingSettings
from mcubuild.tasks.learning import Learning

_SHARES: Final = (1 / 36, 1 / 12, 1 / 3)
"""Of the steps that the chosen network will have learned for in the end: in each round of the race."""
_IN_FULL: Final = 2500
"""Of these steps, with few samples; of more of them"""
_BEYOND: Final = 0.2
"""so much counts: with many samples a part of a pass tells which space is best, and steps are worth more in the end."""
_LEAST: Final = 20
"""Steps after which a network knows more than nothing."""
_JUDGES: Final = 2500
"""Validation samples at the most: they tell losses apart to a hundredth."""
_FINALISTS: Final = 2
FOLDS: Final = 5
"""Parts of the samples, each of which may be the one to judge by."""
_ENOUGH: Final = 250
"""Samples to judge the finalists by, if the folds have so many."""
_PLENTY: Final = 10_000
"""Validation samples from which on they alone are judged by: other folds would tell no more, and copy everything."""
CALIBRATION: Final = 1024
"""Samples that set the batch norm of a contender: all of them would take as long as a short training."""
_ROUNDS: Final = 10
"""Of a short training: it is lost from the last one on when it is killed;"""
_WORTH_KEEPING: Final = 50
"""but so many steps each: a checkpoint takes as long as some of them."""


@dataclass(frozen=True)
class Judgement:
    """What came of a contender's trainings in a round of the race."""

    losses: NDArray[np.float64]
    """Of each sample that it was judged by, fold after fold, (N,)."""
    score: float
    """The mean over these samples of their folds' scores."""

    @property
    def loss(self) -> float:
        """The mean."""
        return float(self.losses.mean())


@dataclass(frozen=True)
class Round:
    """Of the race."""

    length: Length
    """Of each training."""
    contenders: int
    folds: tuple[int, ...]


def race(
    contenders: Sequence[Contender],
    train: Split,
    val: Split,
    settings: TrainingSettings,
    *,
    one_draw: bool,
    learning: Learning,
    seed: int,
    out: Path,
    work: Path,
    pace: Pace = SUPERNET + ALONE,
    timed: bool = False,
) -> None:
    """Find the contender whose space suits the samples best; write space.json and race.json, a table of the rounds.

    Args:
        contenders: one or more; a single one wins without a training.
        train: the samples to learn from.
        val: the samples to judge by.
        settings: of training; its epochs are those of the whole training, of which the race takes parts.
        one_draw: whether ``val`` was drawn from the same samples as ``train``, so that others may stand in for it.
        learning: how networks learn their task.
        seed: of weights, the order of samples, and the folds.
        out: folder for the results.
        work: folder for checkpoints of this very job; a killed run goes on from there to the same bits.
        pace: how long the whole training is where the settings have no epochs.
        timed: whether race.json tells the seconds that the race took, too: of what is left of a time others follow.
    """
    start = time.monotonic()
    folds = _folds(train, val, seed) if one_draw and len(val) < _PLENTY else [(train, val)]
    left, table = by_turns(contenders), list[Raced]()
    whole = length_of(settings, pace, len(folds[0][0]))
    rounds = plan(len(contenders), whole, len(folds[0][1]), len(folds))
    steps = sum(one.length.total * one.contenders * len(one.folds) for one in rounds)
    with workers() as executor, bar("race", steps) as progress:
        for number, one in enumerate(rounds):
            left = left[: one.contenders]
            jobs = [(contender, fold) for contender in left for fold in one.folds]

            def run(job: tuple[Contender, int], one: Round = one, number: int = number) -> Judgement:
                contender, fold = job
                place = work / f"{number}-{fold}-{contender.arch.name}"
                return _trained(contender, folds[fold], settings, one.length, learning, seed, place, progress)

            found = dict(zip(jobs, executor.map(run, jobs), strict=True))
            judged = {contender: _together([found[contender, fold] for fold in one.folds]) for contender in left}
            left.sort(key=lambda contender: judged[contender].loss)
            table += [_describe(number, one, contender, judged[contender]) for contender in left]
        best = preferred(left, judged) if rounds else left[0]
    write_space(best.arch.space, best.neighbours, out / "space.json")
    took = time.monotonic() - start if timed else None
    write_artifact(Race(best.arch.name, tuple(table), took), out / RACE)


def by_turns(contenders: Sequence[Contender]) -> list[Contender]:
    """One of each kind of blocks, then another one of each, ...: a part of them is of all kinds and sizes.

    Kinds with plain convolutions come first, as they learn in fewer steps: where the time is too short for a round, the
    first go on to the next.
    """
    kinds: dict[str, list[Contender]] = {}
    for contender in contenders:
        kinds.setdefault(contender.arch.space.block, []).append(contender)
    quick = sorted(kinds, key=lambda kind: kind == "mobile")
    most = max(len(own) for own in kinds.values())
    return [kinds[kind][turn] for turn in range(most) for kind in quick if turn < len(kinds[kind])]


def judging(val: int) -> int:
    """How many of so many validation samples of a fold judge a contender."""
    return min(_JUDGES, val)


def plan(count: int, whole: Length, judged: int, folds: int) -> list[Round]:
    """The rounds of a race of ``count`` contenders; none if there is a single one.

    Rounds of less than ``_LEAST`` steps tell nothing and are left out, where the spec does not demand them by epochs.

    Args:
        count: of contenders.
        whole: length of the training that the chosen network has behind it in the end.
        judged: samples of a fold.
        folds: that there are.
    """
    if count == 1:
        return []
    counted = min(whole.total, _IN_FULL) + _BEYOND * max(0, whole.total - _IN_FULL)
    enough = min(folds, math.ceil(_ENOUGH / judged))
    rounds = []
    for number, share in enumerate(_SHARES):
        total = max(1, round(share * counted))
        steps = max(min(total, _WORTH_KEEPING), total // _ROUNDS)
        length = replace(whole, steps=steps, rounds=max(1, total // steps), patient=True)
        last = number == len(_SHARES) - 1
        some = enough if last else 1
        # The rounds take turns in the folds, so that what is chosen early and what is chosen late do not share noise.
        chosen = tuple((number + fold) % folds for fold in range(some))
        if total >= _LEAST or whole.patient:
            rounds.append(Round(length, min(count, _FINALISTS if last else max(_FINALISTS, count)), chosen))
        count = max(_FINALISTS, math.ceil(count / 3))
    return rounds


def preferred(finalists: Sequence[Contender], judged: Mapping[Contender, Judgement]) -> Contender:
    """The smallest of those that validation does not tell from the best, by a standard error of their difference."""
    best = min(finalists, key=lambda contender: judged[contender].loss)
    return min(
        (contender for contender in finalists if not _clearly_worse(judged[contender], judged[best])),
        key=lambda contender: contender.flash,
    )


def _clearly_worse(one: Judgement, best: Judgement) -> bool:
    differences = one.losses - best.losses  # of the same samples
    error = float(differences.std()) / math.sqrt(len(differences))
    return float(differences.mean()) > error


def _folds(train: Split, val: Split, seed: int) -> list[tuple[Split, Split]]:
    """Pairs of samples to learn from and to judge by, each sample judged by once; classes are spread evenly."""
    both = joined(train, val)
    order = np.random.default_rng([seed, FOLDS]).permutation(len(both))
    order = order[np.argsort(both.y[order], kind="stable")]
    fold = np.empty(len(both), np.int64)
    fold[order] = np.arange(len(both)) % FOLDS
    return [(both.part(np.flatnonzero(fold != one)), both.part(np.flatnonzero(fold == one))) for one in range(FOLDS)]


def _trained(
    contender: Contender,
    samples: tuple[Split, Split],
    settings: TrainingSettings,
    length: Length,
    learning: Learning,
    seed: int,
    work: Path,
    progress: Bar,
) -> Judgement:
    train, val = samples
    # A short training does not see all samples, and others need not be resized.
    train = at_resolution(spread(train, length.total * length.batch), contender.arch.resolution)
    val = at_resolution(spread(val, judging(len(val))), contender.arch.resolution)
    network, _ = from_scratch(  # judged once, in the end
        contender.arch, train, None, settings, length,
        learning=learning, seed=seed, work=work, progress=part_of(progress),
    )  # fmt: skip
    calibrate(network, spread(train, CALIBRATION))
    return Judgement(*judge(network, val, learning))


def _together(parts: Sequence[Judgement]) -> Judgement:
    sizes = [len(one.losses) for one in parts]
    score = sum(size * one.score for size, one in zip(sizes, parts, strict=True)) / sum(sizes)
    return Judgement(np.concatenate([one.losses for one in parts]), score)


def _describe(number: int, one: Round, contender: Contender, judged: Judgement) -> Raced:
    return Raced(
        round=number,
        name=contender.arch.name,
        flash=contender.flash,
        steps=one.length.total,
        folds=len(one.folds),
        samples=len(judged.losses),
        loss=judged.loss,
        accuracy=judged.score,
    )
