"""threshold.json: above which error a recording is anomalous."""

from pathlib import Path

from mcubuild.artifacts import Artifact, read_artifact


class Threshold(Artifact, frozen=True):
    """What the validation samples said."""

    threshold: int
    """In the integers of errors that the device computes."""


def read_threshold(path: Path | None) -> int | None:
    """The threshold in the file; None without one.

    Raises:
        BuildError: the file is damaged.
    """
    return None if path is None else read_artifact(path, Threshold).threshold
