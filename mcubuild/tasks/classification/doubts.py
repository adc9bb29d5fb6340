"""Why to read an accuracy with care: what a single share of right answers hides."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mcubuild.report.amounts import amount
from mcubuild.report.artifacts import Artifacts
from mcubuild.report.interval import score_text
from mcubuild.report.model import Accuracy, ClassResult
from mcubuild.report.quality import FEW
from mcubuild.tasks.classification.reading import Classification
from mcubuild.tasks.interval import wilson

FEW_OF_A_CLASS = 10
TIED = 0.01
"""Accuracy that may hang on which of equal outputs comes first."""
LISTED = 3
_HAS = ("has", "have")


def cautions(
    artifacts: Artifacts, reads: Classification, accuracy: Accuracy, classes: Sequence[ClassResult]
) -> Iterator[str]:
    """Sentences without the full stop."""
    answers = reads.answers(artifacts.expected)
    yield from _never_answered(classes)
    yield from _worse_than_guessed(classes)
    yield from _no_better_than_a_constant(accuracy, classes)
    yield from _ordered_otherwise(artifacts.targets, answers, classes)
    yield from _tied(reads.ties(artifacts.expected), answers, artifacts.targets)
    yield from _few(accuracy, classes)


def _listed(found: Sequence[ClassResult]) -> str:
    """Such as ``'seven' (12 test samples), 'eight' (9) and 2 more``."""
    shown = [f"{one.name!r} ({one.samples})" for one in found[:LISTED]]
    shown[0] = f"{found[0].name!r} ({found[0].samples} test samples)"
    more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
    return ", ".join(shown) + more


def _some(found: Sequence[ClassResult], classes: Sequence[ClassResult], verbs: tuple[str, str]) -> str:
    """Such as ``1 of 10 classes is``; ``verbs`` are those of one and of several."""
    return f"{len(found)} of {len(classes)} classes {verbs[len(found) > 1]}"


def _never_answered(classes: Sequence[ClassResult]) -> Iterator[str]:
    found = sorted((one for one in classes if one.samples and not one.answers), key=lambda one: -one.samples)
    if found:
        yield f"{_some(found, classes, ('is', 'are'))} never the answer: {_listed(found)}"


def _worse_than_guessed(classes: Sequence[ClassResult]) -> Iterator[str]:
    """Classes that are an answer, but surely (by the interval of their recall) less often theirs than by chance."""
    asked = [one for one in classes if one.samples and one.answers]
    found = [one for one in asked if wilson(one.right / one.samples, one.samples)[1] < 1 / len(classes)]
    if found:
        listed = ", ".join(f"{one.name!r} ({one.right} of {one.samples})" for one in found[:LISTED])
        more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
        yield f"{_some(found, classes, ('is', 'are'))} recognised less often than by guessing: {listed}{more}"


def _no_better_than_a_constant(accuracy: Accuracy, classes: Sequence[ClassResult]) -> Iterator[str]:
    assert accuracy.judged is not None and accuracy.interval is not None
    largest = max(classes, key=lambda one: one.samples)
    share = largest.samples / sum(one.samples for one in classes)
    if accuracy.interval[0] <= share:
        yield (
            f"An accuracy of {score_text(accuracy.judged, accuracy.interval)} is not surely above the "
            f"{amount(share, 'share')} that {largest.name!r} as the only answer would have"
        )


def _ordered_otherwise(
    labels: NDArray[np.int64], answers: NDArray[np.int64], classes: Sequence[ClassResult]
) -> Iterator[str]:
    """Labels and outputs may number the classes differently: answers are consistent, but consistently others."""
    matrix = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(matrix, (labels, answers), 1)
    meant: list[int] = matrix.argmax(axis=1).tolist()
    seen = [number for number in range(len(classes)) if matrix[number].any()]
    as_it_is = sum(int(matrix[number, number]) for number in seen) / len(labels)
    reordered = sum(int(matrix[number, meant[number]]) for number in seen) / len(labels)
    one_to_one = len({meant[number] for number in seen}) == len(seen)
    if not one_to_one or wilson(reordered, len(labels))[0] <= wilson(as_it_is, len(labels))[1]:
        return
    moved = [number for number in seen if meant[number] != number]
    pairs = [f"{classes[number].name!r} is answered as {classes[meant[number]].name!r}" for number in moved[:LISTED]]
    more = f" and {len(moved) - LISTED} more" if len(moved) > LISTED else ""
    yield (
        f"Labels and outputs seem to number the classes differently ({', '.join(pairs)}{more}): in that order the "
        f"accuracy would be {amount(reordered, 'share')}"
    )


def _tied(ties: NDArray[np.bool_], answers: NDArray[np.int64], labels: NDArray[np.int64]) -> Iterator[str]:
    """Answers of int8 that several classes share, as after a saturated softmax: the first of them counts."""
    tied = ties.sum(axis=1) > 1
    worst = float(np.mean((answers == labels) & ~tied))
    best = float(np.mean((answers == labels) | ties[np.arange(len(labels)), labels]))
    if best - worst > TIED:
        yield (
            f"On {tied.sum()} of {len(labels)} samples several classes share the largest output, and the first of them "
            f"counts: the accuracy is between {amount(worst, 'share')} and {amount(best, 'share')}"
        )


def _few(accuracy: Accuracy, classes: Sequence[ClassResult]) -> Iterator[str]:
    missing = [one for one in classes if not one.samples]
    if missing:
        named = ", ".join(repr(one.name) for one in missing[:LISTED])
        more = f" and {len(missing) - LISTED} more" if len(missing) > LISTED else ""
        yield f"{_some(missing, classes, _HAS)} no test samples: {named}{more}"
    few = [one for one in classes if 0 < one.samples < FEW_OF_A_CLASS]
    if few and accuracy.judged_samples >= FEW:
        yield f"{_some(few, classes, _HAS)} fewer than {FEW_OF_A_CLASS} test samples: {_listed(few)}"
