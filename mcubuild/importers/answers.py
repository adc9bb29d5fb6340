"""How the outputs of a network from elsewhere are read as classes, where the file and the spec leave no doubt."""

from collections.abc import Sequence
from math import prod

from mcubuild.errors import BuildError
from mcubuild.importers.interface import Interface
from mcubuild.spec.model import ModelSettings
from mcubuild.tasks.classification.reading import Classification

LISTED = 4
NAME = 40
"""Characters of a name to show; a file's may have any number."""
_ROUNDING = 0.02
"""By how much the range of a probability, or of a hyperbolic tangent, may miss its ends."""


def classification(faces: Sequence[Interface], settings: ModelSettings) -> Classification:
    """Which elements are the classes' and how they answer; ``faces`` are the network's outputs.

    Raises:
        BuildError: which output is meant is not said, it is no vector of classes, or what its only unit means is open.
    """
    number = output_number(faces, settings)
    face = faces[number]
    told = f"{settings.file}: the output {_shown(face)}"
    units = prod(face.shape)
    if face.bits == 32:
        raise BuildError(
            f"{told} holds indices (computed by {face.operator}), no scores; export the network without it, "
            f"or remove the labels."
        )
    if units != (face.shape or (1,))[-1]:
        raise BuildError(
            f"{told} is no vector of classes (1, classes), so it has no accuracy: maps, boxes and sequences would be "
            f"judged by their largest element. Remove the labels or the data set, and compare with [model] outputs."
        )
    if units > 1 and settings.threshold is not None:
        raise BuildError(
            f"{told} has several units, of which the largest is the answer; [model] threshold is for one: remove it."
        )
    return Classification(
        units=units,
        scale=face.scale,
        zero_point=face.zero_point,
        first=sum(prod(other.shape) * other.bits // 8 for other in faces[:number]),
        threshold=_threshold(told, face, settings.threshold) if units == 1 else None,
        probabilities=_is_probability(face),
        bits=face.bits,
    )


def doubts(faces: Sequence[Interface], inputs: Sequence[Interface], settings: ModelSettings) -> list[str]:
    """Why the largest output may not be the answer: sentences without the full stop."""
    face = faces[output_number(faces, settings)]
    units = prod(face.shape)
    if units > 1 and face.operator == "LOGISTIC":
        return [
            f"The {units} outputs are sigmoids, each for itself; the largest was taken for the answer, which is wrong "
            f"where several classes may be present at a time"
        ]
    if units > 1 and face.operator != "SOFTMAX" and any(prod(other.shape) == units for other in inputs):
        return [
            f"The output has as many elements as an input ({units}), as an autoencoder's has; its largest was taken "
            f"for the answer"
        ]
    return []


def output_number(faces: Sequence[Interface], settings: ModelSettings) -> int:
    """The number of the output that the classes are of."""
    listed = ", ".join(f"{number} {_shown(face)}" for number, face in enumerate(faces[:LISTED]))
    if len(faces) > LISTED:
        listed += f" and {len(faces) - LISTED} more"
    wanted = settings.output
    if wanted is None:
        if len(faces) == 1:
            return 0
        raise BuildError(
            f"{settings.file}: it has {len(faces)} outputs ({listed}); say which one the labels are for, by number or "
            f"name: [model] output = 0."
        )
    found = [n for n, face in enumerate(faces) if wanted in (n, face.name)]
    if len(found) != 1:
        several = f"is the name of {len(found)}" if found else "is none"
        raise BuildError(
            f"{settings.file}: [model] output = {wanted!r} {several} of its outputs ({listed}); give the number."
        )
    return found[0]


def _shown(face: Interface) -> str:
    name = face.name if len(face.name) <= NAME else f"...{face.name[-NAME:]}"
    return f"{name!r} {face.shape}"


def _threshold(told: str, face: Interface, wanted: float | None) -> float:
    """Where a single unit changes its answer."""
    low, high = face.range
    if face.operator == "SOFTMAX":
        raise BuildError(
            f"{told} is a softmax over one unit, which is 1 whatever the input: train it with a sigmoid, or with two "
            f"units."
        )
    if wanted is not None:
        if not low <= wanted < high:
            raise BuildError(
                f"{told} holds {low:.4g} to {high:.4g}; [model] threshold = {wanted:g} lies outside, so that all "
                f"answers would be alike."
            )
        return wanted
    if _is_probability(face):
        return 0.5
    if low <= _ROUNDING - 1 and high >= 1 - _ROUNDING:
        return 0.0
    raise BuildError(
        f"{told} holds {low:.4g} to {high:.4g} (computed by {face.operator}), which is neither a probability, 0 to 1, "
        f"nor surely a logit; say above which value the answer is class 1: [model] threshold = 0.5."
    )


def _is_probability(face: Interface) -> bool:
    low, high = face.range
    return abs(low) <= _ROUNDING and abs(high - 1) <= _ROUNDING
