"""What a stage gets to run.

All that it finds here is in its key, and so is this module: of ``rules`` a stage runs nothing else but its own module.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # a stage depends on the settings that it declares alone
    from mcubuild.board import Board
    from mcubuild.spec.deployment import Deployment
    from mcubuild.spec.spec import Spec

BITS = ("bits.weights", "bits.activations", "bits.ends")
"""Of a network that is trained here; all others say them themselves."""
DEPLOYMENT = ("board", "engine", "firmware", *BITS, "budget")
"""What a stage declares that builds for the spec's ``Deployment``, without what it ignores of that."""


def keys_of(field: str) -> list[str]:
    """The keys that lead to a field of the spec."""
    return [] if field == "spec" else field.split(".")


@dataclass(frozen=True)
class Job:
    """One run of a stage: its inputs, the settings it declared, and where to write."""

    inputs: Path
    """The folder with the artifacts of the spec; a stage may open those it declared."""
    declared: tuple[str, ...]
    names: tuple[str, ...]
    spec: "Spec"
    board: "Board"
    identities: Mapping[str, str]
    """Names and versions of the declared tools."""
    code: str
    """Digest of the stage's code, its libraries and its tools, for parts of the result that the store is to keep."""
    root: Path
    """Folder of the spec file: relative paths in the spec start here."""
    out: Path
    """Empty folder for the outputs."""
    work: Path
    """Folder for checkpoints; what an interrupted run left there is still there."""

    def file(self, name: str) -> Path:
        """The declared input artifact ``name``.

        Raises:
            KeyError: the stage did not declare it, so a change of it would go unnoticed.
        """
        if name not in self.names:
            raise KeyError(f"the stage reads {name!r} without declaring it")
        return self.inputs / name

    def find(self, name: str) -> Path | None:
        """The optional input artifact ``name``; None where the spec has no stage that writes it."""
        return self.file(name) if name in self.names else None

    def __getitem__(self, field: str) -> Any:
        """The declared setting ``field``: ``"search"``, ``"budget.sram"``, ..., the whole ``"spec"`` or ``"board"``.

        Raises:
            KeyError: the stage did not declare it, so a change of it would go unnoticed.
        """
        if field not in self.declared:
            raise KeyError(f"the stage uses {field!r} without declaring it")
        if field == "board":
            return self.board
        value: Any = self.spec
        for part in keys_of(field):
            value = getattr(value, part)
        return value

    @property
    def deployment(self) -> "Deployment":
        """What the spec builds for, with defaults of what the stage ignores.

        Raises:
            KeyError: the stage did not declare ``DEPLOYMENT``.
        """
        from mcubuild.spec.deployment import Deployment

        board, *fields = (self[field] for field in DEPLOYMENT)
        return Deployment(board, *fields)
