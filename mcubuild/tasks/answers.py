"""What a network's outputs say, in words for people, a sample a line."""

from collections.abc import Sequence
from typing import Any, Protocol

from mcubuild.tasks import in_room
from mcubuild.tasks.reading import Outputs


class Answers(Protocol):
    """A module with these functions."""

    def said(self, reads: Any, outputs: Outputs, names: Sequence[str]) -> list[str]:
        """The answer to each sample; ``names`` are those of the classes."""

    def wanted(self, target: Any, names: Sequence[str]) -> str:
        """What the answer to a sample should be."""


def answers(task: str) -> Answers:
    """That of a task."""
    found: Answers = in_room(task, __name__)
    return found
