"""A quantised graph while it grows out of a file: tensors by their number in the file, shapes with a batch of 1."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import prod
from typing import Final

import numpy as np

from mcubuild.importers.tflite_file import File, FileOperator, FileTensor
from mcubuild.ir.geometry import Shape
from mcubuild.ir.graph import BYTES, Constant, Dtype, Graph, Op, Quantization, Tensor, Variable
from mcubuild.ir.ops.movement import Reshape

DTYPES: Final[dict[str, Dtype]] = {"INT8": "int8", "INT16": "int16", "INT32": "int32"}
"""Types of activations in the file and in the graph; INT32 is that of indices."""


class UnsupportedError(ValueError):
    """What the file asks for has no operator in the graph."""


def with_batch(shape: Shape) -> Shape:
    """``shape`` as the graph has it: with a leading batch dimension of 1."""
    return shape if shape[:1] == (1,) else (1, *shape)


@dataclass
class Resources:
    """The file's variables while operators are converted, by name."""

    handles: dict[tuple[int, int], str] = field(default_factory=dict)
    """What tensors of the file's graphs stand for."""
    initial: dict[str, bytes] = field(default_factory=dict)
    """What they begin with, if it is not zero."""
    read: dict[str, str] = field(default_factory=dict)
    """The activations that have the value from the run before."""
    values: dict[str, str] = field(default_factory=dict)
    """The activations that have their value now."""


class Builder:
    """What converters of operators write to."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.tensors: dict[str, Tensor] = {}
        self.constants: dict[str, Constant] = {}
        self.ops: list[Op] = []
        self._shapes = Graph("", self.tensors, (), (), ())
        self._names: dict[int, str] = {}
        self._reshaped: dict[str, str] = {}
        self.variables: dict[str, Variable] = {}
        self.resources = Resources()

    # ---- tensors -----------------------------------------------------------------------------------------------------

    def name_of(self, tensor: FileTensor) -> str:
        """The graph's name of a tensor of the file: its number, and the end of its name."""
        words = re.sub(r"[^A-Za-z0-9_]+", "_", tensor.name).strip("_")
        return f"t{tensor.index}.{words[-24:]}" if words else f"t{tensor.index}"

    def define_input(self, tensor: FileTensor, quantization: Quantization) -> str:
        """A new input of the graph for ``tensor``."""
        name = self.name_of(tensor)
        dtype = DTYPES.get(tensor.dtype, "int8")
        self.tensors[name] = Tensor(name, with_batch(tensor.shape), dtype, quantization=quantization)
        self._names[tensor.index] = name
        return name

    def alias(self, tensor: FileTensor, name: str) -> None:
        """Let ``tensor`` be the activation called ``name``."""
        self._names[tensor.index] = name

    def knows(self, tensor: FileTensor) -> bool:
        """Whether an activation stands for ``tensor`` already."""
        return tensor.index in self._names

    def activation(self, tensor: FileTensor) -> str:
        """The activation, or the constant operand, that stands for ``tensor``.

        Raises:
            UnsupportedError: its type or quantisation.
            ValueError: nothing has written it.
        """
        if tensor.index not in self._names:
            quantization = activation_scale(tensor)
            if tensor.values is None:
                raise ValueError(f"reads {describe(tensor)}, which nothing writes before")
            name = self.name_of(tensor)
            dtype = DTYPES[tensor.dtype]
            self.tensors[name] = Tensor(name, with_batch(tensor.shape), dtype, quantization=quantization)
            self.constants[name] = tensor.values.reshape(with_batch(tensor.shape)).astype(dtype)
            self._names[tensor.index] = name
        return self._names[tensor.index]

    def shape(self, name: str) -> Shape:
        """Shape of an activation."""
        return self.tensors[name].shape

    def dtype(self, name: str) -> Dtype:
        """Type of an activation."""
        return self.tensors[name].dtype

    def quantization(self, name: str) -> Quantization:
        """Scale and zero point of an activation."""
        quantization = self.tensors[name].quantization
        assert quantization is not None
        return quantization

    def constant(self, tensor: Tensor, values: Constant) -> str:
        """Add a constant; its name."""
        self.tensors[tensor.name] = tensor
        self.constants[tensor.name] = values
        return tensor.name

    def define_variable(self, tensor: FileTensor, shape: Shape, initial: bytes | None = None) -> str:
        """What ``tensor`` keeps from run to run.

        Until its ``next`` is said, the operator that reads it changes it.

        Args:
            tensor: of the file.
            shape: as the graph has it.
            initial: the bytes that it begins with, by default its zero point.

        Raises:
            UnsupportedError: its type or quantisation.
            ValueError: there are more or fewer bytes.
        """
        name, quantization = self.name_of(tensor), activation_scale(tensor)
        made = Tensor(name, shape, DTYPES[tensor.dtype], quantization=quantization)
        if made.elements != tensor.elements:
            raise ValueError(f"keeps {made.elements} elements in {describe(tensor)}")
        if initial is None:
            initial = bytes([quantization.zero_point & 255]) * made.nbytes
        if len(initial) != made.nbytes:
            raise ValueError(f"{describe(tensor)} begins with {len(initial)} bytes")
        self.tensors[name] = made
        self.variables[name] = Variable(name, np.frombuffer(initial, f"<i{BYTES[made.dtype]}").reshape(made.shape))
        self._names[tensor.index] = name
        return name

    # ---- operators ---------------------------------------------------------------------------------------------------

    def emit(self, make: Callable[[str], Op], result: FileTensor, quantization: Quantization | None = None) -> None:
        """Append the operator ``make(name of its output)``, whose output stands for ``result``.

        Where the operator's own shape is not that of ``result``, a reshape follows.

        Args:
            make: the operator.
            result: a tensor of the file that has no activation yet.
            quantization: of the output; that of ``result`` if it is left out.

        Raises:
            ValueError: operands do not fit together, or the output does not fit ``result``.
        """
        if self.knows(result):
            raise ValueError(f"writes {describe(result)}, which has a value already")
        if quantization is None:
            quantization = activation_scale(result)
        dtype = DTYPES.get(result.dtype, "int8")
        name = self.name_of(result)
        wanted = with_batch(result.shape)
        shape = make(name).output_shape(self._shapes)
        if min(shape) < 1 or prod(shape) != prod(wanted):
            raise ValueError(f"gives {shape}, but the file says that {describe(result)} comes out")
        first = name if shape == wanted else f"{name}.raw"
        self.tensors[first] = Tensor(first, shape, dtype, quantization=quantization)
        self.ops.append(make(first))
        self._names[result.index] = first if shape == wanted else self.view(first, wanted, name)

    def step(self, make: Callable[[str], Op], name: str, quantization: Quantization, dtype: Dtype = "int8") -> str:
        """Append the operator ``make(name)``, whose output no tensor of the file stands for; its name.

        Raises:
            ValueError: its operands do not fit together.
        """
        shape = make(name).output_shape(self._shapes)
        self.tensors[name] = Tensor(name, shape, dtype, quantization=quantization)
        self.ops.append(make(name))
        return name

    def view(self, source: str, shape: Shape, name: str = "") -> str:
        """The activation or constant ``source`` in another shape: itself, or a reshape of it.

        Args:
            source: what to reshape.
            shape: of as many elements.
            name: of the reshape, if one is needed.
        """
        root = self._reshaped.get(source, source)
        for known in (source, root):
            if self.shape(known) == shape:
                return known
        name = name or f"{root}.{'x'.join(map(str, shape))}"
        if name not in self.tensors:
            self.tensors[name] = replace(self.tensors[root], name=name, shape=shape)
            if root in self.constants:
                self.constants[name] = self.constants[root].reshape(shape)
            else:
                self.ops.append(Reshape(root, name, shape))
        self._reshaped[name] = root
        return name

    def copy(self, source: str, name: str) -> str:
        """The activation ``name``, equal to the activation or constant ``source``."""
        shape = self.shape(source)
        self.tensors[name] = replace(self.tensors[source], name=name)
        self.ops.append(Reshape(source, name, shape))
        return name

    def unreshaped(self, source: str) -> str:
        """What ``source`` was before it was reshaped; for operators that look at elements alone."""
        return self._reshaped.get(source, source)

    def graph(self, name: str, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Graph:
        """The finished graph, without what no output needs."""
        self._finish_variables()
        needed = set(outputs)
        while True:
            before = len(needed)
            needed.update(self.variables[name].next for name in needed & self.variables.keys())
            for op in reversed(self.ops):
                if op.output in needed:
                    needed.update((*op.operands, *op.constants))
            if len(needed) == before:
                break
        used = {*needed, *inputs}
        return Graph(
            name=name,
            tensors={key: tensor for key, tensor in self.tensors.items() if key in used},
            ops=tuple(op for op in self.ops if op.output in needed),
            inputs=inputs,
            outputs=outputs,
            constants={key: values for key, values in self.constants.items() if key in used},
            variables={key: variable for key, variable in self.variables.items() if key in used},
        )

    def _finish_variables(self) -> None:
        """What was assigned last is what variables take: a result of an operator, so that nothing else is over it."""
        for key, name in self.resources.read.items():
            value = self.resources.values[key]
            if value == name:  # nothing else was ever assigned
                self.constants[name] = self.variables.pop(name).initial
                continue
            if value not in {op.output for op in self.ops}:
                value = self.copy(value, f"{name}.next")
            self.variables[name] = replace(self.variables[name], next=value)


class Node:
    """An operator of the file with its tensors: what a converter reads."""

    def __init__(self, builder: Builder, op: FileOperator, file: File | None = None) -> None:
        self.builder = builder
        self.op = op
        self.file = file or builder.file

    def input(self, position: int) -> FileTensor:
        """Operand number ``position``.

        Raises:
            ValueError: there is none.
        """
        tensor = self.optional_input(position)
        if tensor is None:
            raise ValueError(f"has no operand {position}")
        return tensor

    @property
    def inputs(self) -> tuple[FileTensor, ...]:
        """All operands that are there."""
        return tuple(self.file.tensors[index] for index in self.op.inputs if index != -1)

    def optional_input(self, position: int) -> FileTensor | None:
        """Operand number ``position``, if there is one."""
        if position >= len(self.op.inputs) or self.op.inputs[position] == -1:
            return None
        return self.file.tensors[self.op.inputs[position]]

    @property
    def output(self) -> FileTensor:
        """The only result."""
        if len(self.op.outputs) != 1:
            raise ValueError(f"has {len(self.op.outputs)} results, must have one")
        return self.outputs[0]

    @property
    def outputs(self) -> tuple[FileTensor, ...]:
        """All results."""
        return tuple(self.file.tensors[index] for index in self.op.outputs)

    def activation(self, position: int) -> str:
        """The activation (or constant) that stands for an operand."""
        return self.builder.activation(self.input(position))

    def integers(self, position: int) -> tuple[int, ...]:
        """The values of an operand that must be a constant of integers: axes, sizes, paddings; flattened.

        Raises:
            UnsupportedError: it is computed, or of another type.
        """
        if self.input(position).elements > 64:
            raise ValueError(f"{describe(self.input(position))} has more values than a tensor has axes")
        return self.constants(position)

    def constants(self, position: int) -> tuple[int, ...]:
        """The same of any number of integers."""
        tensor = self.input(position)
        if tensor.values is None or tensor.dtype not in ("INT32", "INT64"):
            raise UnsupportedError(f"{describe(tensor)} must be a constant of 32-bit or 64-bit integers")
        return tuple(tensor.values.ravel().tolist())

    def text_option(self, name: str) -> str:
        """An option of text, empty where the file has none."""
        return str(self.op.options.get(name) or "")

    def option(self, name: str) -> int:
        """An option, 0 where the file has none."""
        return int(self.op.options.get(name, 0))

    def real_option(self, name: str) -> float:
        """An option with a fraction, 0 where the file has none."""
        return float(self.op.options.get(name, 0))


def activation_scale(tensor: FileTensor) -> Quantization:
    """Scale and zero point of an activation.

    Raises:
        UnsupportedError: it is not int8 or int16 with one scale.
    """
    if tensor.dtype not in ("INT8", "INT16"):
        raise UnsupportedError(f"{describe(tensor)} is {tensor.dtype}, must be INT8 or INT16")
    if len(tensor.scale) != 1:
        raise UnsupportedError(f"{describe(tensor)} has {len(tensor.scale)} scales, must have one")
    if tensor.scale[0] == 0:
        raise ValueError(f"{describe(tensor)} has scale 0")
    low, high = (-128, 127) if tensor.dtype == "INT8" else (0, 0)
    if not low <= tensor.zero_point[0] <= high:
        raise ValueError(f"{describe(tensor)} has zero point {tensor.zero_point[0]}, must be {low} to {high}")
    return Quantization(tensor.scale, tensor.zero_point[0])


_SHOWN: Final = 24
"""Characters of a tensor's name in a message; the end of it tells most."""


def describe(tensor: FileTensor) -> str:
    """Such as ``tensor 12 'conv/Relu' INT8 (1, 8, 8, 16)``, with a long name's end, as the file has it."""
    name = tensor.name if len(tensor.name) <= _SHOWN else f"..{tensor.name[2 - _SHOWN :]}"
    return f"tensor {tensor.index} {name!r} {tensor.said} {tensor.shape}"
