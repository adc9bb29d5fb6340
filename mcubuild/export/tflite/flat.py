"""Flatbuffers by the names of their tables and fields, on top of the generated bindings of the package ``tflite``."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import flatbuffers
import numpy as np
import tflite
from numpy.typing import NDArray

METADATA: dict[str, tuple[str, ...]] = {
    "AssociatedFile": ("name", "description", "type:byte"),
    "Content": ("content_properties_type:byte", "content_properties"),
    "ImageProperties": ("color_space:byte",),
    "ModelMetadata": (
        *("name", "description", "version", "subgraph_metadata", "author", "license", "associated_files"),
        "min_parser_version",
    ),
    "NormalizationOptions": ("mean", "std"),
    "ProcessUnit": ("options_type:byte", "options"),
    "SubGraphMetadata": ("name", "description", "input_tensor_metadata", "output_tensor_metadata"),
    "TensorMetadata": (
        *("name", "description", "dimension_names", "content", "process_units", "stats", "associated_files"),
    ),
}
"""Tables that have no bindings: their fields in order, as ``metadata_schema.fbs`` of tflite-support has them."""


@dataclass(frozen=True)
class Place:
    """Where a table or vector was written."""

    offset: int


Value: TypeAlias = str | bytes | int | float | bool | Place | NDArray[Any] | Sequence[Place]
"""Of a field: text, bytes aligned to 16, a number, a table, a vector of numbers, or of tables."""


class Flat:
    """A flatbuffer under construction; what a table refers to is written before it."""

    def __init__(self) -> None:
        self._build = flatbuffers.Builder(1 << 16)

    def table(self, name: str, /, **fields: Value) -> Place:
        """A table; fields by their names in the bindings or in ``METADATA``."""
        written = {field: self._written(value) for field, value in fields.items()}
        if name in METADATA:
            return self._unbound(METADATA[name], written)
        getattr(tflite, f"{name}Start")(self._build)
        for field, value in written.items():
            getattr(tflite, f"{name}Add{field}")(self._build, value)
        return Place(getattr(tflite, f"{name}End")(self._build))

    def finish(self, root: Place, identifier: bytes) -> bytes:
        """The flatbuffer."""
        self._build.Finish(root.offset, file_identifier=identifier)
        return bytes(self._build.Output())

    def _unbound(self, names: tuple[str, ...], written: dict[str, Any]) -> Place:
        self._build.StartObject(len(names))
        for slot, name in enumerate(names):
            field, _, kind = name.partition(":")
            if field in written:
                add = self._build.PrependInt8Slot if kind else self._build.PrependUOffsetTRelativeSlot
                add(slot, written.pop(field), 0)
        assert not written, written
        return Place(self._build.EndObject())

    def _written(self, value: Value) -> Any:
        if isinstance(value, Place):
            return value.offset
        if isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return self._build.CreateString(value)
        if isinstance(value, bytes):
            self._build.Prep(16, len(value))  # the schema's force_align: kernels read constants in place
            return self._build.CreateByteVector(value)
        if isinstance(value, np.ndarray):
            return self._build.CreateNumpyVector(value)
        self._build.StartVector(4, len(value), 4)
        for place in reversed(value):
            self._build.PrependUOffsetTRelative(place.offset)
        return self._build.EndVector()
