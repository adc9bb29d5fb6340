"""Functions of one operand: tables of 256 values, and softmax."""

from collections.abc import Callable, Mapping
from typing import Literal

from mcubuild.importers import tables
from mcubuild.importers.builder import Node, UnsupportedError, activation_scale
from mcubuild.importers.operators.converter import UNSIGNED, Converter
from mcubuild.importers.operators.fused import LIMITS
from mcubuild.importers.tables import Table
from mcubuild.ir.graph import Quantization, Tensor
from mcubuild.ir.ops.l2_normalize import L2Normalize
from mcubuild.ir.ops.lookup import Lookup
from mcubuild.ir.ops.rescale import Rescale
from mcubuild.ir.ops.sigmoid import Sigmoid
from mcubuild.ir.ops.softmax import LogSoftmax, Softmax
from mcubuild.ir.ops.wide_softmax import WideSoftmax


def _function(table: Callable[[Node, Quantization, Quantization], Table]) -> Callable[[Node], None]:
    def convert(node: Node) -> None:
        builder = node.builder
        x = node.activation(0)
        values = table(node, builder.quantization(x), activation_scale(node.output))
        name = builder.constant(Tensor(f"{builder.name_of(node.output)}.table", (256,)), values)
        builder.emit(lambda out: Lookup(x, name, out), node.output)

    return convert


def _quantize(node: Node) -> None:
    """From int8 to int8: a table, or nothing where the levels mean the same."""
    x = node.activation(0)
    if node.builder.quantization(x) == activation_scale(node.output):
        node.builder.alias(node.output, x)
    else:
        _function(lambda _, x, y: tables.requantized(x, y))(node)


def _rescaled(low: float | None, high: float | None) -> Callable[[Node], None]:
    """The real value, times the option ``Alpha`` (if there is one) below zero, limited to [low, high]."""

    def convert(node: Node) -> None:
        x, slope = node.activation(0), node.real_option("Alpha") if "Alpha" in node.op.options else 1.0
        if not 0 <= slope < 1e6:
            raise ValueError(f"has alpha {slope}, must not be negative")
        clamp = activation_scale(node.output).clamp(low, high, LIMITS[node.output.dtype])
        node.builder.emit(lambda out: Rescale(x, out, slope, clamp), node.output)

    return convert


def _relu6(node: Node) -> None:
    if node.builder.quantization(node.activation(0)) != activation_scale(node.output):
        raise UnsupportedError("its input and output must share scale and zero point")
    if 6 / node.input(0).scale[0] > LIMITS["INT16"][1]:
        raise UnsupportedError("its input does not reach 6")
    _rescaled(0, 6)(node)


def _sigmoid(function: Literal["logistic", "tanh"]) -> Callable[[Node], None]:
    def convert(node: Node) -> None:
        x = node.activation(0)
        node.builder.emit(lambda out: Sigmoid(x, out, function), node.output)

    return convert


def _by_type(narrow: Callable[[Node], None], wide: Callable[[Node], None]) -> Callable[[Node], None]:
    """``narrow`` from int8 to int8, ``wide`` where a side is int16."""

    def convert(node: Node) -> None:
        tensors = node.input(0), node.output
        (narrow if all(tensor.dtype == "INT8" for tensor in tensors) else wide)(node)

    return convert


def _l2_normalization(node: Node) -> None:
    if node.option("FusedActivationFunction"):
        raise UnsupportedError("has a fused activation function")
    x = node.activation(0)
    node.builder.emit(lambda out: L2Normalize(x, out), node.output)


def _log_softmax(node: Node) -> None:
    x = node.activation(0)
    node.builder.emit(lambda out: LogSoftmax(x, out), node.output)


def _softmax(node: Node) -> None:
    x = node.activation(0)
    kind = WideSoftmax if node.builder.dtype(x) == "int16" else Softmax
    if node.output.dtype != node.input(0).dtype:
        raise UnsupportedError("its input and output must have one type")
    beta = node.real_option("Beta")
    if not 0 < beta < 1e6:
        raise UnsupportedError(f"has beta {beta}, must be positive")
    # The last axis of the file may be the batch of the graph's shape: (8,) is (1, 8) there.
    node.builder.emit(lambda out: kind(x, out, beta), node.output)


CONVERTERS: Mapping[str, Converter] = {
    "ABS": Converter(_function(lambda _, x, y: tables.absolute(x, y)), types=("INT8",)),
    "L2_NORMALIZATION": Converter(_l2_normalization, types=("INT8",), limits="output of scale 1/128"),
    "RSQRT": Converter(
        _function(lambda _, x, y: tables.inverse_root(x, y)), types=("INT8",), limits="of inputs that are not negative"
    ),
    "LOG_SOFTMAX": Converter(
        _log_softmax, types=("INT8",), limits="output of scale 1/16; at most 4095 elements in a row"
    ),
    "ELU": Converter(_function(lambda _, x, y: tables.elu(x, y)), types=("INT8",)),
    "QUANTIZE": Converter(
        _by_type(_quantize, _rescaled(None, None)),
        types=UNSIGNED,
        limits="also from FLOAT32 at inputs",
    ),
    "RELU": Converter(
        _by_type(_function(lambda node, x, y: tables.clamped(x, y, 0, None, node.output.unsigned)), _rescaled(0, None)),
        UNSIGNED,
    ),
    "RELU6": Converter(
        _by_type(_function(lambda _, x, y: tables.relu6(x, y)), _relu6),
        UNSIGNED,
        limits="input and output share their scale",
    ),
    "LEAKY_RELU": Converter(
        _by_type(
            _function(lambda node, x, y: tables.leaky_relu(x, y, node.real_option("Alpha"))), _rescaled(None, None)
        )
    ),
    "HARD_SWISH": Converter(_function(lambda _, x, y: tables.hard_swish(x, y)), types=("INT8",)),
    "LOGISTIC": Converter(
        _by_type(_function(lambda _, x, y: tables.logistic(x, y)), _sigmoid("logistic")),
        limits="output of scale 1/256, of INT16 1/32768",
    ),
    "TANH": Converter(
        _by_type(_function(lambda _, x, y: tables.tanh(x, y)), _sigmoid("tanh")),
        limits="output of scale 1/128, of INT16 1/32768",
    ),
    "SOFTMAX": Converter(
        _softmax, UNSIGNED, limits="output of scale 1/256, of INT16 1/32768; at most 4095 elements in a row"
    ),
}
