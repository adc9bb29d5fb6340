import numpy as np
import pytest

from mcubuild.nas.search.evolution import by_score
from mcubuild.nas.search.guided import explore_guided
from mcubuild.nas.search.predictor import learn, one_hot
from mcubuild.nas.space.arch import draw, smallest
from mcubuild.nas.space.candidates import Candidates
from mcubuild.nas.space.family import Family
from mcubuild.spec.search import SearchSettings
from tests.nas.limits import ANY, FOOTPRINTS, SPACE, best, tight, toy

ARCHS = [draw(SPACE, np.random.default_rng(number)) for number in range(200)]
FAMILY = Family(SPACE)
ACCURACIES = [score.accuracy for score in toy(ARCHS)]


def test_one_hot_has_a_one_for_each_choice_that_is_made() -> None:
    x = one_hot(FAMILY, [smallest(SPACE), *ARCHS])
    assert x.shape == (201, sum(map(len, SPACE.options)) + 2)
    assert set(np.unique(x)) == {0, 1}
    for row, arch in zip(x, [smallest(SPACE), *ARCHS], strict=True):
        assert row.sum() == 2 + sum(1 + 2 * len(stage) for stage in arch.stages)
    assert len(np.unique(x, axis=0)) == len({smallest(SPACE), *ARCHS})


def test_networks_that_it_has_not_met_are_put_in_order() -> None:
    predict, quality = learn(FAMILY, ARCHS, ACCURACIES, 0)
    assert (quality.taught, quality.held_out) == (160, 40)
    assert quality.rank_correlation is not None and quality.rank_correlation > 0.8
    others = [draw(SPACE, np.random.default_rng([1, number])) for number in range(100)]
    guessed, true = predict(others), [score.accuracy for score in toy(others)]
    assert np.corrcoef(guessed, true)[0, 1] > 0.8


def test_the_rank_correlation_is_of_networks_that_were_held_out() -> None:
    shuffled = np.random.default_rng(0).permutation(ACCURACIES).tolist()
    predict, quality = learn(FAMILY, ARCHS, shuffled, 0)
    assert np.corrcoef(predict(ARCHS), shuffled)[0, 1] > 0.5  # learned by heart
    assert quality.rank_correlation is not None and abs(quality.rank_correlation) < 0.4


def test_the_same_seed_gives_the_same_predictor() -> None:
    assert learn(FAMILY, ARCHS, ACCURACIES, 3)[0](ARCHS) == learn(FAMILY, ARCHS, ACCURACIES, 3)[0](ARCHS)
    assert learn(FAMILY, ARCHS, ACCURACIES, 3)[0](ARCHS) != learn(FAMILY, ARCHS, ACCURACIES, 4)[0](ARCHS)


def test_equal_accuracies_have_no_order() -> None:
    assert learn(FAMILY, ARCHS, [0.5] * len(ARCHS), 0)[1].rank_correlation is None


@pytest.mark.parametrize("seed", range(5))
def test_a_guided_search_beats_random_search_over_as_many_networks(seed: int) -> None:
    settings = SearchSettings(population=16, generations=8, parents=6, predictor=60).sized(100)
    found, _ = explore_guided(Candidates(SPACE, FOOTPRINTS, tight(0.5)), toy, settings, seed, by_score)
    assert [len({one.arch for one in found[method]}) for method in ("evolution", "random")] == [76, 76]
    assert [one.arch for one in found["evolution"][:60]] == [one.arch for one in found["random"][:60]]
    assert best(found["evolution"]) > best(found["random"])


def test_limits_hold_for_the_networks_that_are_evaluated() -> None:
    candidates = Candidates(SPACE, FOOTPRINTS, tight(0.1))
    found, _ = explore_guided(
        candidates, toy, SearchSettings(population=8, generations=3, predictor=20).sized(100), 0, by_score
    )
    assert all(candidates.fits(one.arch) for evaluations in found.values() for one in evaluations)
    assert Candidates(SPACE, FOOTPRINTS, ANY).fits(found["evolution"][0].arch)
