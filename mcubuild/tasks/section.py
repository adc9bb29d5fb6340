"""What a report shows of the answers: drawn with the report's own tools, in ``section.html.j2`` of the task's room."""

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.splits import Index
from mcubuild.report.artifacts import Artifacts
from mcubuild.report.model import Accuracy, ClassResult
from mcubuild.tasks import ROOMS, in_room


class Section(Protocol):
    """A module with these functions."""

    def classes(self, artifacts: Artifacts) -> list[ClassResult] | None:
        """How the integer reference did on each class; None where samples have no class each."""

    def details(self, artifacts: Artifacts) -> dict[str, Any] | None:
        """More of report.json, plain values, for tasks that have more to say."""

    def cautions(self, artifacts: Artifacts, accuracy: Accuracy) -> Iterable[str]:
        """Why to read the score with care: sentences without the full stop."""

    def values(self, artifacts: Artifacts, samples: NDArray[np.int64], examples: int) -> dict[str, Any]:
        """What the template gets.

        Args:
            artifacts: with targets.
            samples: indexes in the test split of the samples that the firmware answered.
            examples: how many samples to show.
        """

    def guessing(self, artifacts: Artifacts) -> float:
        """The loss of a network that has learned nothing, to compare losses with."""

    def augmentation(self, index: Index) -> str:
        """How training samples are varied."""


def section(task: str) -> Section:
    """That of a task."""
    found: Section = in_room(task, __name__)
    return found


def template(task: str) -> str:
    """The name of its template."""
    return f"{ROOMS[task]}/section.html.j2"
