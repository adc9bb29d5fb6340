"""A .tflite file as a quantised graph with TensorFlow Lite Micro's exact results."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mcubuild.errors import BuildError
from mcubuild.importers.builder import Builder, Node, UnsupportedError, activation_scale, describe
from mcubuild.importers.folding import folded
from mcubuild.importers.interface import Interface, Number
from mcubuild.importers.operators import CONVERTERS
from mcubuild.importers.reals import Real, convert_real
from mcubuild.importers.refusals import refused
from mcubuild.importers.tflite_file import File, FileTensor, read_file
from mcubuild.importers.unsigned import signed
from mcubuild.ir.geometry import Shape
from mcubuild.ir.graph import Dtype, Graph
from mcubuild.ir.ops.movement import Reshape
from mcubuild.ir.rewriting import simplified

_NUMBERS: Mapping[str, Number] = {
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "UINT8": "uint8",
    "FLOAT32": "float32",
}
SUPPORTED = "docs/operators.md"
"""The page that ``importers.support`` writes."""
BORDER = ("QUANTIZE", "DEQUANTIZE")
"""Operators that are taken at the borders as well: they change the type of an input or output."""

_BITS: Mapping[Dtype, Literal[8, 16, 32]] = {"int8": 8, "int16": 16, "int32": 32}

_UNCHANGED = (*BORDER, "RESHAPE", "SQUEEZE", "EXPAND_DIMS")
"""Operators that leave the real values as they are."""


@dataclass(frozen=True)
class Imported:
    """A network and how its author sees it."""

    graph: Graph
    inputs: tuple[Interface, ...]
    """As many as the graph has, in its order."""
    outputs: tuple[Interface, ...]


def import_tflite(path: Path) -> Imported:
    """The network in ``path``, rewritten for the engine; its outputs are those of the file bit for bit.

    Raises:
        BuildError: the file is damaged, or holds something that no operator of the graph computes exactly.
    """
    return imported(folded(read_file(path)))


def imported(file: File) -> Imported:
    """The network in ``file``, rewritten for the engine.

    Raises:
        BuildError: as ``import_tflite``.
    """
    network = _converted(file)
    return replace(network, graph=simplified(network.graph))


def converted(path: Path) -> Imported:
    """The network in ``path``, operator by operator as in the file.

    Raises:
        BuildError: as ``import_tflite``.
    """
    return _converted(folded(read_file(path)))


def _converted(file: File) -> Imported:
    file = signed(file)
    builder = Builder(file)
    inputs = _inputs(builder)
    reals: dict[int, Real] = {}
    for op in file.operators:
        node = Node(builder, op)
        try:
            _convert(node, inputs, reals)
        except (ValueError, OverflowError) as error:
            raise refused(file, op, error) from None
    return _finish(builder, inputs)


def _inputs(builder: Builder) -> dict[int, Interface]:
    """The file's inputs by number. Those of integers are defined in the graph; float32 waits for a QUANTIZE."""
    file = builder.file
    found: dict[int, Interface] = {}
    for index in file.inputs:
        tensor = file.tensors[index]
        try:
            if index in found or tensor.values is not None or 0 in tensor.shape:
                raise ValueError(f"{describe(tensor)} cannot be an input")
            if tensor.dtype == "FLOAT32":
                found[index] = Interface(tensor.name, "float32", tensor.shape, 1.0, 0)  # scale: from its QUANTIZE
            elif tensor.dtype in _NUMBERS and tensor.dtype != "INT32":
                name = builder.define_input(tensor, activation_scale(tensor))
                found[index] = _face(builder, tensor, name)
            else:
                raise UnsupportedError(f"the input {describe(tensor)} must be INT8, INT16, UINT8 or FLOAT32")
        except ValueError as error:
            raise BuildError(f"{file.path}: {error}.") from None
    return found


def _face(builder: Builder, tensor: FileTensor, name: str, operator: str | None = None) -> Interface:
    """What the author sees of the activation ``name`` in ``tensor``."""
    quantization, number = builder.quantization(name), _NUMBERS[tensor.said]
    scale, zero_point = quantization.scale[0], quantization.zero_point
    bits = _BITS[builder.dtype(name)]
    shape, order = _authors(builder.file, tensor)
    return Interface(tensor.name, number, shape, scale, zero_point, operator, bits, order)


def _authors(file: File, tensor: FileTensor) -> tuple[Shape, Shape | None]:
    """Shape and order of a tensor as its author has it."""
    order = file.orders.get(tensor.index)
    if order is None:
        return tensor.shape, None
    return tuple(tensor.shape[order.index(axis)] for axis in range(len(order))), order


def real_faces(file: File) -> tuple[Interface, ...]:
    """The inputs of a file of real numbers, which have no scale of their own.

    Raises:
        BuildError: an input is on levels, or of no fixed shape.
    """
    faces = []
    for tensor in (file.tensors[index] for index in file.inputs):
        if tensor.dtype != "FLOAT32" or 0 in tensor.shape:
            raise BuildError(f"{file.path}: the input {describe(tensor)} must be FLOAT32 where activations are real.")
        shape, order = _authors(file, tensor)
        faces.append(Interface(tensor.name, "float32", shape, 1.0, 0, order=order))
    return tuple(faces)


def _convert(node: Node, inputs: dict[int, Interface], reals: dict[int, Real]) -> None:
    in_real = convert_real(node, reals)
    if (node.op.kind in BORDER and _border(node, inputs)) or in_real:
        return
    converter = CONVERTERS.get(node.op.kind)
    if converter is None and node.op.kind not in BORDER:
        raise UnsupportedError(f"is not supported; {SUPPORTED} lists what is")
    types: tuple[str, ...] = ("INT8", "INT16", "UINT8") if converter is None else converter.types
    tensors = (*node.inputs, *node.outputs)
    activations = [tensor for tensor in tensors if tensor.values is None and tensor.dtype != "RESOURCE"]
    other = next((tensor for tensor in activations if tensor.said not in types), None)
    if other is not None or converter is None:
        found = activations[0] if other is None else other
        listed = " and ".join([", ".join(types[:-1]), types[-1]] if types[1:] else types)
        raise UnsupportedError(f"is supported on {listed} only, not on {describe(found)}")
    converter.convert(node)


def _border(node: Node, inputs: dict[int, Interface]) -> bool:
    """Whether the operator only changes the type of an input or output; then the graph begins or ends without it."""
    builder, source, result = node.builder, node.input(0), node.output
    types = source.dtype, result.dtype
    if types in (("FLOAT32", "INT8"), ("FLOAT32", "INT16")) and source.index in inputs:
        quantization = activation_scale(result)
        if builder.knows(source):  # quantised before
            if builder.quantization(builder.activation(source)) != quantization:
                raise UnsupportedError("quantises an input for the second time, at another scale")
            builder.alias(result, builder.activation(source))
            return True
        name = builder.define_input(result, quantization)
        builder.alias(source, name)
        inputs[source.index] = _face(builder, source, name)
        return True
    if types in (("INT8", "FLOAT32"), ("INT16", "FLOAT32")) and result.index in builder.file.outputs:
        builder.alias(result, builder.activation(source))
        return True
    return False


def _finish(builder: Builder, inputs: Mapping[int, Interface]) -> Imported:
    file = builder.file
    try:
        known = {index: face for index, face in inputs.items() if builder.knows(file.tensors[index])}
        sources = {builder.activation(file.tensors[index]): face for index, face in known.items()}
        outputs: dict[str, Interface] = {}
        for index in file.outputs:
            tensor = file.tensors[index]
            if not builder.knows(tensor):
                raise ValueError(f"the output {describe(tensor)} is never written, or of another type")
            name = builder.activation(tensor)
            if name in {*sources, *outputs, *builder.constants, *builder.variables}:  # the same bytes once more
                name = builder.copy(name, f"t{index}.copy")
            outputs[name] = _face(builder, tensor, name, _computed_by(file, index))
        graph = builder.graph(file.path.stem, tuple(sources), tuple(outputs))
        if all(isinstance(op, Reshape) for op in graph.ops):
            raise ValueError("there is nothing to compute between its inputs and outputs")
        for op in graph.ops:  # before any data is run: scales that do not go together
            op.parameters(graph)
    except (ValueError, OverflowError) as error:
        raise BuildError(f"{file.path}: {error}.") from None
    return Imported(graph, tuple(sources.values()), tuple(outputs.values()))


def _computed_by(file: File, index: int) -> str | None:
    """The kind of operator that computes a tensor's values, whatever type and shape they are brought to then."""
    writers = {result: op for op in file.operators for result in op.outputs}
    seen = set[int]()
    while index in writers and index not in seen:
        seen.add(index)
        op = writers[index]
        if op.kind not in _UNCHANGED:
            return op.kind
        index = op.inputs[0]
    return None
