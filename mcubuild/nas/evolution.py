"""Evolutionary search, and random search over as many networks to compare with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from mcubuild.nas.arch import Arch
from mcubuild.nas.candidates import Candidates
from mcubuild.spec.search import SearchSettings

_NOVEL_ATTEMPTS = 20
"""Tries at a network that was not evaluated before; small spaces run out of them."""

Method: TypeAlias = Literal["evolution", "random"]
METHODS: tuple[Method, ...] = ("evolution", "random")


class Score(NamedTuple):
    """How good a network is; compares by accuracy, then by loss."""

    accuracy: float
    """Share of validation samples in the right class."""
    negative_loss: float
    """Minus the mean cross-entropy on them."""


Fitness: TypeAlias = Callable[[Sequence[Arch]], Sequence[Score]]
"""Scores of networks, each a function of the network alone."""


@dataclass(frozen=True)
class Evaluation:
    """One network that a method looked at."""

    method: Method
    generation: int
    arch: Arch
    score: Score


def explore(
    method: Method, candidates: Candidates, fitness: Fitness, settings: SearchSettings, seed: int
) -> list[Evaluation]:
    """Look at ``population`` networks in each of ``generations`` + 1 generations, all within the limits.

    The first generation is random, and the same for both methods. Then evolution (MCUNet, section 3.1) breeds the best
    networks so far, half by mutation and half by crossover; random search goes on drawing.

    Returns:
        The networks in the order in which they were proposed.
    """
    evaluations: list[Evaluation] = []
    for generation in range(settings.generations + 1):
        bred = method == "evolution" and generation > 0
        ranked = sorted(evaluations, key=lambda evaluation: evaluation.score, reverse=True)
        parents = [evaluation.arch for evaluation in ranked[: settings.parents]] if bred else []
        rng = np.random.default_rng([seed, generation, METHODS.index(method) if generation else 0])
        seen = {evaluation.arch for evaluation in evaluations}
        archs: list[Arch] = []
        for child in range(settings.population):
            archs.append(_novel(candidates, parents, child, settings.mutation, seen, rng))
            seen.add(archs[-1])
        scores = fitness(archs)
        evaluations += [Evaluation(method, generation, *pair) for pair in zip(archs, scores, strict=True)]
    return evaluations


def _novel(
    candidates: Candidates, parents: list[Arch], child: int, rate: float, seen: set[Arch], rng: np.random.Generator
) -> Arch:
    """A network that is not ``seen``, if it can be had: bred from ``parents``, or random if there are none."""
    for _ in range(_NOVEL_ATTEMPTS):
        if not parents:
            arch = candidates.draw(rng)
        else:
            one, other = (parents[index] for index in rng.integers(len(parents), size=2).tolist())
            arch = candidates.mutate(one, rate, rng) if child % 2 else candidates.cross(one, other, rng)
        if arch not in seen:
            break
    return arch
