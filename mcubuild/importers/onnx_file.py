"""An ONNX file as a program, checked on the way. Values outside the file are read from ``<file>.data`` alone."""

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mcubuild.errors import BuildError, reading
from mcubuild.importers.program import MOST_BYTES, MOST_CALLS, MOST_ELEMENTS, Call, Input, Program, printable

_DOMAINS: Final = ("", "ai.onnx", "com.microsoft")
"""Whose operators go by their name alone."""
_MOST_SHOWN: Final = 60


def read_onnx(path: Path) -> Program:
    """The program in ``path``.

    Raises:
        BuildError: the package onnx is not installed; or the file is missing, damaged, or larger than any
            microcontroller's network.
    """
    try:
        import onnx
    except ImportError:
        raise BuildError(f"{path}: reading ONNX takes one package more: pip install 'mcubuild[onnx]'.") from None
    with reading(path, "ONNX"):
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise BuildError(f"{path}: {size} bytes; a network for a microcontroller has at most {MOST_BYTES}.")
        model = onnx.ModelProto.FromString(path.read_bytes())
        if not model.graph.node:
            raise ValueError("it holds no operator")
        if model.functions:
            from onnx.inliner import inline_local_functions

            model = inline_local_functions(model)
        return _Reader(path, model).program()


class _Reader:
    """Walks through one model; what it raises is told as damage."""

    def __init__(self, path: Path, model: Any) -> None:
        self._path = path
        self._model = model

    def program(self) -> Program:
        graph = self._model.graph
        if len(graph.node) > MOST_CALLS:
            raise ValueError(f"it has {len(graph.node)} operators; at most {MOST_CALLS} are read")
        constants = {tensor.name: self._values(tensor) for tensor in graph.initializer}
        versions = [each.version for each in self._model.opset_import if each.domain in ("", "ai.onnx")]
        return Program(
            path=self._path,
            calls=tuple(_ordered([self._call(node) for node in graph.node])),
            inputs=tuple(self._input(value) for value in graph.input if value.name not in constants),
            outputs=tuple(value.name for value in graph.output),
            constants=constants,
            version=versions[0] if versions else 1,
        )

    def _input(self, value: Any) -> Input:
        from onnx.helper import tensor_dtype_to_np_dtype

        if not value.type.HasField("tensor_type"):
            raise ValueError(f"its input {printable(value.name, _MOST_SHOWN)!r} is no tensor")
        tensor = value.type.tensor_type
        sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
        if sizes and sizes[0] in (None, 0, -1):
            sizes[0] = 1  # the batch
        if None in sizes or not all(size > 0 for size in sizes if size is not None):
            found = ", ".join(dim.dim_param or str(dim.dim_value) for dim in tensor.shape.dim)
            raise BuildError(
                f"{self._path}: the input {printable(value.name, _MOST_SHOWN)!r} has shape ({printable(found, 80)}); "
                f"all sizes but the batch's must be numbers: export it for a fixed size."
            )
        shape = tuple(size for size in sizes if size is not None)
        if prod(shape) > MOST_ELEMENTS:
            raise ValueError(f"its input {printable(value.name, _MOST_SHOWN)!r} has shape {shape}")
        return Input(value.name, shape, np.dtype(tensor_dtype_to_np_dtype(tensor.elem_type)).name)

    def _call(self, node: Any) -> Call:
        kind = node.op_type if node.domain in _DOMAINS else f"{node.domain}.{node.op_type}"
        name = printable(node.name or next(iter(node.output), ""), 40)
        return Call(
            kind=kind,
            inputs=tuple(node.input),
            outputs=tuple(node.output),
            options={attribute.name: self._option(attribute) for attribute in node.attribute},
            place=f"node {name!r} ({printable(kind, 40)})",
        )

    def _option(self, attribute: Any) -> Any:
        from onnx import AttributeProto
        from onnx.helper import get_attribute_value

        if attribute.type == AttributeProto.TENSOR:
            return self._values(attribute.t)
        value = get_attribute_value(attribute)
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        if isinstance(value, int | float):
            return value
        kinds = (AttributeProto.INTS, AttributeProto.FLOATS)
        return tuple(value) if attribute.type in kinds else None  # graphs: only of operators that are refused

    def _values(self, tensor: Any) -> NDArray[Any]:
        from onnx import TensorProto, numpy_helper

        if not all(0 <= size <= MOST_ELEMENTS for size in tensor.dims) or prod(tensor.dims) > MOST_ELEMENTS:
            raise ValueError(f"its constant {printable(tensor.name, _MOST_SHOWN)!r} has shape {tuple(tensor.dims)}")
        if tensor.data_location == TensorProto.EXTERNAL:
            location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
            if location != outside(self._path).name:
                raise BuildError(
                    f"{self._path}: it has values in {printable(location, 80)!r}, but only {outside(self._path).name} "
                    f"is read; save it as one file: onnx.save(onnx.load(path), path)."
                )
        values = np.asarray(numpy_helper.to_array(tensor, str(self._path.parent)))
        if values.dtype.kind not in "biuf":  # 4 bits, bfloat16: numpy has none of its own
            values = values.astype(np.int8 if "int" in values.dtype.name else np.float32)
        return values


def outside(path: Path) -> Path:
    """The file that may hold the values of the ONNX file ``path``."""
    return path.with_name(f"{path.name}.data")


def _ordered(calls: list[Call]) -> Iterator[Call]:
    """The calls, which ONNX wants in order already.

    Raises:
        ValueError: a value is written twice, or read before it is written.
    """
    written, later = set[str](), {name for call in calls for name in call.outputs}
    for call in calls:
        for name in call.inputs:
            if name in later and name not in written:
                raise ValueError(f"{call.place} reads {printable(name, _MOST_SHOWN)!r} before it is written")
        for name in call.outputs:
            if name and name in written:
                raise ValueError(f"{call.place} writes {printable(name, _MOST_SHOWN)!r} a second time")
        written.update(call.outputs)
        yield call
