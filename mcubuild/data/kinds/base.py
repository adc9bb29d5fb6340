"""What a kind of data sets is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # nothing heavy while the task graph is built
    import numpy as np
    from numpy.typing import NDArray

    from mcubuild.data.samples import Samples


@dataclass(frozen=True)
class Found:
    """All samples of a data set before they are split; lists have an entry for each."""

    classes: tuple[str, ...]
    """Names by label."""
    labels: "NDArray[np.int64]"
    """(N,)."""
    samples: "Samples"
    splits: Sequence[str | None]
    """``train``, ``val`` or ``test``; None where the split is to be drawn."""
    groups: Sequence[str] | None
    """Samples of one group stay together when a split is drawn; None: each may go its own way."""
    held_out: Mapping[str, float | int]
    """What ``val`` and ``test`` get where they are not given: a share of the samples that there are to draw from, or
    (``int``) so many of them, of each class as large a part."""
    strata: tuple[str, ...] | None = None
    """Names by label, where labels are no classes but parts from each of which splits get their share."""
    cautions: tuple[str, ...] = ()
    """What is odd about what was found, or left: sentences without the full stop."""


def never(settings: Mapping[str, Any]) -> bool:
    """Of no settings."""
    return False


def always(settings: Mapping[str, Any]) -> bool:
    """Of all settings."""
    return True


def _nothing(settings: Mapping[str, Any], root: Path) -> Sequence[str]:
    return ()


@dataclass(frozen=True)
class Kind:
    """A kind of data sets, as plain data."""

    form: Literal["images", "recordings", "arrays"]
    """What its samples are: image files, WAV files, or numbers that need no decoding."""
    sources: Callable[[Mapping[str, Any], Path], dict[str, Path]]
    """Every file that the data set is made from, and every folder of which all files are, by a name that is the same on
    every machine, in a fixed order. Called with the spec's dataset section as JSON and the folder that
    paths are relative to; raises BuildError where one cannot be read. What is missing has no files: that is told when
    the data set is prepared. Imports nothing heavy."""
    find: Callable[[Any, Path], Found]
    """The samples, where nothing is ``lacking``. Called with the spec's dataset section (the model of this kind) and
    the folder that paths are relative to; raises BuildError where something is missing or contradicts itself."""
    lacking: Callable[[Mapping[str, Any], Path], Sequence[str]] = _nothing
    """The files that are not there of data that everybody can get, by the names under which they are published. Called
    as ``sources``, and as cheap; what is wrong with other data is told when it is prepared."""
    foretold: Callable[[Mapping[str, Any]], bool] = never
    """Whether the spec's dataset section alone says what networks depend on (``DatasetSettings.outline``)."""
