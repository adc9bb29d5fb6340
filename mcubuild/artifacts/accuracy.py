"""accuracy.json: how good the network's answers are, in floating point and in integers."""

from typing import Any, TypeAlias

from mcubuild.artifacts import Artifact

ACCURACY = "accuracy.json"
Real: TypeAlias = float
Pair: TypeAlias = tuple[float, float]


class Intervals(Artifact, frozen=True):
    """Ends of the 95 % intervals of the scores."""

    float: Pair | None = None
    int8: Pair | None = None


class AuthorAgreement(Artifact, frozen=True):
    """How the integer reference agrees with what the network's author computed (``[model] outputs``)."""

    samples: int
    """Samples that were compared."""
    differ: int
    """Samples that differ at all, in the levels of the quantised output."""
    beyond: int
    """Samples that differ by more than ``tolerance``."""
    largest: int
    """The largest difference, in steps of an output."""
    tolerance: int
    """``[model] tolerance``."""


class FloatDistance(Artifact, frozen=True):
    """How far the integer reference is from the network in floating point, where that came from elsewhere."""

    calibration: int
    """Samples that its levels were found by."""
    samples: int
    """Samples that were compared."""
    mean: Real
    """Mean difference of an element, as a share of its output's range over all samples."""
    largest: Real
    """The largest one."""


class Accuracy(Artifact, frozen=True):
    """The whole file; scores are 0 ... 1, and what is not known (there is no float network, say) is None."""

    float: Real | None
    """The score of the float network."""
    arithmetic: str
    """What integers ``int8`` is computed with, such as ``int8``."""
    int8: Real | None
    """The score of the integer network, whatever its ``arithmetic``."""
    intervals: Intervals
    samples: int
    labels: list[Any] | None
    """The target of each sample, as the task has them."""
    classification: dict[str, Any] | None
    """How the integer outputs are read: the fields of the task's reading."""
    agreement: Real | None = None
    """How much the answers of both networks agree, 0 ... 1."""
    max_logit_error: Real | None = None
    """The largest difference of an output."""
    floating: FloatDistance | None = None
    """None: the network was trained here, or its file says all levels."""
    author: AuthorAgreement | None = None
    """None: the spec names no outputs."""
    ids: list[str] | None = None
    """Of each sample, a ``short_id`` of its bytes; None: the samples are those of a data set."""
    pixels: Pair | None = None
    """The real values that were fed for pixel values 0 and 255 of a data set's images to a network from elsewhere."""
    runs: int = 1
    """Of each sample, one after the other: several of a network that remembers."""
    cautions: tuple[str, ...] = ()
    """Why not to trust it: sentences without the full stop."""
