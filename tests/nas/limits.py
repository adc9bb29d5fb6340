"""A space with what its networks need at least and at most, and limits between."""

from collections.abc import Sequence

from mcubuild.board import read_board
from mcubuild.nas.search.evolution import Evaluation, Score
from mcubuild.nas.space.arch import Arch, Space, largest, smallest
from mcubuild.nas.space.candidates import Limits
from mcubuild.nas.space.footprints import Footprints
from mcubuild.resolution import square
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


def toy(archs: Sequence[Arch]) -> list[Score]:
    """The share of blocks with kernel 5 and expansion 4: random networks are about a third right."""
    blocks = [[choice for stage in arch.stages for choice in stage] for arch in archs]
    return [Score(sum((k == 5) + (e == 4) for k, e in choices) / (2 * len(choices)), 0.0) for choices in blocks]


def best(evaluations: list[Evaluation]) -> float:
    return max(evaluation.score.accuracy for evaluation in evaluations)
