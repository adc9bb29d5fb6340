"""Functions of one operand: tables of 256 values, and softmax."""

from collections.abc import Callable, Mapping

from mcubuild.importers import tables
from mcubuild.importers.builder import Node, UnsupportedError, activation_scale
from mcubuild.importers.operators.converter import Converter
from mcubuild.importers.tables import Table
from mcubuild.ir.graph import Lookup, Quantization, Softmax, Tensor


def _function(table: Callable[[Node, Quantization, Quantization], Table]) -> Callable[[Node], None]:
    def convert(node: Node) -> None:
        builder = node.builder
        x = node.activation(0)
        values = table(node, builder.quantization(x), activation_scale(node.output))
        name = builder.constant(Tensor(f"{builder.name_of(node.output)}.table", (256,)), values)
        builder.emit(lambda out: Lookup(x, name, out), node.output)

    return convert


def _softmax(node: Node) -> None:
    x = node.activation(0)
    beta = node.real_option("Beta")
    if not 0 < beta < 1e6:
        raise UnsupportedError(f"has beta {beta}, must be positive")
    # The last axis of the file may be the batch of the graph's shape: (8,) is (1, 8) there.
    node.builder.emit(lambda out: Softmax(x, out, beta), node.output)


CONVERTERS: Mapping[str, Converter] = {
    "QUANTIZE": Converter(_function(lambda _, x, y: tables.requantized(x, y)), limits="also at inputs and outputs"),
    "RELU": Converter(_function(lambda _, x, y: tables.clamped(x, y, 0, None))),
    "RELU6": Converter(_function(lambda _, x, y: tables.relu6(x, y)), limits="input and output share their scale"),
    "LEAKY_RELU": Converter(_function(lambda node, x, y: tables.leaky_relu(x, y, node.real_option("Alpha")))),
    "HARD_SWISH": Converter(_function(lambda _, x, y: tables.hard_swish(x, y))),
    "LOGISTIC": Converter(_function(lambda _, x, y: tables.logistic(x, y)), limits="output of scale 1/256"),
    "TANH": Converter(_function(lambda _, x, y: tables.tanh(x, y)), limits="output of scale 1/128"),
    "SOFTMAX": Converter(_softmax, limits="output of scale 1/256; at most 4095 elements in a row"),
}
