"""Two operands whose sizes of 1 are repeated, or of which one is a constant: sum, product, maximum and so on."""

from collections.abc import Mapping
from math import prod

from mcubuild.engine.assembly.nest import Nest, broadcast, contiguous, nest
from mcubuild.engine.kernels.add import plain_add
from mcubuild.engine.kernels.base import BOTH, Kernel
from mcubuild.engine.layer import Layer
from mcubuild.engine.target import Target
from mcubuild.ir.ops.elementwise import Div, Elementwise, Maximum, Minimum, Mul, Prelu


class Broadcast(Kernel):
    """Every Elementwise of any two operands."""

    kind = "elementwise"
    dtypes = BOTH

    def serves(self, layer: Layer, target: Target) -> bool:
        """Every operator with two operands, but for sums of int8 that the kernel ``add`` computes."""
        return isinstance(layer.op, Elementwise) and (layer.wide or not plain_add(layer))

    def overwrites(self, layer: Layer) -> tuple[str, ...]:
        """Operands of the output's shape: each of their elements is read once, before its place is written."""
        op, graph = layer.op, layer.graph
        assert isinstance(op, Elementwise)
        return tuple(
            name
            for name in (op.left, op.right)
            if name not in graph.constants and graph.tensor(name).shape == layer.output.shape
        )

    def context(self, layer: Layer) -> Mapping[str, object]:
        """Loops, and the operator's numbers."""
        op, loops = layer.op, _loops(layer)
        assert isinstance(op, Elementwise)
        common = {
            "narrow": all(layer.graph.tensor(name).dtype == "int8" for name in (op.left, op.right)),
            "op": type(op).__name__,
            "sizes": loops.sizes,
            "at": loops.indices,
        }
        derived = op.parameters(layer.graph)
        if derived is None:
            return common
        low, high = derived.clamp
        return {**common, "numbers": derived, "zero_point": derived.output_offset, "low": low, "high": high}

    def code_bytes(self, layer: Layer) -> int:
        """A nest of loops, which compilers unroll where its body is short; of quotients the table, too."""
        return 2100 + 4 * 256 * isinstance(layer.op, Div)

    def work(self, layer: Layer) -> Mapping[str, int]:
        """Calls, innermost loops, and outputs: of products and the like, what is scaled three times, quotients."""
        outputs = layer.output.elements
        feature = "product" if isinstance(layer.op, Mul | Maximum | Minimum | Prelu) else "sum"
        feature = "quotient" if isinstance(layer.op, Div) else feature
        return {"call": 1, "row": prod(_loops(layer).sizes[:-1]), feature: outputs}


def _loops(layer: Layer) -> Nest:
    op, graph, shape = layer.op, layer.graph, layer.output.shape
    assert isinstance(op, Elementwise)
    return nest(
        shape,
        {
            "left": broadcast(graph.tensor(op.left).shape, shape),
            "right": broadcast(graph.tensor(op.right).shape, shape),
            "output": contiguous(shape),
        },
    )


KERNEL = Broadcast()
