"""Constants that a file computes: weights that it keeps in fewer bits, and integers from shapes.

Networks with an open batch dimension work out what to reshape to.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcubuild.importers.operators.axes import strided
from mcubuild.importers.tflite_file import File, FileOperator, FileTensor

Values = NDArray[Any]
_TYPES = {"INT32": np.int32, "INT64": np.int64}
_LOWEST = 128
"""What makes a place in a table of an int8."""
_MOST_VALUES = 64
"""Of a tensor that is computed here: sizes and axes, not data."""


def folded(file: File) -> File:
    """The file with constants in place of operators on what is known: weights, and integers, as all shapes are.

    What cannot be worked out stays, for the converter of its operator to judge. Of a GATHER from a table of 256 values,
    the place of an int8 in it, CAST and ADD of 128, is left out, too: its second operand is then that int8.
    """
    tensors, operators = list(file.tensors), []
    for op in file.operators:
        result = _result(op, tensors) or _dequantized(op, tensors)
        if result is None:
            operators.append(op)
        else:
            tensors[result.index] = result
    return replace(file, tensors=tuple(tensors), operators=tuple(_looking_up(operators, tensors, file.outputs)))


def _looking_up(
    operators: Sequence[FileOperator], tensors: Sequence[FileTensor], outputs: Sequence[int]
) -> list[FileOperator]:
    """GATHERs from tables read what their places are computed from, which is then computed no more."""
    writers = {op.outputs[0]: op for op in operators if len(op.outputs) == 1}
    found, places = list[FileOperator](), list[FileOperator]()
    for op in operators:
        source = _looked_up(op, tensors, writers)
        if source is not None:
            places += [add := writers[op.inputs[1]], writers[add.inputs[0]]]
            op = replace(op, inputs=(op.inputs[0], source))
        found.append(op)
    for place in places:  # each ADD before its CAST
        read = {index for op in found for index in op.inputs} | {*outputs}
        found = [op for op in found if op is not place or place.outputs[0] in read]
    return found


def _looked_up(op: FileOperator, tensors: Sequence[FileTensor], writers: Mapping[int, FileOperator]) -> int | None:
    """The int8 that ``op`` looks up in a table of 256 values: GATHER(table, ADD(CAST(int8), 128))."""
    if op.kind != "GATHER" or len(op.inputs) != 2 or -1 in op.inputs or op.options.get("BatchDims"):
        return None
    table, add = tensors[op.inputs[0]], writers.get(op.inputs[1])
    if table.values is None or table.shape != (256,) or table.dtype != "INT8":
        return None
    if add is None or add.kind != "ADD" or len(add.inputs) != 2 or add.options.get("FusedActivationFunction"):
        return None
    cast, offset = writers.get(add.inputs[0]), tensors[add.inputs[1]].values
    if offset is None or offset.size != 1 or int(offset.ravel()[0]) != _LOWEST or cast is None or cast.kind != "CAST":
        return None
    source = cast.inputs[0] if len(cast.inputs) == 1 else -1
    return source if source >= 0 and tensors[source].dtype == "INT8" else None


def _result(op: FileOperator, tensors: Sequence[FileTensor]) -> FileTensor | None:
    """What ``op`` computes, with its values; None if they are not known."""
    if op.kind not in _COMPUTED or len(op.outputs) != 1 or -1 in op.inputs:
        return None
    operands, result = [tensors[index] for index in op.inputs], tensors[op.outputs[0]]
    if result.dtype not in _TYPES or result.values is not None:
        return None
    if op.kind == "SHAPE":
        known = [np.array(operand.shape, np.int64) for operand in operands]
    else:
        known = [operand.values for operand in operands if operand.values is not None and operand.dtype in _TYPES]
    if len(known) < len(operands) or any(values.size > _MOST_VALUES for values in known):
        return None
    try:
        values = np.asarray(_COMPUTED[op.kind](op, known))
        return replace(result, values=values.reshape(result.shape).astype(_TYPES[result.dtype]))
    except (ValueError, LookupError, TypeError, OverflowError):
        return None


def _dequantized(op: FileOperator, tensors: Sequence[FileTensor]) -> FileTensor | None:
    """Weights that are 16-bit floating point as real numbers; those on levels stay on them, in place of these."""
    if op.kind != "DEQUANTIZE" or len(op.inputs) != 1 or len(op.outputs) != 1 or op.inputs[0] == -1:
        return None
    source, result = tensors[op.inputs[0]], tensors[op.outputs[0]]
    if source.values is None or result.values is not None or source.shape != result.shape:
        return None
    if source.dtype == "FLOAT16":
        return replace(result, values=source.values.astype(np.float32))
    return replace(source, index=result.index, name=result.name) if source.scale else None


def _taken(op: FileOperator, known: Sequence[Values]) -> Values:
    tensor, *places = known
    ranges = strided(op.options, tensor.shape, *(tuple(each.ravel().tolist()) for each in places))
    return tensor[np.ix_(*map(list, ranges))]


_COMPUTED: Mapping[str, Callable[[FileOperator, Sequence[Values]], Values]] = {
    "SHAPE": lambda op, known: known[0],
    "STRIDED_SLICE": _taken,
    "PACK": lambda op, known: np.stack(known, int(op.options.get("Axis", 0))),
    "CONCATENATION": lambda op, known: np.concatenate(known, int(op.options.get("Axis", 0))),
    "GATHER": lambda op, known: known[0].take(known[1], int(op.options.get("Axis", 0))),
    "CAST": lambda op, known: known[0],
    "RESHAPE": lambda op, known: known[0],
    "SQUEEZE": lambda op, known: known[0],
    "EXPAND_DIMS": lambda op, known: known[0],
    "ADD": lambda op, known: known[0] + known[1],
    "SUB": lambda op, known: known[0] - known[1],
    "MUL": lambda op, known: known[0] * known[1],
}
"""By the schema's name; the result has the shape that the file says."""
