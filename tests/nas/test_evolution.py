from collections.abc import Sequence
from itertools import accumulate
from statistics import fmean

import numpy as np
import pytest

from mcubuild.nas.search.dominance import ByDominance
from mcubuild.nas.search.evolution import METHODS, PATIENCE, Evaluation, Fitness, Score, explore
from mcubuild.nas.search.search import evaluated
from mcubuild.nas.space.arch import Arch, smallest
from mcubuild.nas.space.candidates import Candidates, Limits
from mcubuild.spec.search import SearchSettings
from tests.nas.limits import ANY, BOARD, FOOTPRINTS, LEAST, MOST, SPACE, best, tight, toy
from tests.nas.toy import seconds_for

SETTINGS = SearchSettings(population=16, generations=8, parents=6, mutation=0.1).sized(100)


def entangled(archs: Sequence[Arch]) -> list[Score]:
    """Like ``toy``, but what is right in a block depends on the one before, and half a stage counts a quarter."""
    scores = []
    for arch in archs:
        parts = []
        for stage in arch.stages:
            pairs = zip(stage, (stage[-1], *stage), strict=False)
            right = [(k == 5) + (e == (4 if before != 7 else 6)) for (k, e), (before, _) in pairs]
            parts.append((sum(right) / (2 * len(right))) ** 2)
        scores.append(Score(sum(parts) / len(parts), 0.0))
    return scores


@pytest.mark.parametrize("fitness", [toy, entangled])
@pytest.mark.parametrize("limits", [ANY, tight(0.4)], ids=["any", "tight"])
@pytest.mark.parametrize("seed", range(5))
def test_evolution_beats_random_search_over_as_many_networks(seed: int, limits: Limits, fitness: Fitness) -> None:
    candidates = Candidates(SPACE, FOOTPRINTS, limits)
    evolved, drawn = (
        explore(method, candidates, fitness, SETTINGS, seed, generations=SETTINGS.generations) for method in METHODS
    )
    assert len({one.arch for one in evolved}) == len({one.arch for one in drawn}) == 16 * 9
    assert best(evolved) > best(drawn) + 0.05
    assert [one.arch for one in evolved[:16]] == [one.arch for one in drawn[:16]]
    assert {one.arch for one in evolved[16:]}.isdisjoint(one.arch for one in drawn[16:])


def test_it_ends_when_generations_bring_nothing_better() -> None:
    candidates, asked = Candidates(SPACE, FOOTPRINTS, ANY), SETTINGS.model_copy(update={"generations": 100})

    def alike(archs: Sequence[Arch]) -> list[Score]:
        return [Score(0.5, -1 / (1 + FOOTPRINTS.macs(arch))) for arch in archs]

    for method in METHODS:
        found = explore(method, candidates, alike, asked, 0)
        assert found[-1].generation == PATIENCE
    assert explore("random", candidates, alike, asked, 0, generations=2)[-1].generation == 2


def costly(archs: Sequence[Arch]) -> list[Score]:
    """Like ``toy``, but large networks are better, so that accuracy has its price."""
    macs = [FOOTPRINTS.macs(arch) / MOST.macs for arch in archs]
    return [Score((right.accuracy + share**0.5) / 2, 0.0) for right, share in zip(toy(archs), macs, strict=True)]


def area(evaluations: list[Evaluation]) -> float:
    """Below the front of accuracy over latency, up to the latency of the largest network."""
    points = sorted((FOOTPRINTS.of(one.arch).cycles / MOST.cycles, one.score.accuracy) for one in evaluations)
    ends = [*(latency for latency, _ in points[1:]), 1.0]
    heights = accumulate((accuracy for _, accuracy in points), max)
    return sum(height * (end - start) for height, end, (start, _) in zip(heights, ends, points, strict=True))


def test_evolution_by_dominance_finds_a_better_front() -> None:
    candidates, seeds = Candidates(SPACE, FOOTPRINTS, ANY), range(5)
    by_dominance = [explore("evolution", candidates, costly, SETTINGS, seed, ByDominance(candidates)) for seed in seeds]
    drawn = [explore("random", candidates, costly, SETTINGS, seed) for seed in seeds]
    by_accuracy = [explore("evolution", candidates, costly, SETTINGS, seed) for seed in seeds]
    assert all(best(bred) > best(random) for bred, random in zip(by_dominance, drawn, strict=True))
    assert fmean(map(area, by_dominance)) > fmean(map(area, drawn)) + 0.02
    assert fmean(map(area, by_dominance)) > fmean(map(area, by_accuracy)) + 0.01


def test_every_network_looked_at_keeps_within_the_limits() -> None:
    limits = tight(0.1)
    seen: list[Arch] = []

    def fitness(archs: Sequence[Arch]) -> list[Score]:
        seen.extend(archs)
        return toy(archs)

    explore("evolution", Candidates(SPACE, FOOTPRINTS, limits), fitness, SETTINGS, 0)
    assert len(seen) == 16 * 9
    for arch in seen:
        footprint = FOOTPRINTS.of(arch)
        assert footprint.flash <= limits.flash
        assert limits.latency is not None and FOOTPRINTS.longest(footprint) <= limits.latency


def test_results_depend_on_the_seed_alone() -> None:
    candidates = Candidates(SPACE, FOOTPRINTS, ANY)
    assert explore("evolution", candidates, toy, SETTINGS, 3) == explore("evolution", candidates, toy, SETTINGS, 3)
    assert explore("evolution", candidates, toy, SETTINGS, 3) != explore("evolution", candidates, toy, SETTINGS, 4)


def test_a_space_with_room_for_one_network_is_searched_all_the_same() -> None:
    one = Limits(LEAST.flash, seconds_for(LEAST.cycles, BOARD))
    settings = SearchSettings(population=4, generations=1, parents=2).sized(100)
    evaluations = explore("evolution", Candidates(SPACE, FOOTPRINTS, one), toy, settings, 0)
    assert [evaluation.arch for evaluation in evaluations] == [smallest(SPACE)]


def test_a_search_ends_when_the_networks_within_the_limits_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    few = Limits(LEAST.flash + 200, None)
    candidates = Candidates(SPACE, FOOTPRINTS, few)
    drawn = 0

    def draw(rng: np.random.Generator) -> Arch:
        nonlocal drawn
        drawn += 1
        return Candidates.draw(candidates, rng)

    monkeypatch.setattr(candidates, "draw", draw)
    settings = SearchSettings(population=100, generations=30, parents=20).sized(100)
    archs = [evaluation.arch for evaluation in explore("random", candidates, toy, settings, 0)]
    assert 1 < len(archs) < 100 and len(set(archs)) == len(archs)
    assert drawn < 2000


def test_accuracy_counts_before_loss() -> None:
    assert Score(0.9, -0.5) > Score(0.8, -0.1)
    assert Score(0.9, -0.1) > Score(0.9, -0.5)


@pytest.mark.parametrize(("judged", "looked_at"), [(100, 24 * 13), (600, 30 * 21), (2000, 50 * 31)])
def test_few_validation_samples_tell_few_networks_apart(judged: int, looked_at: int) -> None:
    assert evaluated(SearchSettings().sized(judged)) == looked_at
    assert evaluated(SETTINGS.sized(judged)) == 16 * 17, "what the spec says stays"
