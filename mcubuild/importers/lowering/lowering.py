"""A file of operators on channels-last tensors while it grows out of a program."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mcubuild.importers.builder import UnsupportedError
from mcubuild.importers.lowering.place import Known, Placed, Shape, placed_shape, plain
from mcubuild.importers.program import Call, Program, printable
from mcubuild.importers.tflite_file import File, FileOperator, FileTensor

Value = Known | Placed


class Lowering:
    """What converters of a program's operators read from and write to."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.tensors = list[FileTensor]()
        self.operators = list[FileOperator]()
        self.values: dict[str, Value] = {name: Known(values) for name, values in program.constants.items()}
        self.reads = Counter([*program.outputs, *(name for call in program.calls for name in call.inputs)])
        self.unsigned = set[int]()
        """INT8 tensors that are uint8 in the program, less 128."""
        self._arranged: dict[tuple[int, Shape], int] = {}
        """What has the axes of a tensor in another order."""

    # ---- tensors -----------------------------------------------------------------------------------------------------

    def tensor(self, name: str, shape: Shape, dtype: str = "FLOAT32", **more: Any) -> int:
        """A new tensor of the file; its index."""
        index = len(self.tensors)
        self.tensors.append(
            FileTensor(
                index,
                printable(name),
                shape,
                dtype,
                **{"scale": (), "zero_point": (), "axis": 0, "values": None, **more},
            )
        )
        return index

    def constant(self, known: Known, name: str, order: Shape | None = None) -> int:
        """A tensor with the values of a constant, its axes in ``order``: INT8 on its grid, else FLOAT32."""
        if order is not None:
            known = known.moved(order)
        if known.grid is None:
            return self.tensor(name, known.shape, values=known.values.astype(np.float32))
        scale, zero_point, axis = known.grid.scale, known.grid.zero_point, known.grid.axis
        kinds = {"i1": "INT8", "i2": "INT16", "i4": "INT32"}
        dtype = kinds[known.values.dtype.str[1:]]
        return self.tensor(name, known.shape, dtype, values=known.values, scale=scale, zero_point=zero_point, axis=axis)

    def integers(self, *values: int) -> int:
        """A tensor of constant integers."""
        return self.tensor("", (len(values),), "INT32", values=np.array(values, np.int32))

    def scalar(self, value: float) -> int:
        """A tensor of one constant real number."""
        return self.tensor("", (1,), values=np.array([value], np.float32))

    # ---- operators ---------------------------------------------------------------------------------------------------

    def emit(
        self,
        call: Call,
        kind: str,
        operands: Sequence[int],
        shape: Shape,
        order: Shape,
        options: Mapping[str, int | float | bool] | None = None,
        **more: Any,
    ) -> Placed:
        """Append an operator.

        Args:
            call: what it comes from.
            kind: the schema's name.
            operands: tensors.
            shape: of its result in the program.
            order: of its result.
            options: by the bindings' names.
            more: of the result's tensor.
        """
        if min(shape, default=1) < 1:
            raise ValueError(f"gives nothing: shape {shape}")
        result = self.tensor(call.outputs[0], placed_shape(shape, order), **more)
        self.append(call, kind, operands, [result], options)
        return Placed(result, shape, order)

    def append(
        self,
        call: Call,
        kind: str,
        operands: Sequence[int],
        results: Sequence[int],
        options: Mapping[str, int | float | bool] | None = None,
    ) -> None:
        """Append an operator that writes tensors which are there."""
        self.operators.append(
            FileOperator(len(self.operators), kind, tuple(operands), tuple(results), options or {}, call.place)
        )

    def arranged(self, call: Call, value: Placed, order: Shape) -> Placed:
        """The activation with its axes in ``order``: itself, or transposed."""
        if value.order == order:
            return value
        permutation = tuple(value.axis(axis) for axis in order)  # what the program calls the axes may differ
        if (value.index, permutation) not in self._arranged:
            source = self.tensors[value.index]
            long = [axis for axis in permutation if source.shape[axis] > 1]
            shape = tuple(source.shape[axis] for axis in permutation)
            result = replace(source, index=len(self.tensors), shape=shape, name=f"{source.name}_moved")
            self.tensors.append(result)
            if long == sorted(long):
                self.append(call, "RESHAPE", [value.index], [result.index])
            else:
                self.append(call, "TRANSPOSE", [value.index, self.integers(*permutation)], [result.index])
            self._arranged[value.index, permutation] = result.index
        return Placed(self._arranged[value.index, permutation], value.shape, order)

    def reshaped(self, call: Call, value: Placed, shape: Shape, order: Shape) -> Placed:
        """The activation in another shape and order in which its elements lie where they are."""
        if placed_shape(shape, order) == self.tensors[value.index].shape:
            return Placed(value.index, shape, order)
        source = self.tensors[value.index]
        result = replace(
            source, index=len(self.tensors), shape=placed_shape(shape, order), name=f"{source.name}_shaped"
        )
        self.tensors.append(result)
        self.append(call, "RESHAPE", [value.index], [result.index])
        return Placed(result.index, shape, order)

    def readers(self, name: str) -> list[Call]:
        """The calls that read ``name``."""
        return [call for call in self.program.calls if name in call.inputs]

    # ---- operands ----------------------------------------------------------------------------------------------------

    def value(self, call: Call, position: int) -> Value:
        """An operand.

        Raises:
            ValueError: there is none, or nothing writes it.
        """
        found = self.optional(call, position)
        if found is None:
            raise ValueError(f"has no operand {position}")
        return found

    def optional(self, call: Call, position: int) -> Value | None:
        """An operand, if there is one."""
        if position >= len(call.inputs) or not call.inputs[position]:
            return None
        name = call.inputs[position]
        if name not in self.values:
            raise ValueError(f"reads {printable(name, 40)!r}, which nothing writes before")
        return self.values[name]

    def activation(self, call: Call, position: int = 0) -> Placed:
        """An operand that is computed."""
        value = self.value(call, position)
        if isinstance(value, Known):
            raise UnsupportedError(f"computes on constants (operand {position}); let the exporter fold them")
        return value

    def known(self, call: Call, position: int) -> Known | None:
        """An operand that must be a constant where it is there at all."""
        value = self.optional(call, position)
        if isinstance(value, Placed):
            raise UnsupportedError(
                f"its operand {position}, {printable(call.inputs[position], 40)!r} {value.shape}, must be a constant"
            )
        return value

    def numbers(self, call: Call, position: int, option: str) -> tuple[int, ...] | None:
        """Integers that are an operand in newer versions and an option in older ones; None where they are neither."""
        known = self.known(call, position)
        if known is not None:
            if known.values.size > 1 << 16:
                raise ValueError(f"its operand {position} has {known.values.size} numbers")
            return tuple(int(each) for each in known.values.ravel().tolist())
        found = call.options.get(option)
        return None if found is None else (found,) if isinstance(found, int) else tuple(map(int, found))

    # ---- result ------------------------------------------------------------------------------------------------------

    def file(self, inputs: Sequence[Placed], outputs: Sequence[Placed]) -> File:
        """The finished file."""
        orders = {place.index: place.order for place in (*inputs, *outputs) if place.order != plain(len(place.order))}
        return File(
            self.program.path,
            tuple(self.tensors),
            tuple(self.operators),
            tuple(place.index for place in inputs),
            tuple(place.index for place in outputs),
            orders,
        )


def same_rank(lowering: Lowering, call: Call, value: Value, rank: int) -> Value:
    """The operand with leading sizes of 1."""
    more = rank - len(value.shape)
    if more == 0:
        return value
    shape = (1,) * more + value.shape
    if isinstance(value, Known):
        return value.reshaped(shape)
    return lowering.reshaped(call, value, shape, (*range(more), *(axis + more for axis in value.order)))
