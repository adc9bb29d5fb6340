"""What an imported network is run on, and what its integer reference says to it."""

import hashlib
import json
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.inventory import short_id
from mcubuild.data.resize import network_input
from mcubuild.data.splits import Split
from mcubuild.errors import BuildError, reading
from mcubuild.importers.files import read_interfaces
from mcubuild.importers.interface import Interface
from mcubuild.ir.executor import run
from mcubuild.ir.graph import Graph
from mcubuild.spec.model import ModelSettings

Int8 = NDArray[np.int8]


def refer(
    graph: Graph, interfaces: Path, settings: ModelSettings, test: Split | None, root: Path, *, seed: int, out: Path
) -> None:
    """Write inputs.npy, int8_outputs.npy and accuracy.json to ``out``.

    The arrays are int8 (N, bytes): flattened inputs and outputs of the graph, side by side. The JSON has the fields
    that ``quant.accuracy.evaluate`` writes, ``None`` where nothing is known (there is no float network, and perhaps
    there are no labels), ``author``: how the reference agrees with the author's outputs, if the spec names any, and
    ``ids``: a ``short_id`` of each sample's bytes, unless the samples are those of a data set.

    Args:
        graph: the imported network.
        interfaces: what ``importers.files.write_interfaces`` wrote beside it.
        settings: which samples.
        test: a test split of images, if the spec has a data set.
        root: folder that paths are relative to.
        seed: of random inputs.
        out: an existing folder.

    Raises:
        BuildError: samples are missing, damaged, or do not fit the network.
    """
    faces = read_interfaces(interfaces)
    labels: NDArray[np.int64] | None = None
    ids = None
    if test is not None:
        inputs, labels = _images(graph, test, settings.file), test.y
    elif settings.inputs is not None:
        inputs = _arrays(settings.inputs, faces["inputs"], root)
        # As the files have them: another network quantises the same samples otherwise.
        ids = _ids([read_array(root / path) for path in settings.inputs])
        labels = None if settings.labels is None else _labels(root / settings.labels, len(inputs))
    else:
        size = sum(prod(graph.tensor(name).shape) for name in graph.inputs)
        inputs = np.random.default_rng(seed).integers(-128, 128, (settings.samples, size), np.int8)
        ids = _ids([inputs])
    shaped = inputs
    if len(graph.inputs) == 1:
        shaped = inputs.reshape(len(inputs), *graph.tensor(graph.inputs[0]).shape[1:])
    outputs = run(graph, shaped).reshape(len(inputs), -1)
    author = None
    if settings.outputs is not None:
        author = _agreement(outputs, _arrays(settings.outputs, faces["outputs"], root))
    content = _accuracy(outputs, labels, faces["outputs"][0].scale)
    np.save(out / "inputs.npy", inputs)
    np.save(out / "int8_outputs.npy", outputs)
    (out / "accuracy.json").write_text(
        json.dumps({**content, "author": author, "ids": ids}, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )


def _images(graph: Graph, test: Split, file: str) -> Int8:
    """The test split as the network's input: level of a pixel minus 128."""
    shapes = [graph.tensor(name).shape for name in graph.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][1] != shapes[0][2] or shapes[0][3] != test.x.shape[3]:
        raise BuildError(
            f"{file}: its inputs have shapes {shapes}; the data set's images are square with {test.x.shape[3]} "
            f"channels. Give the samples as the network takes them: [model] inputs and labels."
        )
    return network_input(test.x, shapes[0][1]).reshape(len(test), -1)


def _arrays(paths: Sequence[str], faces: Sequence[Interface], root: Path) -> Int8:
    """One array an input (or output), quantised, flattened and side by side: int8 (N, bytes)."""
    if len(paths) != len(faces):
        raise BuildError(f"found {len(paths)} files ({', '.join(paths)}); the network has {len(faces)}, one .npy each.")
    parts = [_array(root / path, face) for path, face in zip(paths, faces, strict=True)]
    if len({len(part) for part in parts}) != 1:
        raise BuildError(
            f"{', '.join(paths)}: found {', '.join(str(len(part)) for part in parts)} samples; must be as many."
        )
    return np.hstack(parts)


def _array(path: Path, face: Interface) -> Int8:
    values = read_array(path)
    size = prod(face.shape)
    fits = values.dtype == face.dtype or (face.dtype == "float32" and values.dtype == np.float64)
    if not fits or values.ndim == 0 or len(values) == 0 or prod(values.shape[1:]) != size:
        raise BuildError(
            f"{path}: found {values.dtype} {values.shape}; {face.name!r} needs {face.dtype} (N, {size}), or any other "
            f"shape of as many elements a sample."
        )
    return face.to_int8(values.reshape(len(values), size))


def _ids(parts: Sequence[NDArray[Any]]) -> list[str]:
    """``short_id`` of each sample's bytes in all ``parts`` (N, ...)."""
    return [
        short_id(hashlib.sha256(b"".join(row.tobytes() for row in rows)).hexdigest())
        for rows in zip(*parts, strict=True)
    ]


def _labels(path: Path, count: int) -> NDArray[np.int64]:
    values = read_array(path)
    if values.dtype.kind not in "iu" or values.shape != (count,):
        raise BuildError(f"{path}: found {values.dtype} {values.shape}; labels are integers ({count},), one a sample.")
    return values.astype(np.int64)


def read_array(path: Path) -> NDArray[Any]:
    """The array in a .npy file of the user's.

    Raises:
        BuildError: it cannot be read, or is none.
    """
    with reading(path, ".npy"):
        values: NDArray[Any] = np.load(path, allow_pickle=False)
    if not isinstance(values, np.ndarray):
        raise BuildError(f"{path}: holds several arrays; give one .npy an input.")
    return values


def _agreement(outputs: Int8, author: Int8) -> dict[str, int]:
    """Samples, those that differ, and the largest difference in steps of an output."""
    if outputs.shape != author.shape:
        raise BuildError(f"[model] outputs: found {len(author)} samples; there are {len(outputs)} inputs.")
    distance = np.abs(outputs.astype(np.int64) - author)
    return {
        "samples": len(outputs),
        "differ": int(distance.any(axis=1).sum()),
        "largest": int(distance.max(initial=0)),
    }


def _accuracy(outputs: Int8, labels: NDArray[np.int64] | None, scale: float) -> dict[str, object]:
    known: dict[str, object] = {
        "float": None,
        "agreement": None,
        "int8": None,
        "labels": None,
        "samples": len(outputs),
        "logit_scale": scale,
    }
    if labels is None:
        return known
    right = outputs.argmax(axis=1) == labels
    return {**known, "int8": float(right.mean()), "labels": labels.tolist()}
