"""The choice of widths is the best one of all, and what it promises is what the planner says."""

from itertools import product

import numpy as np
import pytest

from mcubuild.board import read_board
from mcubuild.engine.target import Target
from mcubuild.nas.space.baselines import Baseline
from mcubuild.quant.allocation import Allocation, Ceilings
from mcubuild.resolution import square
from mcubuild.spec.engine import EngineSettings

TARGET = Target.of(read_board("stm32f412"), EngineSettings(), 20 << 10)
ALLOCATION = Allocation(Baseline("smallcifar", 0.5, square(16), 1, 10), TARGET, 2048, (8, 4))
LOSSES = dict(zip(ALLOCATION.names, np.random.default_rng(0).random(len(ALLOCATION.names)).tolist(), strict=True))
CHOICES = [ALLOCATION.bits(narrow) for narrow in product((False, True), repeat=len(ALLOCATION.names))]
NEEDS = [ALLOCATION.footprint(bits) for bits in CHOICES]


def loss(bits: dict[str, int]) -> float:
    return float(sum(LOSSES[name] for name, width in bits.items() if width == 4))


def fits(index: int, ceilings: Ceilings) -> bool:
    needs = NEEDS[index]
    return needs.sram <= ceilings.sram and needs.flash <= ceilings.flash and needs.cycles <= ceilings.cycles


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("hurry", [1.0, 0.5])
def test_nothing_within_the_limits_loses_less(share: float, hurry: float) -> None:
    flashes, cycles = [one.flash for one in NEEDS], [one.cycles for one in NEEDS]
    limit = min(flashes) + share * (max(flashes) - min(flashes))
    time = min(cycles) + hurry * (max(cycles) - min(cycles))
    ceilings = Ceilings(64 << 10, int(limit), time)
    possible = [loss(bits) for index, bits in enumerate(CHOICES) if fits(index, ceilings)]
    found = ALLOCATION.solve(LOSSES, ceilings)
    assert (found is None) == (not possible)
    if found is not None:
        assert fits(CHOICES.index(found), ceilings)
        assert loss(found) == pytest.approx(min(possible))


def test_the_wider_width_wherever_nothing_forbids_it() -> None:
    assert ALLOCATION.solve(LOSSES, Ceilings(64 << 10, 1 << 20, np.inf)) == dict.fromkeys(ALLOCATION.names, 8)


def test_nothing_where_flash_is_too_small() -> None:
    assert ALLOCATION.solve(LOSSES, Ceilings(64 << 10, min(one.flash for one in NEEDS) - 1, np.inf)) is None
    assert ALLOCATION.solve(LOSSES, Ceilings(1 << 10, 1 << 20, np.inf)) is None


def test_ends_that_are_given_are_not_chosen() -> None:
    given = Allocation(Baseline("smallcifar", 0.5, square(16), 1, 10), TARGET, 2048, (8, 4), ends=8)
    assert given.names == ALLOCATION.names[1:-1]
    narrow = given.ends()[1]
    assert narrow == given.footprint({name: 8 if name not in given.names else 4 for name in ALLOCATION.names})
    found = given.solve(dict.fromkeys(given.names, 1.0), Ceilings(64 << 10, narrow.flash, np.inf))
    assert found == {**dict.fromkeys(given.names, 4), ALLOCATION.names[0]: 8, ALLOCATION.names[-1]: 8}
    assert given.solve(dict.fromkeys(given.names, 1.0), Ceilings(64 << 10, narrow.flash - 1, np.inf)) is None
