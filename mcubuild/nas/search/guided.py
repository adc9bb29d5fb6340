"""Evolution that asks an accuracy predictor, and evaluates only its last networks; random search beside it."""

from collections.abc import Sequence

from mcubuild.artifacts.searched import Method, PredictorQuality
from mcubuild.errors import BuildError
from mcubuild.nas.search.evolution import Evaluation, Fitness, Order, Score, explore, judged, propose, rng_of
from mcubuild.nas.search.predictor import learn
from mcubuild.nas.space.arch import Arch
from mcubuild.nas.space.candidates import Candidates
from mcubuild.spec.search import LEAST_TAUGHT, SizedSearch


def explore_guided(
    candidates: Candidates, fitness: Fitness, settings: SizedSearch, seed: int, order: Order
) -> tuple[dict[Method, list[Evaluation]], PredictorQuality]:
    """Both methods over equally many evaluated networks.

    Generation 0 of both is the same: ``settings.predictor`` random networks, which teach the predictor. Evolution then
    breeds as ever, by predicted accuracies; its generation 1 is the best ``population`` networks of that which were not
    evaluated before. Random search draws as many more.

    Raises:
        BuildError: too few networks keep within the limits.
    """
    sample = _drawn(candidates, settings.predictor, settings, set(), seed, generation=0)
    if len(sample) < LEAST_TAUGHT:
        raise BuildError(
            f"search.predictor: only {len(sample)} networks were found within the budget, "
            f"{LEAST_TAUGHT} are needed to teach a predictor; leave search.predictor out."
        )
    predict, quality = learn(candidates.family, sample, [score.accuracy for score in fitness(sample)], seed)

    def imagined(archs: Sequence[Arch]) -> list[Score]:
        return [Score(accuracy, 0.0) for accuracy in predict(archs)]

    known = set(sample)
    bred = order(explore("evolution", candidates, imagined, settings, seed, order))
    best = list(dict.fromkeys(one.arch for one in bred if one.arch not in known))[: settings.population]
    drawn = _drawn(candidates, len(best), settings, known, seed, generation=1)
    last: dict[Method, list[Arch]] = {"evolution": best, "random": drawn}
    found = {
        method: judged(method, 0, sample, fitness) + judged(method, 1, archs, fitness) for method, archs in last.items()
    }
    return found, quality


def _drawn(
    candidates: Candidates, count: int, settings: SizedSearch, seen: set[Arch], seed: int, *, generation: int
) -> list[Arch]:
    """Up to ``count`` random networks, none ``seen``."""
    rng = rng_of("random", generation, seed)
    return propose(candidates, [], count, settings.mutation, seen, rng)
