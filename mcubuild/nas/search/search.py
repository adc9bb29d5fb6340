"""TinyNAS, second half: the most accurate network of the space that keeps within the budget.

Candidates inherit the super network's weights and are judged on the validation split, after batch norm was calibrated
on training samples; the test split plays no part.
"""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from mcubuild.artifacts import write_artifact
from mcubuild.artifacts.margin import NO_MARGIN, Margin
from mcubuild.artifacts.searched import (
    SEARCHED,
    Ceilings,
    Evaluated,
    Method,
    PredictorQuality,
    Searched,
)
from mcubuild.checkpoint import restore, save
from mcubuild.data.splits import Split
from mcubuild.nas.search.dominance import ByDominance
from mcubuild.nas.search.evolution import METHODS, Evaluation, Order, Score, by_score, explore
from mcubuild.nas.search.guided import explore_guided
from mcubuild.nas.search.inherited import Inherited
from mcubuild.nas.search.pool import JudgeAll, pool
from mcubuild.nas.search.smoothing import expected
from mcubuild.nas.space.arch import Arch, Space
from mcubuild.nas.space.candidates import Candidates, Limits
from mcubuild.nas.space.family import Family
from mcubuild.nas.space.footprints import Footprints
from mcubuild.nas.training.batches import at_resolution, spread
from mcubuild.nas.training.recipe import deterministic
from mcubuild.nas.training.supernet import read_supernet
from mcubuild.progress import Bar, bar
from mcubuild.spec.deployment import Deployment
from mcubuild.spec.search import SearchSettings, SizedSearch
from mcubuild.tasks.learning import Learning

_ENOUGH: Final = 1000
"""Samples to judge candidates by: an accuracy is known to 1.3 percentage points, the difference of two better, as they
answer the same samples, and what a thousand evaluations say together better again."""


def search(
    space: Space,
    supernet: Path,
    train: Split,
    val: Split,
    settings: SearchSettings,
    deployment: Deployment,
    *,
    learning: Learning,
    seed: int,
    out: Path,
    work: Path,
    neighbours: Sequence[Space] = (),
    margin: Margin = NO_MARGIN,
    factor: float = 1.0,
) -> None:
    """Search ``space``; write search.json to ``out``: the networks looked at, those that none beats, the chosen one.

    Chosen is the network of which the evaluations of both methods together let expect most.

    Args:
        space: the search space.
        supernet: weights of the super network of the space and its neighbours.
        train: samples that calibrate batch norm.
        val: samples that candidates are judged by, or a part of them if they are more than enough.
        settings: population, generations, ...
        deployment: where the network must run, and within which limits.
        learning: how good answers are.
        seed: of the search.
        out: folder for the results.
        work: folder for evaluations of this very job; a killed search goes on from there to the same result.
        neighbours: spaces whose networks take part, too.
        margin: how cycles relate to the engine's estimates.
        factor: on the number of generations.

    Raises:
        BuildError: no network of the space fits the budget.
    """
    val = to_judge_by(val)
    sizes = lasting(settings.sized(len(val)), factor)
    limits = Limits.of(deployment)
    candidates = Candidates(space, Footprints(deployment, margin), limits, neighbours)
    family = candidates.family
    samples = {
        side: (at_resolution(spread(train, sizes.calibration), side), at_resolution(val, side))
        for side in family.resolutions
    }
    judge = Inherited(read_supernet(supernet, family.largest), learning, samples)
    order: Order = by_score if sizes.objective == "accuracy" else ByDominance(candidates)
    total = evaluated(sizes)
    quality: PredictorQuality | None = None
    # The predictor, too, must learn the same bits wherever networks are judged.
    kept = _Kept(family, work)
    with deterministic(threads=1), bar("search", total, len(kept)) as progress, pool(judge, total) as judge_all:
        fitness = partial(kept.scores, judge_all, progress)
        if sizes.predictor:
            found, quality = explore_guided(candidates, fitness, sizes, seed, order)
        else:
            bred = explore("evolution", candidates, fitness, sizes, seed, order)
            drawn = explore("random", candidates, fitness, sizes, seed, order, bred[-1].generation)
            found = {"evolution": bred, "random": drawn}
    ceilings = Ceilings(sram=deployment.sram, flash=limits.flash, latency=limits.latency)
    write_artifact(_searched(found, sizes, candidates, ceilings, quality, len(val)), out / SEARCHED)


def to_judge_by(val: Split) -> Split:
    """The validation samples that tell candidates apart: all, or ``_ENOUGH`` of them, of all classes alike."""
    return spread(val, judging(len(val)))


def judging(val: int) -> int:
    """How many of so many validation samples ``to_judge_by`` takes."""
    return min(_ENOUGH, val)


def lasting(settings: SizedSearch, factor: float) -> SizedSearch:
    """The settings with so many times the generations."""
    return settings.model_copy(update={"generations": max(1, round(factor * settings.generations))})


def evaluated(settings: SizedSearch) -> int:
    """Networks that both methods evaluate together at the most: the first generation is the same."""
    if settings.predictor:
        return settings.predictor + settings.population * len(METHODS)
    return settings.population * (settings.generations * len(METHODS) + 1)


class _Kept:
    """Scores of networks, kept in the folder ``work`` after each generation."""

    def __init__(self, family: Family, work: Path) -> None:
        self._key = family.key
        self._path = work / "evaluations.json"
        known = json.loads(restore(self._path) or "{}")
        self._scores = {key: Score(*values) for key, values in known.items()}

    def __len__(self) -> int:
        return len(self._scores)

    def scores(self, judge_all: JudgeAll, progress: Bar, archs: Sequence[Arch]) -> list[Score]:
        """Of ``archs``; those that are not known are judged."""
        new = list({self._key(arch): arch for arch in archs if self._key(arch) not in self._scores}.values())
        if new:
            for arch, score in zip(new, judge_all(new), strict=True):
                self._scores[self._key(arch)] = score
                best = max(self._scores.values())
                progress.advance(accuracy=best.accuracy)
            save(self._path, json.dumps(self._scores).encode())
        return [self._scores[self._key(arch)] for arch in archs]


def _searched(
    found: Mapping[Method, list[Evaluation]],
    settings: SearchSettings,
    candidates: Candidates,
    limits: Ceilings,
    quality: PredictorQuality | None,
    samples: int,
) -> Searched:
    everything = [evaluation for method in METHODS for evaluation in found[method]]
    front = ByDominance(candidates).front(everything)
    best = front[0] if settings.objective == "pareto" else _to_expect_most_of(everything, candidates, samples)
    return Searched(
        limits=limits,
        objective=settings.objective,
        predictor=quality,
        chosen=_described(best, candidates),
        front=tuple(_described(evaluation, candidates) for evaluation in front),
        best_by_generation={
            method: tuple(_best_accuracy(evaluations, last) for last in range(evaluations[-1].generation + 1))
            for method, evaluations in found.items()
        },
        evaluations={
            method: tuple(_described(evaluation, candidates) for evaluation in evaluations)
            for method, evaluations in found.items()
        },
    )


def _to_expect_most_of(evaluations: Sequence[Evaluation], candidates: Candidates, samples: int) -> Evaluation:
    """By what all evaluations, on so many ``samples``, say together; of equals the one that needs the least Flash."""
    known = list({evaluation.arch: evaluation for evaluation in evaluations}.values())
    archs = [evaluation.arch for evaluation in known]
    needs = [candidates.footprint(arch) for arch in archs]
    accuracies = [evaluation.score.accuracy for evaluation in known]
    found = expected(candidates.family, archs, [need.macs for need in needs], accuracies, samples)
    best = max(range(len(known)), key=lambda index: (found[index], known[index].score, -needs[index].flash))
    return known[best]


def _best_accuracy(evaluations: list[Evaluation], last: int) -> float:
    """Of the networks up to generation ``last``."""
    return max(evaluation.score.accuracy for evaluation in evaluations if evaluation.generation <= last)


def _described(evaluation: Evaluation, candidates: Candidates) -> Evaluated:
    footprint = candidates.footprint(evaluation.arch)
    return Evaluated(
        key=candidates.family.key(evaluation.arch),
        method=evaluation.method,
        generation=evaluation.generation,
        accuracy=evaluation.score.accuracy,
        loss=-evaluation.score.negative_loss,
        macs=footprint.macs,
        sram=footprint.sram,
        flash=footprint.flash,
        cycles=footprint.cycles,
        latency=candidates.latency(evaluation.arch),
    )
