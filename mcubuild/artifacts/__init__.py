"""Artifacts in JSON: what a file holds is a class, with one reader and one writer."""

import json
from pathlib import Path
from typing import TypeVar

import msgspec

from mcubuild.errors import BuildError


class Artifact(msgspec.Struct, frozen=True):
    """Base of what stages write for later ones; fields are keys of the file."""


A = TypeVar("A", bound=Artifact)


def read_artifact(path: Path, kind: type[A]) -> A:
    """What is in the file ``path``.

    Raises:
        BuildError: it is missing, or something else than a ``kind``.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError) as error:
        raise BuildError(f"{path}: cannot be read ({error}); delete it and build again.") from None


def write_artifact(value: Artifact, path: Path) -> None:
    """Write the file ``path``: keys sorted, so that equal values give equal bytes."""
    text = json.dumps(msgspec.to_builtins(value, enc_hook=_plain), indent=1, sort_keys=True) + "\n"
    path.write_text(text, encoding="utf-8")


def _plain(value: object) -> float:
    """NumPy's float64 is a float, too."""
    if isinstance(value, float):
        return float(value)
    raise TypeError(f"{type(value).__name__} in an artifact")
