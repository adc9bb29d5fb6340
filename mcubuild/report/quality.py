"""Why to read an accuracy with care: what a single share of right answers hides."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mcubuild.nas.training.length import DECAY
from mcubuild.report.amounts import amount
from mcubuild.report.artifacts import Artifacts
from mcubuild.report.interval import ends, wilson, with_interval
from mcubuild.report.model import Accuracy, ClassResult

FEW = 100
"""Samples below which the 95 % interval may be wider than 10 points on either side."""
FEW_OF_A_CLASS = 10
TIED = 0.01
"""Accuracy that may hang on which of equal outputs comes first."""
STEEP = 0.01
"""Fall of the loss in the last third of the rounds at the full learning rate, relative to that of guessing,
ln(classes), where a network still learns. On digits, fine-tunings of 3 passes had 0.015 and 0.07, those of 10 passes
and more at most 0.006; a super network of ten classes of 200 pictures, which learned to its last step, had 0.05."""
IDLE = 0.25
"""Share of these rounds, and more than one, after the best validation loss: it has stopped improving."""
LISTED = 3
_HAS = ("has", "have")
Log = Sequence[Mapping[str, float]]


def cautions(artifacts: Artifacts, accuracy: Accuracy, classes: Sequence[ClassResult] | None) -> list[str]:
    """Sentences without the full stop; none where no labels are known."""
    reads = artifacts.classification
    if reads is None or classes is None or accuracy.judged is None:
        return []
    answers = reads.answers(artifacts.expected)
    return [
        *_never_answered(classes),
        *_worse_than_guessed(classes),
        *_no_better_than_a_constant(accuracy, classes),
        *_ordered_otherwise(artifacts.labels, answers, classes),
        *_tied(reads.ties(artifacts.expected), answers, artifacts.labels),
        *_unlike_validation(accuracy, None if artifacts.learned_validation else artifacts.quantize_log),
        *cut_short(artifacts.supernet_log, artifacts.finetune_log, artifacts.train_log, len(classes)),
        *_few(accuracy, artifacts.quantize_log, classes),
    ]


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
            f"An accuracy of {with_interval(accuracy.judged, accuracy.judged_samples)} is not surely above the "
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
    """Answers that several classes share, as after a saturated softmax: the first of them counts."""
    tied = ties.sum(axis=1) > 1
    worst = float(np.mean((answers == labels) & ~tied))
    best = float(np.mean((answers == labels) | ties[np.arange(len(labels)), labels]))
    if best - worst > TIED:
        yield (
            f"On {tied.sum()} of {len(labels)} samples several classes share the largest output, and the first of them "
            f"counts: the accuracy is between {amount(worst, 'share')} and {amount(best, 'share')}"
        )


def _unlike_validation(accuracy: Accuracy, quantized: Mapping[str, float] | None) -> Iterator[str]:
    """Of the integer network that was built, on both."""
    if quantized is None or accuracy.int8 is None:
        return
    share, samples = quantized[str(quantized["kept"])], int(quantized["samples"])
    validation, test = wilson(share, samples), wilson(accuracy.int8, accuracy.samples)
    if validation[0] > test[1] or test[0] > validation[1]:
        yield (
            f"Validation and test do not agree: {with_interval(share, samples)} and "
            f"{with_interval(accuracy.int8, accuracy.samples)}; are their samples alike, and is none in both?"
        )


def cut_short(supernet: Log | None, alone: Log | None, scratch: Log | None, classes: int) -> Iterator[str]:
    """Whether the network still learned when its plan, not validation, let the learning rate fall.

    In the end the loss falls with the learning rate, whatever there is to learn, so only rounds before that count.
    Judged is the last training that has two rounds or more.

    Args:
        supernet: the log of the super network.
        alone: of the network that was trained on from it.
        scratch: of the network that was trained from scratch instead.
        classes: that there are.
    """
    searched = "raise epochs of {}, or time of [search]"
    judged = ((scratch, "raise epochs of [supernet]"), (alone, searched.format("[finetune]")))
    for log, advice in (*judged, (supernet, searched.format("[supernet]"))):
        if log is None or len(log) < 2:
            continue
        held = log[: max(2, int((1 - DECAY) * len(log)))]
        last = max(1, len(held) // 3)
        losses = [entry["loss"] for entry in held]
        fall = min(losses[:-last]) - min(losses)
        if fall > STEEP * math.log(classes) and not _idle(held):
            steps = [int(sum(entry["steps"] for entry in part)) for part in (held[-last:], held)]
            yield (
                f"Training was cut short: in the last {steps[0]} of {steps[1]} steps before the learning rate fell, "
                f"the loss still fell by {fall:.2g}, to {min(losses):.2g}; {advice}"
            )
        return
    if supernet or alone or scratch:
        advice = judged[0][1] if scratch else searched.format("[supernet]")
        yield f"Training was cut short: a single round does not tell whether the loss still falls; {advice}"


def _idle(held: Log) -> bool:
    """Whether the validation loss, where it is known, has not improved for long."""
    losses = [entry["val_loss"] for entry in held if "val_loss" in entry]
    return bool(losses) and len(losses) - 1 - losses.index(min(losses)) > max(1, IDLE * len(losses))


def _few(accuracy: Accuracy, quantized: Mapping[str, float] | None, classes: Sequence[ClassResult]) -> Iterator[str]:
    assert accuracy.judged is not None
    samples = accuracy.judged_samples
    if samples < FEW:
        yield (
            f"{samples} test samples are few: the accuracy is {ends(accuracy.judged, samples)} % with 95 % confidence"
        )
    if quantized is not None and quantized["samples"] < FEW:
        yield f"{quantized['samples']} validation samples are few to choose a network by"
    missing = [one for one in classes if not one.samples]
    if missing:
        named = ", ".join(repr(one.name) for one in missing[:LISTED])
        more = f" and {len(missing) - LISTED} more" if len(missing) > LISTED else ""
        yield f"{_some(missing, classes, _HAS)} no test samples: {named}{more}"
    few = [one for one in classes if 0 < one.samples < FEW_OF_A_CLASS]
    if few and samples >= FEW:
        yield f"{_some(few, classes, _HAS)} fewer than {FEW_OF_A_CLASS} test samples: {_listed(few)}"
