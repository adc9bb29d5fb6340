"""Operators with two operands; sizes of 1 are repeated."""

from collections.abc import Callable, Mapping

from mcubuild.importers.builder import DTYPES, Node, UnsupportedError, activation_scale
from mcubuild.importers.operators.converter import UNSIGNED, Converter
from mcubuild.importers.operators.fused import fused_clamp
from mcubuild.ir.ops.elementwise import Add, Div, Maximum, Minimum, Mul, Prelu, SquaredDifference, Sub


def _clamped(kind: type[Add | Sub | Mul | Div]) -> Callable[[Node], None]:
    def convert(node: Node) -> None:
        left, right = _operands(node)
        clamp = fused_clamp(node)
        single = {"single": True} if kind is Mul and node.output.unsigned else {}
        node.builder.emit(lambda out: kind(left, right, out, clamp, **single), node.output)

    return convert


def _plain(kind: type[Maximum | Minimum | SquaredDifference | Prelu]) -> Callable[[Node], None]:
    def convert(node: Node) -> None:
        left, right = _operands(node)
        if kind in (Maximum, Minimum):
            scales = {node.builder.quantization(name) for name in (left, right)} | {activation_scale(node.output)}
            if len(scales) > 1:
                raise UnsupportedError("its operands and its result must share scale and zero point")
        node.builder.emit(lambda out: kind(left, right, out), node.output)

    return convert


def _operands(node: Node) -> tuple[str, str]:
    """Both, with as many axes, which are counted from the last one."""
    builder = node.builder
    operands = [node.activation(position) for position in (0, 1)]
    if all(name in builder.constants for name in operands):
        raise UnsupportedError("computes on constants alone; let the converter fold them")
    if len({builder.dtype(name) for name in operands} | {DTYPES[node.output.dtype]}) > 1:
        raise UnsupportedError("its operands and its result must have one type")
    rank = max(len(builder.shape(name)) for name in operands)
    left, right = (
        builder.view(name, (1,) * (rank - len(builder.shape(name))) + builder.shape(name)) for name in operands
    )
    return left, right


CONVERTERS: Mapping[str, Converter] = {
    "ADD": Converter(_clamped(Add), UNSIGNED),
    "SUB": Converter(_clamped(Sub), UNSIGNED),
    "MUL": Converter(_clamped(Mul), UNSIGNED),
    "DIV": Converter(_clamped(Div), types=("INT8",), limits="a divisor of 0 counts as 1 step"),
    "MAXIMUM": Converter(_plain(Maximum), limits="operands and result share their scale"),
    "MINIMUM": Converter(_plain(Minimum), limits="operands and result share their scale"),
    "PRELU": Converter(_plain(Prelu), types=("INT8",)),
    "SQUARED_DIFFERENCE": Converter(_plain(SquaredDifference)),
}
