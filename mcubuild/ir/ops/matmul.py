"""Products of matrices that both are activations."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcubuild.ir.arithmetic import FixedPoint, requantize, requantize_wide
from mcubuild.ir.geometry import Shape
from mcubuild.ir.graph import Graph, Levels
from mcubuild.ir.ops.base import Binary
from mcubuild.ir.ops.weighted import MOST_ENLARGED_SUM


@dataclass(frozen=True)
class MatMulParameters:
    """Of MatMul: requantize(sum((left + left_offset) * (right + right_offset)), factor) + output_offset, saturated.

    Of int16 it is ``requantize_wide``, of sums of 64 bits.
    """

    left_offset: int
    right_offset: int
    output_offset: int
    factor: FixedPoint


@dataclass(frozen=True)
class MatMul(Binary):
    """Products of matrices, the last two axes: left (..., A, B) times right (..., B, C) -> output (..., A, C).

    The axes before are repeated as in numpy; either operand may lie transposed.
    """

    transposed: tuple[bool, bool] = (False, False)

    def matrix_shapes(self, graph: Graph) -> tuple[Shape, Shape]:
        """Shapes of the operands as they are multiplied: transposed back."""
        first, second = (
            (*shape[:-2], shape[-1], shape[-2]) if turned else shape
            for shape, turned in zip((graph.tensor(name).shape for name in self.operands), self.transposed, strict=True)
        )
        return first, second

    def output_shape(self, graph: Graph) -> Shape:
        """Rows of the one, columns of the other."""
        first, second = self.matrix_shapes(graph)
        try:
            outer = np.broadcast_shapes(first[:-2], second[:-2])
        except ValueError:
            outer = ()
        if len(first) != len(second) or first[-1] != second[-2] or len(outer) != len(first) - 2:
            left, right = (graph.tensor(name).shape for name in self.operands)
            raise ValueError(f"MatMul of {self.left!r} {left} and {self.right!r} {right}: shapes do not go together")
        return (*outer, first[-2], second[-1])

    def macs(self, graph: Graph) -> int:
        """Every output is made of a row and a column."""
        return graph.tensor(self.output).elements * self.matrix_shapes(graph)[0][-1]

    def parameters(self, graph: Graph) -> MatMulParameters:
        """Offsets and the factor of a sum."""
        left_scale, left_zero = graph.scale(self.left)
        right_scale, right_zero = graph.scale(self.right)
        output_scale, output_zero = graph.scale(self.output)
        factor = FixedPoint.of(left_scale * right_scale / output_scale)
        depth, wide = self.matrix_shapes(graph)[0][-1], graph.tensor(self.left).dtype == "int16"
        if factor.shift > (MOST_ENLARGED_SUM if wide else 0) or depth >= 1 << (17 if wide else 14):
            raise ValueError(
                f"MatMul: sums of {depth} products at the scale {output_scale} of {self.output!r} would overflow"
            )
        return MatMulParameters(-left_zero, -right_zero, output_zero, factor)

    def compute(self, graph: Graph, *operands: Levels) -> NDArray[Any]:
        """Sums of products, requantised."""
        derived = self.parameters(graph)
        offsets = derived.left_offset, derived.right_offset
        first, second = (
            x.swapaxes(-1, -2) if turned else x
            for x, turned in zip(
                (x.astype(np.float64) + offset for x, offset in zip(operands, offsets, strict=True)),
                self.transposed,
                strict=True,
            )
        )
        sums = np.matmul(first, second).astype(np.int64)  # exact: below 2**53
        scaled = (requantize_wide if operands[0].dtype == np.int16 else requantize)(
            sums, derived.factor.multiplier, derived.factor.shift
        )
        return np.asarray(np.clip(scaled + derived.output_offset, *graph.tensor(self.output).limits))


OPERATORS = (MatMul,)
