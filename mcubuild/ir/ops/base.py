"""What families have in common."""

from dataclasses import dataclass

from mcubuild.ir.geometry import Shape
from mcubuild.ir.graph import Clamp, Graph, Op


@dataclass(frozen=True)
class Unary(Op):
    """One operand, whose shape the output has where a family says no other."""

    input: str
    output: str

    @property
    def operands(self) -> tuple[str, ...]:
        """The input."""
        return (self.input,)

    def output_shape(self, graph: Graph) -> Shape:
        """That of the input."""
        return graph.tensor(self.input).shape


@dataclass(frozen=True)
class Binary(Op):
    """Two operands."""

    left: str
    right: str
    output: str

    @property
    def operands(self) -> tuple[str, ...]:
        """Left and right."""
        return self.left, self.right


class Clamping(Op):
    """Operators with a fused activation."""

    clamp: Clamp

    def within(self, graph: Graph) -> Clamp:
        """The fused activation's limits, as far as the output has such values."""
        low, high = graph.tensor(self.output).limits
        return max(low, self.clamp[0]), min(high, self.clamp[1])
