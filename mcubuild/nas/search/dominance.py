"""Networks by all that counts on a board: accuracy, latency, SRAM and Flash."""

from collections.abc import Sequence

import numpy as np

from mcubuild.nas.search import pareto
from mcubuild.nas.search.evolution import Evaluation
from mcubuild.nas.space.arch import Arch
from mcubuild.nas.space.candidates import Candidates


class ByDominance:
    """Best are the networks that no other beats in accuracy, latency, SRAM and Flash, the least like others first."""

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates
        self._needs: dict[Arch, tuple[int, int, int]] = {}

    def __call__(self, evaluations: Sequence[Evaluation]) -> list[Evaluation]:
        """The evaluations, the best first."""
        return [evaluations[index] for index in pareto.order(self.costs(evaluations))]

    def front(self, evaluations: Sequence[Evaluation]) -> list[Evaluation]:
        """Those that no other beats, each network once, the most accurate first."""
        different = list({evaluation.arch: evaluation for evaluation in reversed(evaluations)}.values())
        best = [different[index] for index in pareto.front(self.costs(different))]
        return sorted(best, key=lambda one: one.score, reverse=True)

    def costs(self, evaluations: Sequence[Evaluation]) -> pareto.Floats:
        """(N, 4): minus the accuracy, cycles, bytes of SRAM and of Flash."""
        return np.array([(-one.score.accuracy, *self._of(one.arch)) for one in evaluations], dtype=np.float64)

    def _of(self, arch: Arch) -> tuple[int, int, int]:
        if arch not in self._needs:
            footprint = self._candidates.footprint(arch)
            self._needs[arch] = footprint.cycles, footprint.sram, footprint.flash
        return self._needs[arch]
