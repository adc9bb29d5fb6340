"""TinyNAS, second half: the most accurate network of the space that keeps within the budget.

Candidates inherit the super network's weights and are judged on the validation split, after batch norm was calibrated
on training samples; the test split plays no part.
"""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from mcubuild.board import Board
from mcubuild.data.splits import Split
from mcubuild.nas.arch import Arch, Space
from mcubuild.nas.batches import at_resolution, spread
from mcubuild.nas.candidates import Candidates, Limits
from mcubuild.nas.evolution import METHODS, Evaluation, Method, Score, explore
from mcubuild.nas.files import write_json
from mcubuild.nas.footprints import Footprints
from mcubuild.nas.supernet import SuperNetwork, read_supernet
from mcubuild.nas.training import calibrate, evaluate, workers
from mcubuild.progress import Bar, bar
from mcubuild.spec.budget import Budget
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.search import SearchSettings


def search(
    space: Space,
    supernet: Path,
    train: Split,
    val: Split,
    settings: SearchSettings,
    board: Board,
    engine: EngineSettings,
    *,
    budget: Budget,
    stack: int,
    bits: int,
    seed: int,
    out: Path,
    work: Path,
    neighbours: Sequence[Space] = (),
) -> None:
    """Search ``space``; write arch.json (the chosen network alone) and search.json (all networks looked at) to ``out``.

    The chosen network is the best that either method found.

    Args:
        space: the search space.
        supernet: weights of the super network of the space and its neighbours.
        train: samples that calibrate batch norm.
        val: samples that candidates are judged by.
        settings: population, generations, ...
        board: where the network must run.
        engine: how the planner schedules.
        budget: limits; those that are not given are the board's.
        stack: bytes of RAM reserved for the stack.
        bits: of the weights.
        seed: of the search.
        out: folder for the results.
        work: folder for evaluations of this very job; a killed search goes on from there to the same result.
        neighbours: spaces whose networks take part, too.

    Raises:
        BuildError: no network of the space fits the budget.
    """
    sram = budget.sram or board.sram_bytes
    limits = Limits(budget.flash or board.flash_bytes, budget.latency)
    candidates = Candidates(space, Footprints(board, engine, stack, bits, sram), limits, neighbours)
    family = candidates.family
    judged = {
        side: (at_resolution(spread(train, settings.calibration), side), at_resolution(val, side))
        for side in family.resolutions
    }
    total = settings.population * ((settings.generations + 1) * len(METHODS) - 1)
    with bar("search", total) as progress, workers() as executor:
        fitness = _Inherited(read_supernet(supernet, family.largest), judged, work, executor, progress)
        found = {method: explore(method, candidates, fitness, settings, seed) for method in METHODS}
    best = max((evaluation for method in METHODS for evaluation in found[method]), key=lambda one: one.score)
    write_json(best.arch.to_json(), out / "arch.json")
    ceilings = {"sram": sram, "flash": limits.flash, "latency": limits.latency}
    write_json(_history(found, best, candidates, ceilings), out / "search.json")


class _Inherited:
    """Scores of networks with inherited weights, kept in the folder ``work`` after each generation."""

    def __init__(
        self,
        supernet: SuperNetwork,
        judged: Mapping[int, tuple[Split, Split]],
        work: Path,
        executor: Executor,
        progress: Bar,
    ) -> None:
        self._supernet, self._judged = supernet, judged
        """By resolution: samples that calibrate batch norm, and those that networks are judged by."""
        self._executor, self._progress = executor, progress
        self._path = work / "evaluations.json"
        known = json.loads(self._path.read_text()) if self._path.is_file() else {}
        self._scores = {key: Score(*values) for key, values in known.items()}

    def __call__(self, archs: Sequence[Arch]) -> list[Score]:
        new = list({_label(arch): arch for arch in archs if _label(arch) not in self._scores}.values())
        if new:
            for arch, score in zip(new, self._executor.map(self._score, new), strict=True):
                self._scores[_label(arch)] = score
                best = max(self._scores.values())
                self._progress.advance(accuracy=best.accuracy)
            write_json({key: list(score) for key, score in self._scores.items()}, self._path)
        return [self._scores[_label(arch)] for arch in archs]

    def _score(self, arch: Arch) -> Score:
        network = self._supernet.extract(arch)
        calibration, val = self._judged[arch.resolution]
        calibrate(network, calibration)
        accuracy, loss = evaluate(network, val)
        return Score(accuracy, -loss)


def _label(arch: Arch) -> str:
    """Unique among the networks of several spaces."""
    return f"{arch.space.name} {arch.key}"


def _history(
    found: dict[Method, list[Evaluation]], best: Evaluation, candidates: Candidates, limits: dict[str, float | None]
) -> dict[str, Any]:
    """The content of search.json."""
    return {
        "limits": limits,
        "chosen": {"method": best.method, **_describe(best, candidates)},
        "best_by_generation": {
            method: [_best_accuracy(evaluations, last) for last in range(evaluations[-1].generation + 1)]
            for method, evaluations in found.items()
        },
        "evaluations": {
            method: [_describe(evaluation, candidates) for evaluation in evaluations]
            for method, evaluations in found.items()
        },
    }


def _best_accuracy(evaluations: list[Evaluation], last: int) -> float:
    """Of the networks up to generation ``last``."""
    return max(evaluation.score.accuracy for evaluation in evaluations if evaluation.generation <= last)


def _describe(evaluation: Evaluation, candidates: Candidates) -> dict[str, Any]:
    footprint = candidates.footprint(evaluation.arch)
    space = {"space": evaluation.arch.space.name} if candidates.family.neighbours else {}
    return space | {
        "key": evaluation.arch.key,
        "generation": evaluation.generation,
        "accuracy": evaluation.score.accuracy,
        "loss": -evaluation.score.negative_loss,
        "macs": footprint.macs,
        "sram": footprint.sram,
        "flash": footprint.flash,
        "cycles": footprint.cycles,
        "latency": candidates.latency(evaluation.arch),
    }
