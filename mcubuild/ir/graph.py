"""The quantised graph: tensors, constants, and what an operator is; the operators are in ``mcubuild.ir.ops``.

Activations are NHWC with a leading batch dimension of 1 and int8 with one scale and zero point a tensor, or int16 with
zero point 0; those of 4 bits are int8 in -8 ... 7, and packed in the board's memory. Weights are symmetric with one
scale an output channel; biases are int32 or, of int16 activations, int64.
These are the conventions of TensorFlow Lite's quantisation specification
(https://ai.google.dev/edge/litert/models/quantization_spec), the latter those of its 16x8 mode.

A graph without constants and quantisation is a *skeleton*: enough to plan memory and to estimate Flash and cycles.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.geometry import Rows, Shape, height

Clamp: TypeAlias = tuple[int, int]
"""Smallest and largest output value, both inclusive: the fused activation."""

INT4: Clamp = (-8, 7)
INT8: Clamp = (-128, 127)
INT16: Clamp = (-32768, 32767)

Dtype: TypeAlias = Literal["int8", "int16", "int32", "int64"]
BYTES: Mapping[Dtype, int] = {"int8": 1, "int16": 2, "int32": 4, "int64": 8}
"""Of an element."""
Levels: TypeAlias = NDArray[Any]
"""Values of an activation, int8 or int16."""
Constant: TypeAlias = NDArray[np.int8] | NDArray[np.int16] | NDArray[np.int32] | NDArray[np.int64]


def packed_bytes(elements: int) -> int:
    """Bytes of a row of numbers of 4 bits: words of eight, of which the last one may not be full."""
    return 4 * -(-elements // 8)


@dataclass(frozen=True)
class Quantization:
    """real = scale * (q - zero_point), with float32 scales: one for the tensor, or one for each index of ``axis``."""

    scale: tuple[float, ...]
    zero_point: int = 0
    axis: int | None = None

    def clamp(self, low: float | None, high: float | None, limits: Clamp = INT8) -> Clamp:
        """The clamp of an activation function that limits real values to [low, high], for a type with these ``limits``.

        ReLU is (0, None), ReLU6 (0, 6). Source: ``CalculateActivationRangeQuantized`` of TensorFlow Lite, which divides
        in float32 and rounds half away from zero.
        """

        def quantized(real: float) -> int:
            ratio = float(np.float32(real) / np.float32(self.scale[0]))
            return self.zero_point + int(np.copysign(np.floor(abs(ratio) + 0.5), ratio))

        return (
            limits[0] if low is None else max(limits[0], quantized(low)),
            limits[1] if high is None else min(limits[1], quantized(high)),
        )


@dataclass(frozen=True)
class Tensor:
    """A named array: an activation, or a constant if the graph's ``constants`` hold its values."""

    name: str
    shape: Shape
    dtype: Dtype = "int8"
    bits: int = 8
    """Bits that int8 takes on the board: 8, or 4 for weights in Flash and activations in RAM that are packed two to a
    byte; 32 and more for biases."""
    quantization: Quantization | None = None

    @property
    def elements(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def packed(self) -> bool:
        """Whether two elements share a byte."""
        return self.dtype == "int8" and self.bits == 4

    @property
    def nbytes(self) -> int:
        """Bytes of an activation in memory; each row of a packed one takes whole words."""
        rows = height(self.shape)
        return rows * packed_bytes(self.elements // rows) if self.packed else self.elements * BYTES[self.dtype]

    @property
    def limits(self) -> Clamp:
        """Smallest and largest value that an activation can have."""
        if self.packed:
            return INT4
        return INT16 if self.dtype == "int16" else INT8  # int32 is an index, which nothing is clamped to


class Op:
    """What every operator is: a frozen dataclass that names its tensors, and what follows from them.

    A family is a module in ``mcubuild.ir.ops``. It says all that is true of an operator whatever computes it; how fast
    and in how much memory it is computed is a kernel's. No ABC: ``isinstance`` is slow on those, and planning asks.
    """

    output: str

    @property
    def state(self) -> tuple[str, ...]:
        """Operands that are variables of its own: it overwrites them with what they hold in the next run."""
        return ()

    @property
    @abstractmethod
    def operands(self) -> tuple[str, ...]:
        """Names of the tensors that are computed on: activations, or constants where an operand is one."""

    @property
    def constants(self) -> tuple[str, ...]:
        """Names of the constants that belong to the operator."""
        return ()

    @abstractmethod
    def output_shape(self, graph: "Graph") -> Shape:
        """The shape that the operator gives its output.

        Raises:
            ValueError: its operands do not fit together.
        """

    def macs(self, graph: "Graph") -> int:
        """Multiply-accumulates, padding included, as papers count them; 0 for operators without products."""
        return 0

    def rows(self, graph: "Graph") -> Rows:
        """How output rows depend on input rows; tensors of rank 2 are one row, which needs all rows of the input."""
        return Rows(height(graph.tensor(self.output).shape))

    def inner(self) -> Self:
        """The operator without padding above and below: as it is away from the edges."""
        return self

    def reading(self, old: str, new: str) -> Self:
        """The operator with the operand ``new`` wherever it read ``old``."""
        read = (name for name in ("input", "left", "right") if vars(self).get(name) == old)
        return self.changed(**dict.fromkeys(read, new))

    def changed(self, **values: object) -> Self:
        """The operator with other values of some fields."""
        return type(self)(**{**vars(self), **values})

    def parameters(self, graph: "Graph") -> object:
        """The integers that it computes with, derived from its tensors' scales and zero points.

        This is the only place where scales become fixed-point factors: the reference and the generated C take them
        from here. The derivations are those of TensorFlow Lite Micro, down to the precision of every product.

        Returns:
            A dataclass; None of operators that move elements, look them up or depend on shapes alone.

        Raises:
            ValueError: a tensor has no quantisation or one that the operator cannot take, named in the message.
        """
        return None

    def patch_elements(self, graph: "Graph") -> int:
        """Elements that ``compute`` takes for a sample besides a few arrays of its input's and output's size."""
        return 0

    @abstractmethod
    def compute(self, graph: "Graph", *operands: Levels) -> NDArray[Any]:
        """The output, (N, ...), as integers of any type: what every kernel must equal, bit for bit.

        It follows the reference kernels of TensorFlow Lite Micro.

        Args:
            graph: the quantised graph, for tensors and constants.
            operands: values (N, ...); of constants (1, ...), one sample that fits all. Those of ``state`` are changed.
        """


@dataclass(frozen=True)
class Variable:
    """What a network remembers from one run to the next; its tensor has the value from before the run."""

    next: str
    """The activation whose value it takes at the end of a run; its own tensor where an operator's ``state`` it is."""
    initial: Constant
    """Its value before the first run, in the tensor's shape."""


@dataclass(frozen=True)
class Graph:
    """A network: operators in the order in which they run."""

    name: str
    tensors: Mapping[str, Tensor]
    """By name, in the order of definition."""
    ops: tuple[Op, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: Mapping[str, Constant] = field(default_factory=dict)
    """Values of the constant tensors by name, one element a number of their type (also where ``bits`` is 4)."""
    variables: Mapping[str, Variable] = field(default_factory=dict)
    """By the tensor that is read."""

    def __post_init__(self) -> None:
        """Check that every tensor is produced once, before it is read, with the shape its operator gives it.

        Raises:
            ValueError: naming the operator by index and kind, and the tensor.
        """
        ready = {*self.inputs, *self.constants, *self.variables}
        for index, op in enumerate(self.ops):
            where = f"operator {index} ({type(op).__name__})"
            for name in (*op.operands, *op.constants, op.output):
                if name not in self.tensors:
                    raise ValueError(f"{where}: unknown tensor {name!r}")
            for name in op.operands:
                if name not in ready:
                    raise ValueError(f"{where}: reads {name!r} before any operator writes it")
            if op.output in ready:
                raise ValueError(f"{where}: writes {op.output!r}, which has a value already")
            expected = op.output_shape(self)
            if self.tensors[op.output].shape != expected:
                raise ValueError(
                    f"{where}: output {op.output!r} has shape {self.tensors[op.output].shape}, must be {expected}"
                )
            ready.add(op.output)
        for name in self.outputs:
            if name not in ready:
                raise ValueError(f"output {name!r} is never written")
        for name, variable in self.variables.items():
            own = name in {state for op in self.ops for state in op.state}
            if variable.next not in ({name} if own else {op.output for op in self.ops}):
                raise ValueError(f"variable {name!r}: no operator writes {variable.next!r}, its next value")
            before, after = self.tensors[name], self.tensors[variable.next]
            if (after.elements, after.dtype) != (before.elements, before.dtype):
                raise ValueError(f"variable {name!r}: {variable.next!r}, its next value, has another type or size")
        initial = {name: variable.initial for name, variable in self.variables.items()}
        for name, values in (*self.constants.items(), *initial.items()):
            if values.shape != self.tensors[name].shape or values.dtype != self.tensors[name].dtype:
                raise ValueError(
                    f"constant {name!r}: values {values.dtype}{values.shape} do not match {self.tensors[name]}"
                )

    def tensor(self, name: str) -> Tensor:
        """The tensor called ``name``."""
        return self.tensors[name]

    def quantization(self, name: str) -> Quantization:
        """How the tensor called ``name`` is quantised.

        Raises:
            ValueError: it is not.
        """
        quantization = self.tensors[name].quantization
        if quantization is None:
            raise ValueError(f"tensor {name!r} has no quantisation")
        return quantization

    def scale(self, name: str) -> tuple[float, int]:
        """Scale and zero point of an activation.

        Raises:
            ValueError: it has not just one, or is of 16 bits and has a zero point.
        """
        quantization = self.quantization(name)
        if len(quantization.scale) != 1:
            raise ValueError(f"activation {name!r} has {len(quantization.scale)} scales, must have one")
        if self.tensors[name].dtype == "int16" and quantization.zero_point:
            raise ValueError(f"activation {name!r} is int16 with zero point {quantization.zero_point}, must have 0")
        return quantization.scale[0], quantization.zero_point

    @cached_property
    def known(self) -> dict[object, Any]:
        """What others have worked out of the graph, so that they do once; one that is made of it begins anew."""
        return {}

    @property
    def results(self) -> tuple[str, ...]:
        """What a run is for: the outputs, and what variables take."""
        return (*self.outputs, *dict.fromkeys(variable.next for variable in self.variables.values()))

    def activations(self) -> list[Tensor]:
        """Inputs, then what each operator writes, in order."""
        return [self.tensors[name] for name in (*self.inputs, *(op.output for op in self.ops))]

    def macs(self) -> int:
        """Multiply-accumulates of an inference."""
        return sum(op.macs(self) for op in self.ops)

    def with_values(self, tensors: Mapping[str, Tensor], constants: Mapping[str, Constant]) -> "Graph":
        """The same operators with quantised ``tensors`` and ``constants``."""
        return replace(self, tensors=dict(tensors), constants=dict(constants))
