"""The bytes of a .tflite file: the flatbuffer, in it TensorFlow Lite's metadata, and behind it the files these name.

Sources: TensorFlow Lite's ``schema.fbs``; ``metadata_schema.fbs`` of tflite-support.
"""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import tflite

from mcubuild.engine.emit.archive import entry
from mcubuild.errors import BuildError, printable
from mcubuild.export.limits import untold
from mcubuild.export.tflite.flat import Flat, Place
from mcubuild.export.tflite.model import Model, Step, Variable
from mcubuild.export.tflite.operators import WRITERS, UntellableError, Writing
from mcubuild.ir.graph import Graph
from mcubuild.ir.ops.base import Clamping
from mcubuild.ir.ops.movement import Movement

LABELS: Final = "labels.txt"
"""Classes, one a line, by label."""
_LAST_OLD_CODE: Final = 127
"""Of operators that runtimes from before 2020 know."""
_PARSER: Final = "1.0.0"
"""Of metadata, which this is the oldest version for."""
_AXIS_LABELS, _IMAGE, _NORMALIZATION = 2, 2, 1
"""``AssociatedFileType``, ``ContentProperties`` and ``ProcessUnitOptions`` of the schema."""
_COLOURS: Final = {3: 1, 1: 2}
"""``ColorSpaceType`` by number of channels."""


@dataclass(frozen=True)
class About:
    """What the file says of the network besides what it computes."""

    name: str
    description: str
    license: str
    classes: Sequence[str] = ()
    """By label; none of a network that has no classes."""
    pictures: bool = False
    """Whether its input is a picture, and int8 = level - 128."""


def tflite_file(graph: Graph, about: About) -> bytes:
    """``graph`` as a .tflite file that computes the same bits.

    Raises:
        BuildError: an operator has no counterpart; names it and its layer.
    """
    model = told(graph, about.name)
    flat = Flat()
    buffers = [flat.table("Buffer")]
    tensors = [_tensor(flat, variable, buffers) for variable in model.variables]
    kinds = list(dict.fromkeys((step.kind, step.version) for step in model.steps))
    operators = [_operator(flat, step, kinds.index((step.kind, step.version))) for step in model.steps]
    inputs, outputs = (
        np.array([model.number(name) for name in names], np.int32) for names in (graph.inputs, graph.outputs)
    )
    subgraph = flat.table("SubGraph", Tensors=tensors, Inputs=inputs, Outputs=outputs, Operators=operators, Name="main")
    metadata = flat.table("Metadata", Name="TFLITE_METADATA", Buffer=len(buffers))
    buffers.append(flat.table("Buffer", Data=_metadata(graph, about)))
    root = flat.table(
        "Model",
        Version=3,
        OperatorCodes=[_code(flat, kind, version) for kind, version in kinds],
        Subgraphs=[subgraph],
        Description=printable(about.description),
        Buffers=buffers,
        Metadata=[metadata],
    )
    return _with_labels(flat.finish(root, b"TFL3"), about.classes)


def told(graph: Graph, name: str) -> Model:
    """``graph`` in TensorFlow Lite's operators.

    Raises:
        BuildError: as ``tflite_file``.
    """
    model = Model(graph)
    for tensor in (*graph.inputs, *(op.output for op in graph.ops)):
        _check_scales(graph, tensor, name)
    for input_ in graph.inputs:
        model.number(input_)
    for index, op in enumerate(graph.ops):
        try:
            if graph.tensor(op.output).packed and not isinstance(op, Clamping | Movement):
                raise UntellableError("writes values of 4 bits, which it does not limit itself")
            if (why := untold(graph, op)) is not None:
                raise UntellableError(why)
            WRITERS[type(op)](Writing(model, op))
        except UntellableError as error:
            raise BuildError(
                f"{name}: operator {index} ({type(op).__name__}), which writes {op.output!r}, {error}: the network "
                f"cannot be told as .tflite; its C (format=arduino, ...) can be exported."
            ) from None
    return model


def _check_scales(graph: Graph, tensor: str, name: str) -> None:
    quantization = graph.tensor(tensor).quantization
    for scale in quantization.scale if quantization else ():
        if float(np.float32(scale)) != scale:
            raise BuildError(f"{name}: {tensor!r} has scale {scale!r}, which is no 32-bit float, as .tflite has them.")


def _tensor(flat: Flat, variable: Variable, buffers: list[Place]) -> Place:
    number = 0
    if variable.values is not None:
        number = len(buffers)
        values = variable.values
        data = _halves(values) if variable.dtype == "INT4" else values.astype(values.dtype.newbyteorder("<")).tobytes()
        buffers.append(flat.table("Buffer", Data=data))
    quantization = variable.quantization
    extra = {}
    if quantization is not None:
        scales = np.array(quantization.scale, np.float32)
        extra["Quantization"] = flat.table(
            "QuantizationParameters",
            Scale=scales,
            ZeroPoint=np.full(len(scales), quantization.zero_point, np.int64),
            QuantizedDimension=quantization.axis or 0,
        )
    return flat.table(
        "Tensor",
        Shape=np.array(variable.shape, np.int32),
        Type=getattr(tflite.TensorType, variable.dtype),
        Buffer=number,
        Name=printable(variable.name),
        **extra,
    )


def _halves(values: np.ndarray[tuple[int, ...], np.dtype[np.int8]]) -> bytes:
    """Numbers of 4 bits, two to a byte, the first in the low half."""
    flat = values.ravel().view(np.uint8) & 15
    flat = np.append(flat, np.zeros(flat.size % 2, np.uint8))
    return (flat[::2] | flat[1::2] << 4).tobytes()


def _operator(flat: Flat, step: Step, code: int) -> Place:
    extra = {}
    if step.table:
        extra = {
            "BuiltinOptionsType": getattr(tflite.BuiltinOptions, step.table),
            "BuiltinOptions": flat.table(step.table, **step.options),
        }
    inputs, outputs = (np.array(numbers, np.int32) for numbers in (step.inputs, step.outputs))
    return flat.table("Operator", OpcodeIndex=code, Inputs=inputs, Outputs=outputs, **extra)


def _code(flat: Flat, kind: str, version: int) -> Place:
    number = getattr(tflite.BuiltinOperator, kind)
    return flat.table(
        "OperatorCode", DeprecatedBuiltinCode=min(number, _LAST_OLD_CODE), Version=version, BuiltinCode=number
    )


def _metadata(graph: Graph, about: About) -> bytes:
    """``ModelMetadata``: names, classes, what the input is."""
    flat = Flat()
    inputs = [_input(flat, graph, name, about) for name in graph.inputs]
    outputs = [_output(flat, graph, name, about) for name in graph.outputs]
    subgraph = flat.table("SubGraphMetadata", input_tensor_metadata=inputs, output_tensor_metadata=outputs)
    root = flat.table(
        "ModelMetadata",
        name=printable(about.name),
        description=printable(about.description),
        subgraph_metadata=[subgraph],
        license=about.license,
        min_parser_version=_PARSER,
    )
    return flat.finish(root, b"M001")


def _input(flat: Flat, graph: Graph, name: str, about: About) -> Place:
    channels = graph.tensor(name).shape[-1]
    if not about.pictures or channels not in _COLOURS:
        return flat.table("TensorMetadata", name=printable(name))
    scale, zero_point = graph.scale(name)  # level - 128 = zero point + (level - mean) / std / scale
    mean, std = np.array([128 + zero_point], np.float32), np.array([1 / scale], np.float32)
    unit = flat.table(
        "ProcessUnit",
        options_type=_NORMALIZATION,
        options=flat.table("NormalizationOptions", mean=mean, std=std),
    )
    content = flat.table(
        "Content",
        content_properties_type=_IMAGE,
        content_properties=flat.table("ImageProperties", color_space=_COLOURS[channels]),
    )
    return flat.table("TensorMetadata", name=printable(name), content=content, process_units=[unit])


def _output(flat: Flat, graph: Graph, name: str, about: About) -> Place:
    if not about.classes or graph.tensor(name).elements != len(about.classes):
        return flat.table("TensorMetadata", name=printable(name))
    labels = flat.table("AssociatedFile", name=LABELS, description="Classes by label.", type=_AXIS_LABELS)
    return flat.table("TensorMetadata", name=printable(name), associated_files=[labels])


def _with_labels(data: bytes, classes: Sequence[str]) -> bytes:
    """``data``, and behind it a zip with the classes, where readers of metadata look for associated files."""
    if not classes:
        return data
    file = io.BytesIO(data)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr(entry(LABELS), "".join(f"{printable(name)}\n" for name in classes).encode())
    return file.getvalue()
