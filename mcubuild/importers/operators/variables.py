"""Variables: what a network remembers from one run to the next, such as the frames of sound before the latest.

Each is a value of the graph like any other: reading gives the value that it has at that point of the run, and what was
assigned last is its value in the next run.
"""

from collections.abc import Mapping

from mcubuild.importers.builder import Node, UnsupportedError, activation_scale, describe, with_batch
from mcubuild.importers.operators.converter import Converter
from mcubuild.importers.tflite_file import FileTensor


def _call_once(node: Node) -> None:
    """The graph that it calls gives variables their first values."""
    resources = node.builder.resources
    if resources.values:
        raise UnsupportedError("comes after variables were read or assigned")
    for op in node.builder.file.once[node.option("InitSubgraphIndex")].operators:
        inner = Node(node.builder, op, node.builder.file.once[node.option("InitSubgraphIndex")])
        where = f"calls operator {op.index} ({op.kind}), which"
        if op.kind == "VAR_HANDLE":
            resources.handles[_handle(inner.output, inner)] = _key(inner)
        elif op.kind == "ASSIGN_VARIABLE":
            value = inner.input(1)
            if value.values is None:
                raise UnsupportedError(f"{where} assigns {describe(value)}; it must be a constant")
            resources.initial[_variable(inner)] = value.values.tobytes()
        else:
            raise UnsupportedError(f"{where} is not supported there; variables begin with constants or with zero")


def _var_handle(node: Node) -> None:
    node.builder.resources.handles[_handle(node.output, node)] = _key(node)


def _read_variable(node: Node) -> None:
    builder, result, key = node.builder, node.output, _variable(node)
    resources = builder.resources
    if key not in resources.values:
        name = builder.define_variable(result, with_batch(result.shape), resources.initial.get(key))
        resources.read[key] = resources.values[key] = name
        return
    name = resources.values[key]
    if (builder.quantization(name), builder.dtype(name)) != (activation_scale(result), result.dtype.lower()):
        raise UnsupportedError(f"reads as {describe(result)} what has another type, scale or zero point")
    builder.alias(result, builder.view(name, with_batch(result.shape), builder.name_of(result)))


def _assign_variable(node: Node) -> None:
    """Operands: variable, value."""
    node.builder.resources.values[_variable(node)] = node.activation(1)


def _key(node: Node) -> str:
    return f"{node.text_option('Container')}/{node.text_option('SharedName')}"


def _handle(tensor: FileTensor, node: Node) -> tuple[int, int]:
    """A tensor of one of the file's graphs."""
    return id(node.file), tensor.index


def _variable(node: Node) -> str:
    """The variable that the first operand stands for.

    Raises:
        ValueError: it stands for none.
    """
    handle = _handle(node.input(0), node)
    if handle not in node.builder.resources.handles:
        raise ValueError(f"takes {describe(node.input(0))} for a variable, which no VAR_HANDLE gives")
    return node.builder.resources.handles[handle]


CONVERTERS: Mapping[str, Converter] = {
    "CALL_ONCE": Converter(_call_once, limits="of a graph that assigns constants to variables"),
    "VAR_HANDLE": Converter(_var_handle),
    "READ_VARIABLE": Converter(_read_variable),
    "ASSIGN_VARIABLE": Converter(_assign_variable),
}
