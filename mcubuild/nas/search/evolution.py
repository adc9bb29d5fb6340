"""Evolutionary search, and random search over as many networks to compare with."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from mcubuild.artifacts.searched import Method
from mcubuild.nas.space.arch import Arch
from mcubuild.nas.space.candidates import Candidates
from mcubuild.spec.search import SizedSearch

_NOVEL_ATTEMPTS = 20
"""Tries at a network that was not evaluated before, bred or drawn; small spaces run out of them."""

PATIENCE = 6
"""Generations."""

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


Order: TypeAlias = Callable[[Sequence[Evaluation]], list[Evaluation]]
"""The evaluations, the best first."""


def by_score(evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    """The most accurate first; of equals the earlier."""
    return sorted(evaluations, key=lambda evaluation: evaluation.score, reverse=True)


def explore(
    method: Method,
    candidates: Candidates,
    fitness: Fitness,
    settings: SizedSearch,
    seed: int,
    order: Order = by_score,
    generations: int | None = None,
) -> list[Evaluation]:
    """Look at ``population`` networks in each of ``generations`` + 1 generations, all within the limits.

    The first generation is random, and the same for both methods. Then evolution (MCUNet, section 3.1) breeds the best
    networks so far, by ``order``, half by mutation and half by crossover; random search goes on drawing.

    Without ``generations`` there are those of the settings, fewer if ``PATIENCE`` of them in a row bring no network
    that is more accurate: where validation samples are few, all that is left then is noise.

    Returns:
        The networks in the order in which they were proposed; fewer if hardly any others are within the limits.
    """
    evaluations: list[Evaluation] = []
    best, since = 0.0, 0
    for generation in range((settings.generations if generations is None else generations) + 1):
        bred = method == "evolution" and generation > 0
        parents = [evaluation.arch for evaluation in order(evaluations)[: settings.parents]] if bred else []
        seen = {evaluation.arch for evaluation in evaluations}
        rng = rng_of(method, generation, seed)
        archs = propose(candidates, parents, settings.population, settings.mutation, seen, rng)
        if not archs:
            break
        found = judged(method, generation, archs, fitness)
        evaluations += found
        accuracy = max(evaluation.score.accuracy for evaluation in found)
        best, since = max(best, accuracy), 0 if accuracy > best else since + 1
        if generations is None and since >= PATIENCE:
            break
    return evaluations


def rng_of(method: Method, generation: int, seed: int) -> np.random.Generator:
    """What is random in a generation; the first has nothing of its method."""
    return np.random.default_rng([seed, generation, METHODS.index(method) if generation else 0])


def judged(method: Method, generation: int, archs: Sequence[Arch], fitness: Fitness) -> list[Evaluation]:
    """The evaluations of ``archs``."""
    return [Evaluation(method, generation, *pair) for pair in zip(archs, fitness(archs), strict=True)]


def propose(
    candidates: Candidates,
    parents: Sequence[Arch],
    count: int,
    rate: float,
    seen: Collection[Arch],
    rng: np.random.Generator,
) -> list[Arch]:
    """``count`` networks, all different and none ``seen`` before: children of ``parents``, or random ones.

    Half of the children are parents mutated at ``rate``, half are crossed. Where many tries bring nothing new, those
    networks that are within the limits are known but for a few: it ends there, with fewer.
    """
    known, archs = set(seen), list[Arch]()
    for child in range(count):
        arch = _novel(candidates, parents, child, rate, known, rng)
        if arch is None:
            break
        archs.append(arch)
        known.add(arch)
    return archs


def _novel(
    candidates: Candidates, parents: Sequence[Arch], child: int, rate: float, seen: set[Arch], rng: np.random.Generator
) -> Arch | None:
    """A network that is not ``seen``, if it can be had: bred from ``parents``, or random if there are none.

    Random, too, if parents have become so alike that all their children are known.
    """
    for attempt in range(2 * _NOVEL_ATTEMPTS):
        if not parents or attempt >= _NOVEL_ATTEMPTS:
            arch = candidates.draw(rng)
        else:
            one, other = (parents[index] for index in rng.integers(len(parents), size=2).tolist())
            arch = candidates.mutate(one, rate, rng) if child % 2 else candidates.cross(one, other, rng)
        if arch not in seen:
            return arch
    return None
