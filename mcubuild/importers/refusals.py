"""Refusals of a network's operators: one line with the operator's place and its tensors."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mcubuild.errors import BuildError
from mcubuild.importers.builder import describe
from mcubuild.importers.tflite_file import File, FileOperator

_LONGEST: Final = 300
"""Characters of a refusal."""
_LONGEST_PATH: Final = 100


def told(path: Path, place: str, error: Exception, tensors: Sequence[str]) -> str:
    """The message of ``error`` with the operator's place and as many of its tensors as there is room for.

    Args:
        path: of the network's file.
        place: what its author calls the operator.
        error: what is wrong with it; the place is its subject.
        tensors: the operator's, described; those in the message already are left out.
    """
    shown = str(path)
    shown = shown if len(shown) <= _LONGEST_PATH else f"..{shown[2 - _LONGEST_PATH :]}"
    text = f"{shown}: {place} {error}"
    text = text if len(text) < _LONGEST else f"{text[: _LONGEST - 4]}..."
    text, missing = f"{text}.", [name for name in tensors if name not in text]
    for count in range(len(missing), 0, -1):
        more = f" and {len(missing) - count} more" if count < len(missing) else ""
        longer = f"{text} Tensors: {', '.join(missing[:count])}{more}."
        if len(longer) <= _LONGEST:
            return longer
    return text


def refused(file: File, op: FileOperator, error: Exception) -> BuildError:
    """What is wrong with an operator of a file."""
    names = [describe(file.tensors[index]) for index in dict.fromkeys((*op.inputs, *op.outputs)) if index != -1]
    return BuildError(told(file.path, op.place or f"operator {op.index} ({op.kind})", error, names))
