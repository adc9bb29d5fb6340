from collections.abc import Sequence

import pytest

from mcubuild.nas.arch import Arch
from mcubuild.nas.candidates import Candidates, Limits
from mcubuild.nas.evolution import Evaluation, Score, explore
from mcubuild.spec.search import SearchSettings
from tests.nas.test_candidates import ANY, BOARD, FOOTPRINTS, LEAST, SPACE, tight

SETTINGS = SearchSettings(population=16, generations=8, parents=6, mutation=0.1)


def toy(archs: Sequence[Arch]) -> list[Score]:
    """The share of blocks with kernel 5 and expansion 4: random networks are about a third right."""
    blocks = [[choice for stage in arch.stages for choice in stage] for arch in archs]
    return [Score(sum((k == 5) + (e == 4) for k, e in choices) / (2 * len(choices)), 0.0) for choices in blocks]


def best(evaluations: list[Evaluation]) -> float:
    return max(evaluation.score.accuracy for evaluation in evaluations)


@pytest.mark.parametrize("seed", range(3))
def test_evolution_beats_random_search_over_as_many_networks(seed: int) -> None:
    candidates = Candidates(SPACE, FOOTPRINTS, ANY)
    evolved = explore("evolution", candidates, toy, SETTINGS, seed)
    drawn = explore("random", candidates, toy, SETTINGS, seed)
    assert len({one.arch for one in evolved}) == len({one.arch for one in drawn}) == 16 * 9
    assert best(evolved) > best(drawn) + 0.1
    assert [one.arch for one in evolved[:16]] == [one.arch for one in drawn[:16]]
    assert {one.arch for one in evolved[16:]}.isdisjoint(one.arch for one in drawn[16:])


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
        assert limits.latency is not None and footprint.cycles / BOARD.clock <= limits.latency


def test_results_depend_on_the_seed_alone() -> None:
    candidates = Candidates(SPACE, FOOTPRINTS, ANY)
    assert explore("evolution", candidates, toy, SETTINGS, 3) == explore("evolution", candidates, toy, SETTINGS, 3)
    assert explore("evolution", candidates, toy, SETTINGS, 3) != explore("evolution", candidates, toy, SETTINGS, 4)


def test_a_space_with_room_for_one_network_is_searched_all_the_same() -> None:
    one = Limits(LEAST.flash, LEAST.cycles / BOARD.clock)
    settings = SearchSettings(population=4, generations=1, parents=2)
    evaluations = explore("evolution", Candidates(SPACE, FOOTPRINTS, one), toy, settings, 0)
    assert len({evaluation.arch for evaluation in evaluations}) == 1


def test_accuracy_counts_before_loss() -> None:
    assert Score(0.9, -0.5) > Score(0.8, -0.1)
    assert Score(0.9, -0.1) > Score(0.9, -0.5)
