"""An imported network in files: the graph as ever, and interface.json, which says how its author sees it."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mcubuild.errors import BuildError
from mcubuild.importers.interface import Interface
from mcubuild.importers.tflite import Imported
from mcubuild.ir.files import write_graph


def write_imported(imported: Imported, out: Path, *, calibrated: int = 0) -> None:
    """Write model.json, model.npz and interface.json to ``out``; ``calibrated``: samples that its levels are from."""
    write_graph(imported.graph, out)
    content = {
        "calibrated": calibrated,
        "inputs": [asdict(face) for face in imported.inputs],
        "outputs": [asdict(face) for face in imported.outputs],
    }
    (out / "interface.json").write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_interfaces(path: Path) -> Mapping[str, tuple[Interface, ...]]:
    """The "inputs" and the "outputs" in an interface.json.

    Raises:
        BuildError: the file is missing or damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {
            key: tuple(Interface(**{**face, **_tuples(face)}) for face in content[key]) for key in ("inputs", "outputs")
        }
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BuildError(f"{path}: not written by mcubuild ({error}); delete it and build again.") from None


def calibrated_by(path: Path) -> int:
    """How many samples a network's levels are from, by its interface.json; 0: they are the file's.

    Raises:
        BuildError: the file is missing or damaged.
    """
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["calibrated"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BuildError(f"{path}: not written by mcubuild ({error}); delete it and build again.") from None


def _tuples(face: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Fields that JSON has as lists."""
    return {key: tuple(face[key]) for key in ("shape", "order") if face[key] is not None}
