"""What the importer says of labelled samples."""

import json
from pathlib import Path
from typing import Any

from mcubuild.data.splits import Split
from mcubuild.importers.files import write_imported
from mcubuild.importers.network import import_network
from mcubuild.importers.samples import refer
from mcubuild.ir.files import read_graph
from mcubuild.spec.model import ModelSettings


def accuracy(folder: Path, images: tuple[Split, int] | None = None, **keys: Any) -> dict[str, Any]:
    """accuracy.json for the network net.tflite in ``folder``, or where ``file`` says."""
    settings = ModelSettings.model_validate({"file": "net.tflite", **keys})
    out = folder / "out"
    out.mkdir(exist_ok=True)
    write_imported(import_network(folder / settings.file), out)
    refer(read_graph(out), out / "interface.json", settings, images, folder, seed=0, out=out)
    found: dict[str, Any] = json.loads((out / "accuracy.json").read_text())
    return found
