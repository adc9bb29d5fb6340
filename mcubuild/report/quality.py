"""Why to read an accuracy with care: what a single share of right answers hides."""

from collections.abc import Iterator, Mapping, Sequence

from mcubuild.artifacts.quantized import Quantized
from mcubuild.nas.training.length import DECAY
from mcubuild.report.artifacts import Artifacts
from mcubuild.report.interval import score_text
from mcubuild.report.model import Accuracy
from mcubuild.tasks import Metric
from mcubuild.tasks.section import section

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


def cautions(artifacts: Artifacts, accuracy: Accuracy) -> list[str]:
    """Sentences without the full stop; none where no targets are known."""
    if artifacts.reading is None or accuracy.judged is None:
        return []
    shown = section(artifacts.task)
    return [
        *shown.cautions(artifacts, accuracy),
        *_unlike_validation(
            accuracy, None if artifacts.learned_validation else artifacts.quantize_log, artifacts.reading.metric
        ),
        *cut_short(artifacts.supernet_log, artifacts.finetune_log, artifacts.train_log, shown.guessing(artifacts)),
        *_few(accuracy, artifacts.quantize_log),
    ]


def _unlike_validation(accuracy: Accuracy, quantized: Quantized | None, metric: Metric) -> Iterator[str]:
    """Of the integer network that was built, on both, where both intervals are known."""
    if quantized is None or accuracy.int8 is None:
        return
    score, test = quantized.built, accuracy.intervals.int8
    validation = metric.ends(score, quantized.samples)
    if validation is None or test is None:
        return
    if validation[0] > test[1] or test[0] > validation[1]:
        yield (
            f"Validation and test do not agree: {score_text(score, validation)} and "
            f"{score_text(accuracy.int8, test)}; are their samples alike, and is none in both?"
        )


def cut_short(supernet: Log | None, alone: Log | None, scratch: Log | None, guessing: float) -> Iterator[str]:
    """Whether the network still learned when its plan, not validation, let the learning rate fall.

    In the end the loss falls with the learning rate, whatever there is to learn, so only rounds before that count.
    Judged is the last training that has two rounds or more.

    Args:
        supernet: the log of the super network.
        alone: of the network that was trained on from it.
        scratch: of the network that was trained from scratch instead.
        guessing: the loss of a network that has learned nothing.
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
        if fall > STEEP * guessing and not _idle(held):
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


def _few(accuracy: Accuracy, quantized: Quantized | None) -> Iterator[str]:
    assert accuracy.interval is not None
    if accuracy.judged_samples < FEW:
        low, high = (f"{100 * end:.1f}" for end in accuracy.interval)
        yield (
            f"{accuracy.judged_samples} test samples are few: the {accuracy.metric} is {low} to {high} % with 95 % "
            f"confidence"
        )
    if quantized is not None and quantized.samples < FEW:
        yield f"{quantized.samples} validation samples are few to choose a network by"
