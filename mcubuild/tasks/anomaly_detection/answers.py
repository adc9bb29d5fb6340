"""Answers of an autoencoder: a window's error, and which side of the recordings' threshold it is on."""

from collections.abc import Sequence

from mcubuild.tasks.anomaly_detection.reading import Anomaly
from mcubuild.tasks.reading import Outputs


def said(reads: Anomaly, outputs: Outputs, names: Sequence[str]) -> list[str]:
    """See ``Answers``; errors and threshold in (level / 16)^2, as the device has them."""
    threshold = reads.errors.threshold
    return [
        f"{error} ({'above' if error > threshold else 'within'} {threshold})" for error in reads.window_errors(outputs)
    ]


def wanted(target: Sequence[int], names: Sequence[str]) -> str:
    """See ``Answers``: the class of the recording that the window is of."""
    return names[target[0]]
