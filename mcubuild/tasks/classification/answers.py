"""Answers of a classifier: the class, and how sure the network is of it."""

from collections.abc import Sequence

from mcubuild.tasks.classification.reading import Classification
from mcubuild.tasks.reading import Outputs


def said(reads: Classification, outputs: Outputs, names: Sequence[str]) -> list[str]:
    """See ``Answers``."""
    labels, confidences = reads.answers(outputs), reads.confidences(outputs)
    return [f"{names[label]} ({row[label]:.0%})" for label, row in zip(labels, confidences, strict=True)]


def wanted(target: int, names: Sequence[str]) -> str:
    """See ``Answers``."""
    return names[target]
