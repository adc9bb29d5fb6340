"""What several operators have in common: fused activation functions, padding, strides."""

from collections.abc import Mapping
from math import inf

from mcubuild.importers.builder import Node, UnsupportedError, activation_scale
from mcubuild.ir.geometry import Padding, Pair, dilated, same_padding
from mcubuild.ir.graph import INT8, INT16, Clamp

_ACTIVATIONS: dict[int, tuple[float | None, float | None]] = {0: (None, None), 1: (0, None), 2: (-1, 1), 3: (0, 6)}
"""NONE, RELU, RELU_N1_TO_1, RELU6 of the schema: smallest and largest real value."""
LIMITS: Mapping[str, Clamp] = {"INT8": INT8, "INT16": INT16}
"""Smallest and largest value of a type of the file."""
_NAMES = {4: "TANH", 5: "SIGN_BIT"}
_SAME = 0


def fused_clamp(node: Node) -> Clamp:
    """The output's clamp that the fused activation function gives.

    Raises:
        UnsupportedError: it does more than clamp.
    """
    code, result = node.option("FusedActivationFunction"), node.output
    quantization, limits = activation_scale(result), LIMITS[result.dtype]
    if code not in _ACTIVATIONS:
        raise UnsupportedError(f"has the fused activation function {_NAMES.get(code, code)}")
    low, high = _ACTIVATIONS[code]
    if (low, high) == (None, None):
        return limits
    clamp = quantization.clamp(low, high, limits)
    if clamp[0] > clamp[1]:
        raise ValueError(f"its output's scale {quantization.scale[0]} leaves no value of its activation function")
    return clamp


def pair(node: Node, height: str, width: str, largest: float = inf) -> Pair:
    """Two options that must be positive: a stride, a dilation, a window.

    Raises:
        ValueError: one is not.
    """
    found = node.option(height), node.option(width)
    if not all(0 < size <= largest for size in found):
        raise ValueError(f"has {height} {found[0]} and {width} {found[1]}, must be positive")
    return found


def explicit_padding(node: Node) -> Padding | None:
    """The padding that options beyond the schema's say, as networks from other formats have it."""
    found = [node.option(f"Pad{side}") for side in ("Top", "Bottom", "Left", "Right")]
    return None if "PadTop" not in node.op.options else (found[0], found[1], found[2], found[3])


def padding(node: Node, size: Pair, kernel: Pair, stride: Pair, dilation: Pair = (1, 1)) -> Padding:
    """The padding that the option asks for.

    Raises:
        ValueError: the window is larger than what it slides over.
    """
    kernel = dilated(kernel, dilation)
    if (explicit := explicit_padding(node)) is not None:
        return explicit
    if node.option("Padding") == _SAME:
        return same_padding(size, kernel, stride)
    if kernel[0] > size[0] or kernel[1] > size[1]:
        raise ValueError(f"its window {kernel} is larger than its input {size}, and it does not pad")
    return 0, 0, 0, 0


def image(node: Node, position: int) -> tuple[str, Pair]:
    """An operand that must be an image: its activation, height and width.

    Raises:
        UnsupportedError: it has other axes, or a batch.
    """
    tensor = node.input(position)
    if len(tensor.shape) != 4 or tensor.shape[0] != 1:
        raise UnsupportedError(f"operand {position} has shape {tensor.shape}, must be (1, height, width, channels)")
    return node.builder.activation(tensor), (tensor.shape[1], tensor.shape[2])
