"""What a stage is: a function of files and settings, declared so that nothing else can influence its result."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # pydantic is not imported while the graph is built
    from mcubuild.board import Board
    from mcubuild.spec.spec import Spec

Resolved = Mapping[str, Any]
"""A validated spec as JSON: {"spec": {...}, "board": {...}, "folder": folder of the spec file}."""


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
        for part in _path(field):
            value = getattr(value, part)
        return value


def _path(field: str) -> list[str]:
    return [] if field == "spec" else field.split(".")


def _no_identities(resolved: Resolved) -> dict[str, str]:
    return {}


def _no_sources(resolved: Resolved) -> list[Path]:
    return []


@dataclass(frozen=True)
class Stage:
    """A stage of the pipeline, as plain data."""

    name: str
    doc: str
    inputs: tuple[str, ...]
    """Artifacts of earlier stages that it reads."""
    outputs: tuple[str, ...]
    """Artifacts that it writes: files, relative to the folder of the spec."""
    settings: tuple[str, ...]
    """Fields of the spec that it depends on, dotted; ``spec`` is all of it, ``board`` the whole board file."""
    run: Callable[[Job], None]
    """The wiring to the library; the modules it imports, and what they import, are what the stage depends on."""
    templates: tuple[str, ...] = ()
    """Patterns of other files that it depends on, relative to the checkout."""
    identities: Callable[[Resolved], dict[str, str]] = _no_identities
    """Names and versions of tools that it runs."""
    sources: Callable[[Resolved], list[Path]] = _no_sources
    """Files of the user that it reads."""

    def selected(self, resolved: Resolved) -> dict[str, Any]:
        """The declared settings as JSON."""
        values: dict[str, Any] = {}
        for field in self.settings:
            if field == "board":
                values[field] = resolved["board"]
                continue
            value: Any = resolved["spec"]
            for part in _path(field):
                value = value[part]
            values[field] = value
        return values
