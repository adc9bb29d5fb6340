"""Graphs in files: model.json (structure and quantisation) beside model.npz (constants)."""

import hashlib
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from mcubuild.errors import BuildError
from mcubuild.ir.graph import Constant, Graph, Op, Quantization, Tensor, Variable
from mcubuild.ir.ops import operators
from mcubuild.npz import read_npz, write_npz


def write_graph(graph: Graph, folder: Path) -> None:
    """Write ``graph`` to ``folder``/model.json and model.npz; equal graphs give equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps({"name": graph.name, **_structure(graph)}, indent=1, sort_keys=True)
    (folder / "model.json").write_text(content + "\n", encoding="utf-8")
    write_npz(folder / "model.npz", {name: np.asarray(values) for name, values in _values(graph).items()})


def fingerprint(graph: Graph) -> str:
    """SHA-256 of all that decides what ``graph`` computes, its name aside: structure, quantisation and constants."""
    digest = hashlib.sha256(json.dumps(_structure(graph), sort_keys=True).encode())
    for _, values in sorted(_values(graph).items()):
        array = np.asarray(values)
        digest.update(f"{array.dtype.newbyteorder('<').str} {array.shape}\n".encode())
        digest.update(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return digest.hexdigest()


def _values(graph: Graph) -> dict[str, Constant]:
    """Constants and initial values; no tensor has both."""
    return {**graph.constants, **{name: variable.initial for name, variable in graph.variables.items()}}


def _structure(graph: Graph) -> dict[str, Any]:
    return {
        "inputs": graph.inputs,
        "outputs": graph.outputs,
        # Lists, because the order of tensors and operators is part of the graph while keys are sorted.
        "tensors": [asdict(tensor) for tensor in graph.tensors.values()],
        "operators": [{"kind": type(op).__name__, **vars(op)} for op in graph.ops],
        "constants": sorted(graph.constants),
        **({"variables": {name: each.next for name, each in graph.variables.items()}} if graph.variables else {}),
    }


def read_graph(folder: Path) -> Graph:
    """The graph that ``write_graph`` wrote to ``folder``.

    Raises:
        BuildError: a file is missing or damaged, or the two do not belong together.
    """
    path = folder / "model.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BuildError(f"{path}: cannot be read ({error}); delete {folder} and build again.") from None
    try:
        tensors = [_tensor(entry) for entry in content["tensors"]]
        following = content.get("variables", {})
        values = read_npz(folder / "model.npz", [*content["constants"], *following])
        return Graph(
            name=content["name"],
            tensors={tensor.name: tensor for tensor in tensors},
            ops=tuple(_operator(entry) for entry in content["operators"]),
            inputs=tuple(content["inputs"]),
            outputs=tuple(content["outputs"]),
            constants={name: values[name] for name in content["constants"]},
            variables={name: Variable(next, values[name]) for name, next in following.items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BuildError(
            f"{path}: not a graph that mcubuild wrote ({error}); delete {folder} and build again."
        ) from None


def _tensor(entry: dict[str, Any]) -> Tensor:
    quantization = entry["quantization"]
    if quantization is not None:
        quantization = Quantization(**{**quantization, "scale": tuple(quantization["scale"])})
    return Tensor(**{**entry, "shape": tuple(entry["shape"]), "quantization": quantization})


def _operator(entry: dict[str, Any]) -> Op:
    kind: Any = operators()[entry["kind"]]
    values: dict[str, Any] = {field.name: entry[field.name] for field in fields(kind)}
    operator: Op = kind(**{name: _tuples(value) for name, value in values.items()})
    return operator


def _tuples(value: Any) -> Any:
    """JSON's lists, nested ones too, as the tuples that they were."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
