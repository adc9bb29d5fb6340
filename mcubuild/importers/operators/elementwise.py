"""Operators with two operands; sizes of 1 are repeated."""

from collections.abc import Callable, Mapping

from mcubuild.importers.builder import Node, UnsupportedError
from mcubuild.importers.operators.converter import Converter
from mcubuild.importers.operators.fused import fused_clamp
from mcubuild.ir.graph import Add, Elementwise, Mul, Sub


def _binary(kind: type[Elementwise]) -> Callable[[Node], None]:
    def convert(node: Node) -> None:
        builder = node.builder
        operands = [node.activation(position) for position in (0, 1)]
        if all(name in builder.constants for name in operands):
            raise UnsupportedError("computes on constants alone; let the converter fold them")
        rank = max(len(builder.shape(name)) for name in operands)
        # Axes are counted from the last one.
        left, right = (
            builder.view(name, (1,) * (rank - len(builder.shape(name))) + builder.shape(name)) for name in operands
        )
        clamp = fused_clamp(node)
        builder.emit(lambda out: kind(left, right, out, clamp), node.output)

    return convert


CONVERTERS: Mapping[str, Converter] = {
    "ADD": Converter(_binary(Add)),
    "SUB": Converter(_binary(Sub)),
    "MUL": Converter(_binary(Mul)),
}
