import numpy as np
import pytest

from mcubuild.board import read_board
from mcubuild.errors import NothingFitsError
from mcubuild.nas.space.arch import Arch, Space, draw, from_genes, largest, smallest, to_genes
from mcubuild.nas.space.candidates import Candidates, Limits
from mcubuild.nas.space.footprints import Footprints
from mcubuild.nas.space.margin import Margin
from mcubuild.resolution import square
from mcubuild.spec.budget import Budget
from mcubuild.spec.deployment import Deployment
from tests.nas.toy import seconds_for

SPACE = Space(width=0.4, resolution=square(48), channels=1, classes=10)
BOARD = read_board("stm32f412")
FOOTPRINTS = Footprints(Deployment(BOARD))
LEAST, MOST = FOOTPRINTS.of(smallest(SPACE)), FOOTPRINTS.of(largest(SPACE))
ANY = Limits(MOST.flash, None)


def between(low: float, high: float, share: float) -> float:
    return low + share * (high - low)


def tight(share: float) -> Limits:
    cycles = between(LEAST.cycles, MOST.cycles, share)
    flash = between(LEAST.flash, MOST.flash, share)
    return Limits(round(flash), seconds_for(cycles, BOARD))


def test_genes_round_trip() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        arch, filler = draw(SPACE, rng), draw(SPACE, rng)
        genes = to_genes(arch, to_genes(filler, [min(options) for options in SPACE.options]))
        assert from_genes(SPACE, genes) == arch
        assert all(gene in options for gene, options in zip(genes, SPACE.options, strict=True))


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
def test_everything_proposed_keeps_within_the_limits(share: float) -> None:
    candidates = Candidates(SPACE, FOOTPRINTS, limits := tight(share))
    rng = np.random.default_rng(0)
    archs = [candidates.draw(rng) for _ in range(20)]
    archs += [candidates.mutate(arch, 0.3, rng) for arch in archs]
    archs += [candidates.cross(one, other, rng) for one, other in zip(archs, reversed(archs), strict=True)]
    for arch in archs:
        footprint = FOOTPRINTS.of(arch)
        assert footprint.flash <= limits.flash
        assert limits.latency is not None and FOOTPRINTS.longest(footprint) <= limits.latency
    assert len(set(archs)) > 10


def test_with_room_for_one_network_that_one_is_found() -> None:
    candidates = Candidates(SPACE, FOOTPRINTS, Limits(LEAST.flash, seconds_for(LEAST.cycles, BOARD)))
    assert candidates.draw(np.random.default_rng(0)) == smallest(SPACE)


def test_error_names_the_limits_that_the_smallest_network_breaks() -> None:
    with pytest.raises(NothingFitsError) as caught:
        Candidates(SPACE, FOOTPRINTS, Limits(LEAST.flash - 1, 1e-3))
    message = str(caught.value)
    assert f"{LEAST.flash / 1024:.1f} kB Flash" in message
    assert f"{1e3 * FOOTPRINTS.longest(LEAST):.1f} ms (budget.latency allows 1.0 ms)" in message
    assert "SRAM" not in message


def test_a_network_that_may_take_too_long_does_not_fit() -> None:
    """Estimates can be too low: what is drawn must fit in the longest time, so must the smallest."""
    wary = Footprints(Deployment(BOARD), Margin(1.0, 0.03))
    limits = Limits(LEAST.flash, wary.latency(LEAST))
    Candidates(SPACE, FOOTPRINTS, limits)
    with pytest.raises(NothingFitsError, match=r"budget\.latency allows"):
        Candidates(SPACE, wary, limits)


def test_where_the_energy_limits_the_time_it_is_named() -> None:
    """Nobody wrote a latency, which would change nothing."""
    watts = BOARD.active_power_mw / 1e3
    for budget, key in (
        (Budget(energy=1e-3 * watts, latency=1e-3), "budget.energy"),
        (Budget(energy=2e-3 * watts, latency=1e-3), "budget.latency"),
        (Budget(latency=1e-3), "budget.latency"),
    ):
        with pytest.raises(NothingFitsError, match=rf"ms \({key} allows 1\.0 ms\)"):
            Candidates(SPACE, FOOTPRINTS, Limits.of(Deployment(BOARD, budget=budget)))


def _blocks(arch: Arch) -> list[int]:
    return to_genes(arch, [0] * len(SPACE.options))


def test_mutation_changes_about_as_many_choices_as_it_is_told() -> None:
    candidates = Candidates(SPACE, FOOTPRINTS, ANY)
    rng = np.random.default_rng(0)
    parent = largest(SPACE)
    changed = [
        sum(a != b for a, b in zip(_blocks(parent), _blocks(candidates.mutate(parent, 0.1, rng)), strict=True))
        for _ in range(200)
    ]
    assert candidates.mutate(parent, 1e-12, rng) == parent
    # 48 genes, each drawn afresh with chance 0.1, of which a third is drawn as it was; shorter stages lose more.
    assert 2 < np.mean(changed) < 6


def test_children_have_every_choice_from_a_parent() -> None:
    candidates = Candidates(SPACE, FOOTPRINTS, ANY)
    rng = np.random.default_rng(0)
    one, other = draw(SPACE, rng), draw(SPACE, rng)
    mixed = 0
    for _ in range(30):
        child = candidates.cross(one, other, rng)
        for stages in zip(child.stages, one.stages, other.stages, strict=True):
            assert len(stages[0]) in (len(stages[1]), len(stages[2]))
            for index, (kernel, expansion) in enumerate(stages[0]):
                parents = [stage[index] for stage in stages[1:] if index < len(stage)]
                assert kernel in [parent[0] for parent in parents]
                assert expansion in [parent[1] for parent in parents]
        mixed += child not in (one, other)
    assert mixed > 20
