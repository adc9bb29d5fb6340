"""A network's file computed in floating point: what its author computes, and the ranges that its levels must hold.

Tensors lie as the file has them, channels last, one sample at a time. Levels of what the file has quantised already
stand for their real values, so that networks of both kinds of numbers are computed alike.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the name that everyone uses)
from numpy.typing import NDArray
from torch import Tensor

from mcubuild.importers.builder import UnsupportedError
from mcubuild.importers.integers import real_values
from mcubuild.importers.operators.axes import strided
from mcubuild.importers.reals import FUNCTIONS
from mcubuild.importers.refusals import refused
from mcubuild.importers.tflite_file import File, FileOperator, FileTensor
from mcubuild.ir.geometry import Padding, Pair, dilated, same_padding
from mcubuild.ir.ops.resize import Resize
from mcubuild.nas.training.recipe import deterministic, workers
from mcubuild.progress import Bar, bar
from mcubuild.quant.ranges import Method, Observer, Range, ranges


class Node:
    """An operator of the file while it is computed."""

    def __init__(self, file: File, op: FileOperator) -> None:
        self._file = file
        self.op = op
        self.results = tuple(file.tensors[index] for index in op.outputs)

    def option(self, name: str) -> int:
        """An option, 0 where the file has none."""
        return int(self.op.options.get(name, 0))

    def integers(self, position: int) -> tuple[int, ...]:
        """The values of an operand that is a constant of integers."""
        values = self._file.tensors[self.op.inputs[position]].values
        if values is None or values.dtype.kind not in "iu":
            raise UnsupportedError(f"has computed integers for operand {position}; they must be constant")
        return tuple(values.ravel().tolist())

    @property
    def stride(self) -> Pair:
        """Rows and columns."""
        return self.option("StrideH"), self.option("StrideW")

    def padding(self, x: Tensor, kernel: Pair) -> Padding:
        """Top, bottom, left, right around ``x`` (1, H, W, C)."""
        if "PadTop" in self.op.options:
            top, bottom, left, right = (self.option(f"Pad{side}") for side in ("Top", "Bottom", "Left", "Right"))
            return top, bottom, left, right
        if self.option("Padding") != 0:
            return 0, 0, 0, 0
        return same_padding((x.shape[1], x.shape[2]), kernel, self.stride)

    def limited(self, x: Tensor) -> Tensor:
        """``x`` through the fused activation function."""
        ends = {0: None, 1: (0.0, None), 2: (-1.0, 1.0), 3: (0.0, 6.0)}
        code = self.option("FusedActivationFunction")
        if code not in ends:
            raise UnsupportedError(f"has the fused activation function {code}")
        found = ends[code]
        return x if found is None else x.clamp(*found)


class Network:
    """The operators of a file, in floating point."""

    def __init__(self, file: File) -> None:
        """Take ``file`` apart.

        Raises:
            BuildError: an operator is not known in floating point.
        """
        self.file = file
        self._constants = {
            tensor.index: torch.from_numpy(np.array(real_values(tensor), np.float32))
            for tensor in file.tensors
            if tensor.values is not None
        }
        self._nodes = [Node(file, op) for op in file.operators]
        for node in self._nodes:
            if node.op.kind not in _COMPUTED and node.op.kind not in FUNCTIONS:
                raise refused(
                    file, node.op, UnsupportedError("is not supported in floating point; quantise it before the export")
                )

    @torch.no_grad()
    def run(
        self, inputs: Sequence[NDArray[np.float32]], observer: Callable[[int, Tensor], None] | None = None
    ) -> NDArray[np.float32]:
        """The outputs for one sample, (elements,), flattened and side by side.

        Args:
            inputs: one an input of the file, of as many elements as its tensor, which lie as those.
            observer: is shown inputs and results, each with its number.

        Raises:
            BuildError: an operator has operands that do not go together, or is not supported as it is.
        """
        values = dict(self._constants)

        def keep(tensor: FileTensor, value: Tensor) -> None:
            values[tensor.index] = value = value.reshape(tensor.shape)
            if observer is not None and value.is_floating_point():
                observer(tensor.index, value)

        for index, x in zip(self.file.inputs, inputs, strict=True):
            keep(self.file.tensors[index], torch.from_numpy(x))
        for node in self._nodes:
            operands = [None if index == -1 else values[index] for index in node.op.inputs]
            try:
                found = _compute(node, operands)
                for tensor, value in zip(node.results, found, strict=True):
                    keep(tensor, value)
            except (ValueError, RuntimeError, LookupError, TypeError, AttributeError) as error:
                reason = error if isinstance(error, UnsupportedError) else ValueError("has operands that do not fit")
                raise refused(self.file, node.op, reason) from None
        return np.concatenate([values[index].float().ravel().numpy() for index in self.file.outputs])


def ranges_of(file: File, samples: Sequence[NDArray[np.float32]], method: Method) -> dict[int, Range]:
    """Range by number of all that ``file`` computes of samples (N, elements) an input, which lie as its tensors.

    Raises:
        BuildError: it cannot be computed in floating point.
    """
    network = Network(file)

    def run(show: Observer, progress: Bar) -> None:
        for sample in zip(*samples, strict=True):
            network.run(sample, lambda index, values: show(str(index), values))
            progress.advance()

    with deterministic(threads=1):
        found = ranges(run, len(samples[0]), method)
    return {int(name): ends for name, ends in found.items()}


def outputs_of(file: File, inputs: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """What ``file`` computes, (N, elements): its outputs flattened and side by side; ``inputs`` as of ``ranges_of``.

    Raises:
        BuildError: it cannot be computed in floating point.
    """
    network, samples, rows = Network(file), list(zip(*inputs, strict=True)), []
    with bar("float", len(samples)) as progress, workers() as executor:
        for row in executor.map(network.run, samples):
            rows.append(row)
            progress.advance()
    return np.stack(rows)


def _compute(node: Node, operands: Sequence[Any]) -> Sequence[Tensor]:
    kind = node.op.kind
    if kind in _COMPUTED:
        found = _COMPUTED[kind](node, *operands)
        return [found] if isinstance(found, Tensor) else found
    arrays = [operand.numpy() for operand in operands]
    with np.errstate(all="ignore"):
        return [node.limited(torch.from_numpy(np.asarray(FUNCTIONS[kind](node.op.options, *arrays), np.float32)))]


# ---- products --------------------------------------------------------------------------------------------------------


def _first(x: Tensor) -> Tensor:
    """Channels first."""
    return x.permute(0, 3, 1, 2)


def _last(x: Tensor) -> Tensor:
    """Channels last."""
    return x.permute(0, 2, 3, 1)


def _around(x: Tensor, pads: Padding, value: float = 0.0) -> Tensor:
    """An image with channels first, padded."""
    top, bottom, left, right = pads
    return F.pad(x, (left, right, top, bottom), value=value)


def _convolved(node: Node, x: Tensor, weights: Tensor, bias: Tensor | None, groups: int) -> Tensor:
    """``weights``: (outputs, inputs of a group, height, width)."""
    dilation = node.option("DilationHFactor") or 1, node.option("DilationWFactor") or 1
    pads = node.padding(x, dilated((weights.shape[2], weights.shape[3]), dilation))
    sums = F.conv2d(_around(_first(x), pads), weights, bias, node.stride, 0, dilation, groups)
    return node.limited(_last(sums))


def _conv(node: Node, x: Tensor, weights: Tensor, bias: Tensor | None = None) -> Tensor:
    return _convolved(node, x, _first(weights), bias, x.shape[3] // weights.shape[3])


def _depthwise(node: Node, x: Tensor, weights: Tensor, bias: Tensor | None = None) -> Tensor:
    return _convolved(node, x, weights.permute(3, 0, 1, 2), bias, x.shape[3])


def _transpose_conv(node: Node, shape: Tensor, weights: Tensor, x: Tensor, bias: Tensor | None = None) -> Tensor:
    """Every product that there is, of which the padding's share is cut off."""
    _, height, width, _ = node.results[0].shape
    size = torch.empty(1, height, width, 0)  # its padding is that of the convolution that it transposes
    top, _, left, _ = node.padding(size, (weights.shape[1], weights.shape[2]))
    full = F.conv_transpose2d(_first(x), weights.permute(3, 0, 1, 2), None, node.stride)
    more = max(0, top + height - full.shape[2]), max(0, left + width - full.shape[3])
    part = F.pad(full, (0, more[1], 0, more[0]))[:, :, top : top + height, left : left + width]
    return node.limited(_last(part) if bias is None else _last(part) + bias)


def _product(node: Node, x: Tensor, weights: Tensor, bias: Tensor | None = None) -> Tensor:
    return node.limited(F.linear(x.reshape(-1, weights.shape[1]), weights, bias))


def _matrices(node: Node, left: Tensor, right: Tensor) -> Tensor:
    left, right = (x.transpose(-1, -2) if node.option(turned) else x for x, turned in ((left, "AdjX"), (right, "AdjY")))
    return left @ right


def _normalized(node: Node, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Sets on the axes in the middle of (outer, pixels, groups, channels); see ``ir.ops.normalize``."""
    pixels, groups, channels = (node.option(name) for name in ("Pixels", "Groups", "Channels"))
    sets = x.reshape(-1, pixels, groups, channels)
    if node.option("Centred"):
        sets = sets - sets.mean((1, 3), keepdim=True)
    deviation = (sets.square().mean((1, 3), keepdim=True) + float(node.op.options["Epsilon"])).sqrt()
    weight, bias = (each.reshape(1, -1, groups, channels) for each in (weight, bias))
    return sets / deviation * weight + bias


# ---- windows and axes ------------------------------------------------------------------------------------------------


def _window(node: Node) -> Pair:
    return node.option("FilterHeight"), node.option("FilterWidth")


def _max_pool(node: Node, x: Tensor) -> Tensor:
    padded = _around(_first(x), node.padding(x, _window(node)), float("-inf"))
    return node.limited(_last(F.max_pool2d(padded, _window(node), node.stride)))


def _average_pool(node: Node, x: Tensor) -> Tensor:
    """Of what is inside."""
    pads = node.padding(x, _window(node))
    inside = _around(torch.ones_like(_first(x)), pads)
    sums, counts = (F.avg_pool2d(each, _window(node), node.stride) for each in (_around(_first(x), pads), inside))
    return node.limited(_last(sums / counts))


def _axes(node: Node) -> tuple[int, ...]:
    return node.integers(1)


def _resize(node: Node, x: Tensor, _: Tensor) -> Tensor:
    height, width = node.integers(1)
    corners, centers = bool(node.option("AlignCorners")), bool(node.option("HalfPixelCenters"))
    op = Resize("", "", (height, width), "nearest", corners, centers)
    if node.op.kind == "RESIZE_NEAREST_NEIGHBOR":
        rows, columns = (torch.from_numpy(op.nearest(x.shape[1 + axis], axis)) for axis in (0, 1))
        return x[:, rows][:, :, columns]
    for axis in (0, 1):
        x = _between(x, 1 + axis, op.size[axis], corners, centers)
    return x


def _between(x: Tensor, axis: int, count: int, corners: bool, centers: bool) -> Tensor:
    """Bilinear along one axis. Source: ``ComputeInterpolationValues`` of TensorFlow Lite."""
    size = x.shape[axis]
    ratio = (size - 1) / (count - 1) if corners and count > 1 else size / count
    places = torch.arange(count) * ratio
    if centers:
        places = places + ratio / 2 - 0.5
    low = places.floor().clamp(0, size - 1).long()
    high = places.ceil().clamp(0, size - 1).long()
    along = [1] * x.ndim
    along[axis] = count
    share = (places - low).reshape(along)
    return x.index_select(axis, low) * (1 - share) + x.index_select(axis, high) * share


# ---- movement --------------------------------------------------------------------------------------------------------


def _taken(x: Tensor, ranges: Sequence[range]) -> Tensor:
    for axis, each in enumerate(ranges):
        x = x.index_select(axis, torch.tensor(list(each), dtype=torch.long))
    return x


def _strided(node: Node, x: Tensor, *_: Tensor) -> Tensor:
    return _taken(x, strided(node.op.options, tuple(x.shape), *(node.integers(position) for position in (1, 2, 3))))


def _slice(node: Node, x: Tensor, *_: Tensor) -> Tensor:
    begins, sizes = node.integers(1), node.integers(2)
    ends = (whole if size == -1 else begin + size for whole, begin, size in zip(x.shape, begins, sizes, strict=True))
    return _taken(x, [range(begin, end) for begin, end in zip(begins, ends, strict=True)])


def _pads(node: Node) -> list[Pair]:
    """Before and after, an axis each."""
    numbers = node.integers(1)
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _pad(node: Node, x: Tensor, _: Tensor, value: Tensor | None = None) -> Tensor:
    around = [number for pair in reversed(_pads(node)) for number in pair]
    return F.pad(x, around, value=0.0 if value is None else float(value))


def _mirror(node: Node, x: Tensor, _: Tensor) -> Tensor:
    mode = "symmetric" if node.option("Mode") else "reflect"
    return torch.from_numpy(np.pad(x.numpy(), _pads(node), mode))  # type: ignore[call-overload]


def _parts(node: Node, x: Tensor, axis: int) -> Sequence[Tensor]:
    """Of the sizes that the results have."""
    sizes = [tensor.shape[axis] for tensor in node.results]
    return torch.split_with_sizes(x, sizes, axis)


def _blocks_apart(node: Node, x: Tensor) -> Tensor:
    block, (_, height, width, channels) = node.option("BlockSize"), x.shape
    return x.reshape(1, height, width, block, block, channels // block**2).permute(0, 1, 3, 2, 4, 5)


def _blocks_together(node: Node, x: Tensor) -> Tensor:
    block, (_, height, width, channels) = node.option("BlockSize"), x.shape
    return x.reshape(1, height // block, block, width // block, block, channels).permute(0, 1, 3, 2, 4, 5)


def _levels(node: Node, x: Tensor) -> Tensor:
    """The nearest values that the result's levels stand for."""
    (result,) = node.results
    if len(result.scale) != 1:
        raise UnsupportedError("quantises with several scales")
    low, high = {"INT8": (-128, 127), "UINT8": (0, 255), "INT16": (-(2**15), 2**15 - 1)}[result.dtype]
    scale, zero = result.scale[0], result.zero_point[0]
    return ((x / scale).round() + zero).clamp(low, high).sub(zero) * scale


def _same(node: Node, x: Tensor, *_: Tensor) -> Tensor:
    return x


_COMPUTED: Final[Mapping[str, Callable[..., Tensor | Sequence[Tensor]]]] = {
    "ADD": lambda node, x, y: node.limited(x + y),
    "ARG_MAX": lambda node, x, _: x.argmax(node.integers(1)[0]),
    "AVERAGE_POOL_2D": _average_pool,
    "BATCH_MATMUL": _matrices,
    "CONCATENATION": lambda node, *parts: torch.cat(parts, node.option("Axis")),
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "DEPTH_TO_SPACE": _blocks_apart,
    "DEQUANTIZE": _same,
    "DIV": lambda node, x, y: node.limited(x / y),
    "ERF": lambda node, x: torch.erf(x),
    "EXPAND_DIMS": _same,
    "FULLY_CONNECTED": _product,
    "GATHER": lambda node, x, _: x.index_select(node.option("Axis"), torch.tensor(node.integers(1))),
    "GELU": lambda node, x: F.gelu(x),
    "L2_NORMALIZATION": lambda node, x: node.limited(x / x.square().sum(-1, keepdim=True).clamp(min=1e-6).sqrt()),
    "LOG_SOFTMAX": lambda node, x: x.log_softmax(-1),
    "MAX_POOL_2D": _max_pool,
    "MEAN": lambda node, x, _: x.mean(_axes(node)),
    "MIRROR_PAD": _mirror,
    "MUL": lambda node, x, y: node.limited(x * y),
    "NORMALIZATION": _normalized,
    "PACK": lambda node, *parts: torch.stack(parts, node.option("Axis")),
    "PAD": _pad,
    "PADV2": _pad,
    "PRELU": lambda node, x, slope: torch.where(x >= 0, x, x * slope),
    "QUANTIZE": _levels,
    "REDUCE_MAX": lambda node, x, _: x.amax(_axes(node)),
    "RESHAPE": _same,
    "RESIZE_BILINEAR": _resize,
    "RESIZE_NEAREST_NEIGHBOR": _resize,
    "SLICE": _slice,
    "SOFTMAX": lambda node, x: (x * float(node.op.options.get("Beta", 1.0))).softmax(-1),
    "SPACE_TO_DEPTH": _blocks_together,
    "SPLIT": lambda node, _, x: _parts(node, x, node.integers(0)[0]),
    "SPLIT_V": lambda node, x, *_: _parts(node, x, node.integers(2)[0]),
    "SQUARED_DIFFERENCE": lambda node, x, y: (x - y).square(),
    "SQUEEZE": _same,
    "STRIDED_SLICE": _strided,
    "SUB": lambda node, x, y: node.limited(x - y),
    "SUM": lambda node, x, _: x.sum(_axes(node)),
    "TRANSPOSE": lambda node, x, _: x.permute(node.integers(1)),
    "TRANSPOSE_CONV": _transpose_conv,
    "UNPACK": lambda node, x: x.unbind(node.option("Axis")),
}
"""By the schema's name: the operator and its operands -> result; its shape is brought to that of the file."""
