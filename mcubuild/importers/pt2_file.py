"""What ``torch.export.save`` wrote, read without PyTorch: an archive of JSON and of tensors as bytes.

Nothing in it is executed or unpickled: members that are pickles stay unread. Source of the format: PyTorch's
``torch/export/pt2_archive`` and ``torch/_export/serde/schema.py``, version 8 of the schema.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from mcubuild.errors import BuildError, reading
from mcubuild.importers.program import MOST_BYTES, MOST_CALLS, MOST_ELEMENTS, Input, printable

_SCHEMA: Final = 8
"""Major version of the programs that are read."""
_TYPES: Final[Mapping[int, str]] = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64", 12: "bool",
    13: "bfloat16",
}  # fmt: skip
"""PyTorch's numbers of types (``ScalarType`` of the schema), with numpy's names."""
_KINDS: Final = ("parameter", "buffer", "tensor_constant")
"""Inputs of the graph that the archive has values for, each with its name in ``<kind>_name``."""


class Name(str):
    """An argument that is a tensor."""

    __slots__ = ()


class Symbol(str):
    """An argument that is a number, known only when the program runs."""

    __slots__ = ()


@dataclass(frozen=True)
class Node:
    """A call of one of PyTorch's operators."""

    target: str
    """Such as ``aten.conv2d.default``."""
    arguments: Mapping[str, Any]
    """By the names of the operator's schema; those left out have its defaults. Tensors are ``Name``."""
    results: tuple[str, ...]
    place: str
    """For messages."""


@dataclass(frozen=True)
class Export:
    """The program in an archive."""

    path: Path
    nodes: tuple[Node, ...]
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    constants: Mapping[str, NDArray[Any]]
    shapes: Mapping[str, tuple[int | None, ...]]
    """Of all tensors; a batch of 1 where the first size is open, ``None`` for any other open one."""


def read_pt2(path: Path) -> Export:
    """The program in ``path``.

    Raises:
        BuildError: the file is missing, damaged, of another version, or larger than any microcontroller's network.
    """
    with reading(path, "file of torch.export.save"):
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise BuildError(f"{path}: {size} bytes; a network for a microcontroller has at most {MOST_BYTES}.")
        with ZipFile(path) as archive:
            return _Reader(path, archive).export()


class _Reader:
    """Walks through one archive; what it raises is told as damage."""

    def __init__(self, path: Path, archive: ZipFile) -> None:
        self._path, self._archive = path, archive
        self._left = MOST_BYTES
        models = [name for name in archive.namelist() if "/models/" in name and name.endswith(".json")]
        if len(models) != 1:
            found = "no program" if not models else f"{len(models)} programs"
            raise BuildError(
                f"{path}: holds {found} as models/*.json, must hold one; save it with torch.export.save of a newer "
                f"PyTorch (2.13 is tested)."
            )
        (self._model,) = models
        self._folder = self._model.rpartition("/models/")[0]

    def _read(self, name: str) -> bytes:
        """A member of the archive, whose size when unpacked is limited."""
        info = self._archive.getinfo(f"{self._folder}/{name}")
        self._left -= info.file_size
        if self._left < 0:
            raise ValueError(f"it holds more than {MOST_BYTES} bytes")
        return self._archive.read(info)

    def export(self) -> Export:
        program = json.loads(self._read(self._model[len(self._folder) + 1 :]))
        major = program["schema_version"]["major"]
        if major != _SCHEMA:
            raise BuildError(
                f"{self._path}: its schema has version {printable(str(major), 20)}, must have {_SCHEMA}; save it with "
                f"torch.export.save of PyTorch 2.13."
            )
        if self._read("byteorder") != b"little":
            raise ValueError("its bytes are not in little-endian order")
        graph, signature = program["graph_module"]["graph"], program["graph_module"]["signature"]
        if len(graph["nodes"]) > MOST_CALLS:
            raise ValueError(f"it has {len(graph['nodes'])} operators; at most {MOST_CALLS} are read")
        metas = graph["tensor_values"]
        inputs, constants = list[Input](), dict[str, NDArray[Any]]()
        stored = {**self._entries("constants"), **self._entries("weights")}
        for spec in signature["input_specs"]:
            ((kind, content),) = spec.items()
            if kind == "user_input":
                inputs.append(self._input(content["arg"], metas))
            elif kind in _KINDS:
                constants[content["arg"]["name"]] = self._tensor(*stored[content[f"{kind}_name"]])
            else:
                raise ValueError(f"its graph takes a {printable(kind, 40)}")
        return Export(
            path=self._path,
            nodes=tuple(self._node(node) for node in graph["nodes"]),
            inputs=tuple(inputs),
            outputs=tuple(self._outputs(signature["output_specs"])),
            constants=constants,
            shapes={name: _shape(meta) for name, meta in metas.items()},
        )

    def _outputs(self, specs: list[Any]) -> Iterator[str]:
        for spec in specs:
            ((kind, content),) = spec.items()
            if kind != "user_output":
                raise BuildError(
                    f"{self._path}: it changes a buffer or an input ({printable(kind, 40)}); export it in evaluation "
                    f"mode: model.eval()."
                )
            yield _name(self._tensor_of(content["arg"], "returns"))

    def _tensor_of(self, argument: Mapping[str, Any], verb: str) -> Any:
        if "as_tensor" not in argument:
            raise BuildError(f"{self._path}: its network {verb} something that is no tensor; it must be tensors alone.")
        return argument["as_tensor"]

    def _input(self, argument: Mapping[str, Any], metas: Mapping[str, Any]) -> Input:
        name = _name(self._tensor_of(argument, "takes"))
        shape = _shape(metas[name])
        if None in shape or prod(size for size in shape if size) > MOST_ELEMENTS or 0 in shape:
            raise BuildError(
                f"{self._path}: the input {printable(name, 60)!r} has shape {shape}; all sizes but the batch's must be "
                f"numbers: export it for a fixed size."
            )
        return Input(name, tuple(size for size in shape if size is not None), _TYPES[metas[name]["dtype"]])

    def _entries(self, kind: str) -> dict[str, tuple[str, Mapping[str, Any]]]:
        """The folder of each tensor, and what the archive says of it, by name."""
        folder = f"data/{kind}"
        config = json.loads(self._read(f"{folder}/model_{kind}_config.json"))["config"]
        return {name: (folder, entry) for name, entry in config.items()}

    def _tensor(self, folder: str, entry: Mapping[str, Any]) -> NDArray[Any]:
        name = entry["path_name"]
        if entry["use_pickle"]:
            raise BuildError(
                f"{self._path}: {folder}/{printable(name, 60)} is a pickle, which is not read, as that could run code; "
                f"make it a plain tensor."
            )
        meta, data = entry["tensor_meta"], self._read(f"{folder}/{name}")
        shape = _fixed(meta["sizes"])
        strides, offset = _fixed(meta["strides"]), _fixed([meta["storage_offset"]])[0]
        if len(strides) != len(shape) or min((*shape, *strides, offset)) < 0 or prod(shape) > MOST_ELEMENTS:
            raise ValueError(f"its tensor {printable(name, 60)} has shape {shape} and strides {strides}")
        dtype = _TYPES[meta["dtype"]]
        stored = np.frombuffer(data, "<u2" if dtype == "bfloat16" else np.dtype(dtype).newbyteorder("<"))
        last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
        if 0 not in shape and last >= stored.size:
            raise ValueError(f"its tensor {printable(name, 60)} has {stored.size} elements, too few for {shape}")
        steps = tuple(stride * stored.itemsize for stride in strides)
        self._left -= prod(shape) * stored.itemsize  # strides may repeat what is stored
        if self._left < 0:
            raise ValueError(f"its tensors have more than {MOST_BYTES} bytes")
        found = np.array(np.lib.stride_tricks.as_strided(stored[offset:], shape, steps, writeable=False))
        if dtype == "bfloat16":  # the upper half of a float32
            return (found.astype(np.uint32) << 16).view(np.float32)
        return found.astype(dtype, copy=False)

    def _node(self, node: Mapping[str, Any]) -> Node:
        target = printable(node["target"].removeprefix("torch.ops."), 80)
        results = tuple(name for output in node["outputs"] for name in _names(output))
        name = printable(node.get("name") or next(iter(results), ""), 40)
        arguments = {each["name"]: _argument(each["arg"]) for each in node["inputs"]}
        return Node(target, arguments, results, f"node {name!r} ({target})")


def _fixed(sizes: list[Any]) -> tuple[int, ...]:
    return tuple(int(size["as_int"]) for size in sizes)


def _shape(meta: Mapping[str, Any]) -> tuple[int | None, ...]:
    shape: list[int | None] = [size.get("as_int") for size in meta["sizes"]]
    if shape and shape[0] is None:
        shape[0] = 1  # the batch
    return tuple(shape)


def _name(tensor: Mapping[str, Any]) -> Name:
    if not isinstance(tensor["name"], str):
        raise ValueError(f"has a tensor called {printable(str(tensor['name']), 40)}")
    return Name(tensor["name"])


def _names(argument: Mapping[str, Any]) -> Iterator[str]:
    """The tensors that a result is."""
    if "as_tensor" in argument:
        yield _name(argument["as_tensor"])
    yield from map(_name, argument.get("as_tensors", ()))


def _number(value: Mapping[str, Any]) -> Any:
    for kind in ("as_int", "as_float"):
        if kind in value:
            return value[kind]
    return Symbol(value.get("as_name", ""))


def _argument(argument: Mapping[str, Any]) -> Any:
    """A number, a text, a tensor's name, a tuple of them, or None for what is none of these."""
    ((kind, value),) = argument.items()
    if kind == "as_tensor":
        return _name(value)
    if kind in ("as_tensors", "as_optional_tensors"):
        return tuple(None if "as_none" in each else _name(each.get("as_tensor", each)) for each in value)
    if kind in ("as_int", "as_float", "as_string", "as_bool", "as_scalar_type"):
        return value
    if kind in ("as_ints", "as_floats", "as_bools"):
        return tuple(value)
    if kind in ("as_sym_int", "as_sym_float"):
        return _number(value)
    if kind == "as_sym_ints":
        return tuple(map(_number, value))
    return None
