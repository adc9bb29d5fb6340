"""Random networks in .tflite files, of all the operators that are imported."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.importers.writer import Writer

Shape = tuple[int, ...]

RELU = {"NONE": 0, "RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}


@dataclass(frozen=True)
class Value:
    """An activation of the file."""

    index: int
    shape: Shape
    scale: float
    zero_point: int


@dataclass
class Network:
    """A network under construction; every operator's output may be read again."""

    seed: int
    writer: Writer = field(default_factory=Writer)
    inputs: list[Value] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    read: set[int] = field(default_factory=set)
    kinds: list[str] = field(default_factory=list)
    bias: bool = True
    """Whether every convolution has one; LiteRT's host kernels need it."""
    outputs: list[Value] = field(default_factory=list)
    """Values that are outputs besides those that nobody reads."""
    dtype: str = "int8"
    """Of activations: int8; int16 with zero points of 0, 64-bit biases and no weights of 4 bits; or uint8 with such
    weights of one scale and zero point. Zero points are those of int8, here and in ``Value``."""
    narrow: float = 0.25
    """Share of weights of 4 bits."""

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def number(self, low: int, high: int) -> int:
        """Between the two, both inclusive."""
        return int(self.rng.integers(low, high + 1))

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def scale(self, low: float = 0.01, high: float = 0.3) -> float:
        return float(np.float32(np.exp(self.rng.uniform(np.log(low), np.log(high)))))

    def step(self) -> float:
        """A scale of an activation."""
        return float(np.float32(self.scale() / (256 if self.wide else 1)))

    @property
    def wide(self) -> bool:
        return self.dtype == "int16"

    @property
    def limits(self) -> tuple[int, int]:
        return (-32768, 32767) if self.wide else (-128, 127)

    @property
    def unsigned(self) -> int:
        """What levels of the file are more than those of int8."""
        return 128 if self.dtype == "uint8" else 0

    def tensor(
        self, shape: Shape, scale: float, zero_point: int, values: NDArray[np.integer[Any]] | None = None
    ) -> int:
        """An activation, or a constant operand, in the file."""
        return self.writer.tensor(shape, self.dtype, scale, zero_point + self.unsigned, values=values)

    def levels(self, shape: Shape) -> NDArray[np.integer[Any]]:
        """Random values of an activation."""
        low, high = self.limits
        return (self.rng.integers(low, high + 1, shape) + self.unsigned).astype(self.dtype)

    def constant(self, shape: Shape, scale: float, zero_point: int) -> Value:
        """An operand that is a constant."""
        index = self.tensor(shape, scale, zero_point, self.levels(shape))
        return Value(index, shape, scale, zero_point)

    def zero(self) -> int:
        zero = int(self.rng.choice([-128, 0, 127, self.number(-128, 127), self.number(-40, 40)]))
        return 0 if self.wide else zero

    def input(self, shape: Shape) -> Value:
        value = self.value(shape)
        self.inputs.append(value)
        return value

    def value(self, shape: Shape, scale: float | None = None, zero_point: int | None = None) -> Value:
        scale = self.step() if scale is None else scale
        zero_point = self.zero() if zero_point is None else zero_point
        value = Value(self.tensor(shape, scale, zero_point), shape, scale, zero_point)
        self.values.append(value)
        return value

    def like(self, x: Value, shape: Shape) -> Value:
        """A result of the scale of ``x``."""
        return self.value(shape, x.scale, x.zero_point)

    def integers(self, *numbers: int, shape: Shape | None = None) -> int:
        return self.writer.tensor(shape or (len(numbers),), "int32", values=np.array(numbers).reshape(shape or -1))

    def emit(self, kind: str, inputs: list[int], results: list[Value], **options: object) -> None:
        self.read.update(inputs)
        self.kinds.append(kind)
        self.writer.operator(kind, inputs, [value.index for value in results], **options)

    def pick(self, fits: Callable[[Shape], bool] = lambda shape: True) -> Value | None:
        found = [value for value in self.values if fits(value.shape)]
        return found[self.number(0, len(found) - 1)] if found else None

    def bits(self) -> int:
        """Of weights."""
        return 4 if self.chance(self.narrow) and not self.wide and not self.unsigned else 8

    def activation(self) -> int:
        return int(self.rng.choice([0, 0, 0, 1, 2, 3]))

    def finish(self) -> bytes:
        """The file; everything that nobody reads is an output."""
        sources = {value.index for value in self.inputs}
        outputs = [value.index for value in self.values if value.index not in self.read | sources]
        return self.writer.finish(
            [value.index for value in self.inputs], outputs + [value.index for value in self.outputs]
        )

    def samples(self, count: int) -> list[NDArray[np.integer[Any]]]:
        """Inputs of the network, each (count, *shape without batch)."""
        return [self.levels((count, *value.shape[1:])) for value in self.inputs]


def _image(shape: Shape) -> bool:
    return len(shape) == 4 and shape[0] == 1


def _weights(
    net: Network, shape: Shape, axis: int, x: Value, terms: int, narrow: bool = True
) -> tuple[list[int], float]:
    """Weights and bias, and a scale of the output that keeps it in range."""
    channels = shape[axis]
    bits = net.bits() if narrow else 8
    largest = 2 ** (bits - 1) - 1
    values = net.rng.integers(-largest, largest + 1, shape, np.int8)
    scales: float | list[float] = net.scale(0.001, 0.02)
    if net.chance(0.7) and not net.unsigned:
        scales = [net.scale(0.001, 0.02) for _ in range(channels)]
    weights = _constant(net, f"int{bits}", scales, axis, values)
    step = float(np.max(scales)) * largest / 127
    bias = net.writer.tensor(
        (channels,),
        "int64" if net.wide else "int32",
        [x.scale * s for s in scales] if isinstance(scales, list) else x.scale * scales,
        values=net.rng.integers(-3000, 3000, channels),
    )
    spread = x.scale * step * 60 * 60 * np.sqrt(terms)
    return [weights, bias], float(np.float32(spread / 60 * net.rng.uniform(0.5, 2)))


def _constant(net: Network, kind: str, scales: float | list[float], axis: int, values: NDArray[np.integer[Any]]) -> int:
    """Weights; those of uint8 around a zero point of their own."""
    if not net.unsigned:
        return net.writer.tensor(values.shape, kind, scales, 0, axis, values)
    zero = net.number(60, 200) if net.chance(0.7) else 128
    shifted = net.rng.integers(0, 256, values.shape) if net.chance(0.6) else np.clip(values.astype(int) + zero, 0, 255)
    return net.writer.tensor(values.shape, "uint8", scales, zero, axis, shifted)


def _windows(net: Network, x: Value, dilated: bool) -> tuple[Shape, Shape, Shape, int, Shape]:
    """Kernel, stride, dilation, padding and the output's height and width."""
    size = x.shape[1:3]
    while True:
        kernel = (net.number(1, 5), net.number(1, 5))
        stride = (net.number(1, 3), net.number(1, 3))
        dilation = (net.number(1, 3), net.number(1, 3)) if dilated and net.chance(0.5) else (1, 1)
        same = net.number(0, 1)
        reach = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
        if same == 0:
            out = tuple(-(-n // s) for n, s in zip(size, stride, strict=True))
        else:
            out = tuple((n - r) // s + 1 for n, r, s in zip(size, reach, stride, strict=True))
        if min(out) > 0:
            return kernel, stride, dilation, same, out


def conv(net: Network) -> None:
    x = net.pick(_image)
    if x is None:
        return
    kernel, stride, dilation, same, out = _windows(net, x, dilated=True)
    filters = net.number(1, 9)
    constants, scale = _weights(net, (filters, *kernel, x.shape[3]), 0, x, kernel[0] * kernel[1] * x.shape[3])
    if not net.bias and net.chance(0.3):
        constants = constants[:1] if net.chance(0.5) else [constants[0], -1]
    net.emit(
        "CONV_2D",
        [x.index, *constants],
        [net.value((1, *out, filters), scale)],
        Padding=same,
        StrideH=stride[0],
        StrideW=stride[1],
        DilationHFactor=dilation[0],
        DilationWFactor=dilation[1],
        FusedActivationFunction=net.activation(),
    )


def grouped(net: Network) -> None:
    """Groups of channels, each with filters of its own."""
    x = net.pick(lambda shape: _image(shape) and shape[3] > 1)
    if x is None:
        return
    groups = [n for n in range(2, x.shape[3] + 1) if x.shape[3] % n == 0]
    count = groups[net.number(0, len(groups) - 1)]
    kernel, stride, dilation, same, out = _windows(net, x, dilated=True)
    filters, depth = count * net.number(1, 3), x.shape[3] // count
    constants, scale = _weights(net, (filters, *kernel, depth), 0, x, kernel[0] * kernel[1] * depth)
    net.emit(
        "CONV_2D",
        [x.index, *constants],
        [net.value((1, *out, filters), scale)],
        Padding=same,
        StrideH=stride[0],
        StrideW=stride[1],
        DilationHFactor=dilation[0],
        DilationWFactor=dilation[1],
        FusedActivationFunction=net.activation(),
    )


def depthwise(net: Network) -> None:
    x = net.pick(_image)
    if x is None:
        return
    kernel, stride, dilation, same, out = _windows(net, x, dilated=True)
    multiplier = net.number(1, 3)
    channels = x.shape[3] * multiplier
    if channels > 24:
        return
    constants, scale = _weights(net, (1, *kernel, channels), 3, x, kernel[0] * kernel[1])
    net.emit(
        "DEPTHWISE_CONV_2D",
        [x.index, *constants],
        [net.value((1, *out, channels), scale)],
        Padding=same,
        StrideH=stride[0],
        StrideW=stride[1],
        DilationHFactor=dilation[0],
        DilationWFactor=dilation[1],
        DepthMultiplier=multiplier,
        FusedActivationFunction=net.activation(),
    )


def transpose_conv(net: Network) -> None:
    x = net.pick(lambda shape: _image(shape) and prod(shape) < 600)
    if x is None:
        return
    kernel = (net.number(1, 4), net.number(1, 4))
    stride = (net.number(1, 3), net.number(1, 3))
    same = net.number(0, 1)
    if same == 0:
        out = tuple(n * s for n, s in zip(x.shape[1:3], stride, strict=True))
    else:
        out = tuple((n - 1) * s + k for n, s, k in zip(x.shape[1:3], stride, kernel, strict=True))
    filters = net.number(1, 6)
    constants, scale = _weights(net, (filters, *kernel, x.shape[3]), 0, x, kernel[0] * kernel[1] * x.shape[3], False)
    size = net.integers(1, *out, filters)
    if net.chance(0.3):
        constants = constants[:1]
    net.emit(
        "TRANSPOSE_CONV",
        [size, constants[0], x.index, *constants[1:]],
        [net.value((1, *out, filters), scale)],
        Padding=same,
        StrideH=stride[0],
        StrideW=stride[1],
    )


def fully_connected(net: Network) -> None:
    x = net.pick(lambda shape: prod(shape) <= 400)
    if x is None:
        return
    rows = x.shape[0] if len(x.shape) == 2 else 1
    depth = prod(x.shape) // rows
    filters = net.number(1, 12)
    # One scale: what TensorFlow Lite Micro's converter writes, and what all of its versions compute.
    bits = net.bits()
    largest = 2 ** (bits - 1) - 1
    values = net.rng.integers(-largest, largest + 1, (filters, depth), np.int8)
    scale = net.scale(0.001, 0.02)
    weights = _constant(net, f"int{bits}", scale, 0, values)
    kind = "int64" if net.wide else "int32"
    bias = net.writer.tensor((filters,), kind, x.scale * scale, values=net.rng.integers(-3000, 3000, filters))
    out = float(np.float32(x.scale * scale * largest / 127 * 60 * np.sqrt(depth) * net.rng.uniform(0.5, 2)))
    net.emit(
        "FULLY_CONNECTED",
        [x.index, weights, bias],
        [net.value((rows, filters), out)],
        FusedActivationFunction=net.activation(),
    )


def binary(net: Network) -> None:
    kind = str(net.rng.choice(["ADD", "SUB", "MUL"]))
    left = net.pick()
    if left is None:
        return
    how = net.number(0, 3)
    if how == 0:
        right = net.pick(lambda shape: shape == left.shape)
    elif how == 1:
        right = net.pick(lambda shape: _fits(shape, left.shape))
    else:
        shape = tuple(size if net.chance(0.5) else 1 for size in left.shape)
        shape = shape[net.number(0, len(shape) - 1) :] if net.chance(0.3) else shape
        right = net.constant(shape, net.step(), net.zero())
    if right is None:
        return
    out = np.broadcast_shapes(left.shape, right.shape)
    scale = 90 * (256 if net.wide else 1) * left.scale * right.scale if kind == "MUL" else max(left.scale, right.scale)
    result = net.value(out, float(np.float32(scale * net.rng.uniform(0.5, 1.5))))
    first, second = (left, right) if net.chance(0.6) else (right, left)
    net.emit(kind, [first.index, second.index], [result], FusedActivationFunction=net.activation())


def division(net: Network) -> None:
    """By constants other than 0: what Micro computes for a divisor of 0 is not defined."""
    x = net.pick(lambda shape: prod(shape) < 2000)
    if x is None or net.wide:
        return
    zero, shape = net.zero(), tuple(size if net.chance(0.5) else 1 for size in x.shape)
    values = net.levels(shape)
    values = np.where(values == zero, zero - 1 if zero > 0 else zero + 1, values)
    scale = net.step()
    divisor = net.tensor(shape, scale, zero, values)
    result = net.value(x.shape, float(np.float32(x.scale / scale / 2.0 ** net.rng.uniform(7, 10))))
    net.emit("DIV", [x.index, divisor], [result], FusedActivationFunction=net.activation())


def _fits(shape: Shape, whole: Shape) -> bool:
    return len(shape) == len(whole) and all(a in (1, b) for a, b in zip(shape, whole, strict=True))


def pool(net: Network) -> None:
    x = net.pick(_image)
    if x is None:
        return
    kernel, stride, _, same, out = _windows(net, x, dilated=False)
    net.emit(
        str(net.rng.choice(["AVERAGE_POOL_2D", "MAX_POOL_2D"])),
        [x.index],
        [net.like(x, (1, *out, x.shape[3]))],
        Padding=same,
        StrideH=stride[0],
        StrideW=stride[1],
        FilterHeight=kernel[0],
        FilterWidth=kernel[1],
        FusedActivationFunction=net.activation(),
    )


def mean(net: Network) -> None:
    x = net.pick(_image)
    if x is None:
        return
    axes = [(1, 2), (2, 1), (1,), (2,), (3,), (-1,)][net.number(0, 5)]
    keep = net.chance(0.5)
    gone = {axis % 4 for axis in axes}
    shape = tuple(1 if axis in gone else size for axis, size in enumerate(x.shape))
    if not keep:
        shape = tuple(size for axis, size in enumerate(x.shape) if axis not in gone)
    scale = float(np.float32(x.scale * net.rng.uniform(0.2, 1.5)))
    result = net.like(x, shape) if net.chance(0.4) else net.value(shape, scale)
    net.emit("MEAN", [x.index, net.integers(*axes)], [result], KeepDims=keep)


def function(net: Network) -> None:
    kinds = ["RELU", "RELU6", "LEAKY_RELU", "QUANTIZE"]
    if net.unsigned:
        kinds.remove("LEAKY_RELU")
    elif net.wide:
        kinds += ["LOGISTIC", "TANH"]
    else:  # LiteRT's host kernels lack ELU, and have tables of their own for sigmoids
        kinds += ["HARD_SWISH", "ABS"] if net.bias else ["HARD_SWISH", "ABS", "ELU", "LOGISTIC", "TANH"]
    kind = str(net.rng.choice(kinds))
    x = net.pick(lambda shape: prod(shape) < 3000)
    if x is None:
        return
    options: dict[str, object] = {}
    if kind == "LOGISTIC":
        result = net.value(x.shape, 1 / 32768, 0) if net.wide else net.value(x.shape, 1 / 256, -128)
    elif kind == "TANH":
        result = net.value(x.shape, 1 / 32768 if net.wide else 1 / 128, 0)
    elif kind == "RELU6":
        result = net.like(x, x.shape)
        if round(6 / x.scale) + x.zero_point > net.limits[1]:  # which Micro refuses
            kind = "RELU"
    elif kind == "HARD_SWISH":
        result = net.value(x.shape, float(np.float32(x.scale * net.rng.uniform(0.4, 1.5))))
    else:
        result = net.value(x.shape, float(np.float32(x.scale * net.rng.uniform(0.3, 2))))
    if kind == "LEAKY_RELU":
        options["Alpha"] = float(net.rng.uniform(0, 0.5))
    net.emit(kind, [x.index], [result], **options)


def softmax(net: Network) -> None:
    x = net.pick(lambda shape: 1 < shape[-1] < 200)
    if x is not None:
        result = net.value(x.shape, 1 / 32768, 0) if net.wide else net.value(x.shape, 1 / 256, -128)
        net.emit("SOFTMAX", [x.index], [result], Beta=float(net.rng.choice([1, 1, 0.5, 3])))


def reshape(net: Network) -> None:
    x = net.pick()
    if x is None:
        return
    count = prod(x.shape)
    sizes = [n for n in range(1, count + 1) if count % n == 0]
    a = int(net.rng.choice(sizes))
    b = int(net.rng.choice([n for n in sizes if count // a % n == 0]))
    shape = [(1, count), (1, a, b, count // a // b), (a, count // a), x.shape][net.number(0, 3)]
    net.emit("RESHAPE", [x.index, net.integers(*shape)], [net.like(x, shape)])


def concatenation(net: Network) -> None:
    x = net.pick()
    if x is None:
        return
    axis = net.number(0 if x.shape[0] > 1 else 1, len(x.shape) - 1)
    if prod(x.shape) > 1000:
        return
    parts = [x]
    for _ in range(net.number(1, 2)):
        shape = tuple(net.number(1, 4) if k == axis else size for k, size in enumerate(x.shape))
        parts.insert(net.number(0, len(parts)), net.constant(shape, x.scale, x.zero_point))
    if net.chance(0.3):
        parts.append(x)
    total = sum(part.shape[axis] for part in parts)
    out = tuple(total if k == axis else size for k, size in enumerate(x.shape))
    axis = axis - len(x.shape) if net.chance(0.3) else axis
    net.emit("CONCATENATION", [part.index for part in parts], [net.like(x, out)], Axis=axis)


def split(net: Network) -> None:
    x = net.pick(lambda shape: any(size in (2, 3, 4, 6) for size in shape[1:]))
    if x is None:
        return
    axis = int(net.rng.choice([k for k, size in enumerate(x.shape) if k and size in (2, 3, 4, 6)]))
    count = 3 if x.shape[axis] % 3 == 0 else 2
    shape = tuple(size // count if k == axis else size for k, size in enumerate(x.shape))
    results = [net.like(x, shape) for _ in range(count)]
    net.emit("SPLIT", [net.integers(axis, shape=()), x.index], results, NumSplits=count)


def strided_slice(net: Network) -> None:
    x = net.pick()
    if x is None:
        return
    begin, end, stride = [], [], []
    for size in x.shape:
        step = int(net.rng.choice([1, 1, 2, -1])) if size > 1 else 1
        first = net.number(0, size - 1)
        last = net.number(first + 1, size) if step > 0 else net.number(-1, first - 1) if first else -1
        begin.append(first)
        end.append(last if last >= 0 else -size - 1)
        stride.append(step)
    begin_mask = net.number(0, 2 ** len(x.shape) - 1)
    end_mask = net.number(0, 2 ** len(x.shape) - 1)
    ranges = [
        range(*slice(None if begin_mask >> k & 1 else b, None if end_mask >> k & 1 else e, s).indices(size))
        for k, (size, b, e, s) in enumerate(zip(x.shape, begin, end, stride, strict=True))
    ]
    shape = tuple(len(each) for each in ranges)
    if min(shape) < 1:
        return
    net.emit(
        "STRIDED_SLICE",
        [x.index, *(net.integers(*numbers) for numbers in (begin, end, stride))],
        [net.like(x, shape)],
        BeginMask=begin_mask,
        EndMask=end_mask,
    )


def pad(net: Network) -> None:
    x = net.pick(lambda shape: prod(shape) < 500)
    if x is None:
        return
    pads = [
        (0, 0) if net.chance(0.5) or (k == 0 and size == 1) else (net.number(0, 2), net.number(0, 2))
        for k, size in enumerate(x.shape)
    ]
    shape = tuple(size + before + after for size, (before, after) in zip(x.shape, pads, strict=True))
    numbers = net.integers(*(n for pair in pads for n in pair), shape=(len(pads), 2))
    if net.chance(0.5):
        net.emit("PAD", [x.index, numbers], [net.like(x, shape)])
    else:
        value = net.constant((1,), x.scale, x.zero_point)
        net.emit("PADV2", [x.index, numbers, value.index], [net.like(x, shape)])


def transpose(net: Network) -> None:
    x = net.pick()
    if x is None:
        return
    order = [int(axis) for axis in net.rng.permutation(len(x.shape))]
    net.emit("TRANSPOSE", [x.index, net.integers(*order)], [net.like(x, tuple(x.shape[k] for k in order))])


def resize(net: Network) -> None:
    x = net.pick(_image)
    if x is None:
        return
    size = (net.number(1, 12), net.number(1, 12))
    corners = net.chance(0.3)
    centers = not corners and net.chance(0.5)
    net.emit(
        "RESIZE_NEAREST_NEIGHBOR" if net.wide or net.chance(0.5) else "RESIZE_BILINEAR",
        [x.index, net.integers(*size)],
        [net.like(x, (1, *size, x.shape[3]))],
        AlignCorners=corners,
        HalfPixelCenters=centers,
    )


def pick(net: Network) -> None:
    """Maximum or minimum: of one scale."""
    left = net.pick()
    if left is None:
        return
    shape = tuple(size if net.chance(0.5) else 1 for size in left.shape)
    right = net.constant(shape, left.scale, left.zero_point)
    kind = str(net.rng.choice(["MAXIMUM", "MINIMUM"]))
    net.emit(kind, [left.index, right.index], [net.like(left, left.shape)])


def squared_difference(net: Network) -> None:
    left = net.pick()
    if left is None:
        return
    whole = left.shape
    right = net.pick(lambda shape: _fits(shape, whole))
    if right is None:
        return
    scale = 100 * (256 if net.wide else 1) * max(left.scale, right.scale) ** 2 * net.rng.uniform(0.5, 1.5)
    result = net.value(left.shape, float(np.float32(scale)))
    net.emit("SQUARED_DIFFERENCE", [left.index, right.index], [result])


def prelu(net: Network) -> None:
    x = net.pick()
    if x is None or net.wide:
        return
    shape = (1,) * (len(x.shape) - 2) + (x.shape[-1],) if net.chance(0.6) else x.shape[1:]
    alpha = net.constant(shape, net.scale(0.001, 0.01), net.zero())
    result = net.value(x.shape, float(np.float32(x.scale * net.rng.uniform(0.3, 2))))
    net.emit("PRELU", [x.index, alpha.index], [result])


def reduction(net: Network) -> None:
    x = net.pick(_image)
    if x is None or net.wide:
        return
    axes = [(1, 2), (1,), (2,), (3,), (-1,)][net.number(0, 4)]
    keep = net.chance(0.5)
    gone = {axis % 4 for axis in axes}
    shape = tuple(1 if axis in gone else size for axis, size in enumerate(x.shape))
    if not keep:
        shape = tuple(size for axis, size in enumerate(x.shape) if axis not in gone)
    kind = str(net.rng.choice(["SUM", "REDUCE_MAX"]))
    count = prod(x.shape[axis] for axis in gone)
    result = net.value(shape, float(np.float32(x.scale * np.sqrt(count)))) if kind == "SUM" else net.like(x, shape)
    net.emit(kind, [x.index, net.integers(*axes)], [result], KeepDims=keep)


def blocks(net: Network) -> None:
    size = net.number(1, 3)
    deeper = net.chance(0.5)
    if deeper:
        x = net.pick(lambda shape: _image(shape) and shape[1] % size == shape[2] % size == 0)
    else:
        x = net.pick(lambda shape: _image(shape) and shape[3] % (size * size) == 0)
    if x is None or net.wide:
        return
    _, height, width, channels = x.shape
    shape = (1, height // size, width // size, channels * size**2)
    if not deeper:
        shape = (1, height * size, width * size, channels // size**2)
    kind = "SPACE_TO_DEPTH" if deeper else "DEPTH_TO_SPACE"
    net.emit(kind, [x.index], [net.like(x, shape)], BlockSize=size)


def packing(net: Network) -> None:
    """Tensors side by side along a new axis, or one taken apart."""
    x = net.pick(lambda shape: len(shape) < 4 or shape[1] < 6)
    if x is None or net.wide:
        return
    if len(x.shape) < 4:
        axis = net.number(0, len(x.shape))
        parts = [x, net.constant(x.shape, x.scale, x.zero_point)][:: int(net.rng.choice([1, -1]))]
        shape = (*x.shape[:axis], 2, *x.shape[axis:])
        axis = axis - len(shape) if net.chance(0.3) else axis
        net.emit("PACK", [part.index for part in parts], [net.like(x, shape)], ValuesCount=2, Axis=axis)
    else:
        shape = (x.shape[0], *x.shape[2:])
        results = [net.like(x, shape) for _ in range(x.shape[1])]
        net.emit("UNPACK", [x.index], results, Num=len(results), Axis=int(net.rng.choice([1, -3])))


def gather(net: Network) -> None:
    x = net.pick()
    if x is None or net.wide:
        return
    axis = net.number(0, len(x.shape) - 1)
    indices = [net.number(0, x.shape[axis] - 1) for _ in range(net.number(1, 5))]
    if net.chance(0.5) and axis:
        shape = (*x.shape[:axis], len(indices), *x.shape[axis + 1 :])
        net.emit("GATHER", [x.index, net.integers(*indices)], [net.like(x, shape)], Axis=axis)
        return
    pads = [(0, 0) if size == 1 else (net.number(0, 1), net.number(0, min(2, size - 1))) for size in x.shape]
    shape = tuple(size + before + after for size, (before, after) in zip(x.shape, pads, strict=True))
    numbers = net.integers(*(n for pair in pads for n in pair), shape=(len(pads), 2))
    net.emit("MIRROR_PAD", [x.index, numbers], [net.like(x, shape)], Mode=net.number(0, 1))


def normalization(net: Network) -> None:
    x = net.pick()
    if x is not None and not net.wide:
        net.emit("L2_NORMALIZATION", [x.index], [net.value(x.shape, 1 / 128, 0)])


def log_softmax(net: Network) -> None:
    x = net.pick(lambda shape: 1 < shape[-1] < 200)
    if x is not None and not net.wide:
        net.emit("LOG_SOFTMAX", [x.index], [net.value(x.shape, 1 / 16, 127)])


def arg_max(net: Network) -> None:
    """Its result is an output, as nothing computes on indices."""
    x = net.pick(_image)
    if x is None or net.wide:
        return
    axis = net.number(1, 3)
    shape = tuple(size for k, size in enumerate(x.shape) if k != axis)
    index = net.writer.tensor(shape, "int32")
    net.outputs.append(Value(index, shape, 1.0, 0))
    net.kinds.append("ARG_MAX")
    net.read.add(x.index)
    axis = axis - 4 if net.chance(0.3) else axis
    net.writer.operator("ARG_MAX", [x.index, net.integers(axis, shape=())], [index], OutputType=2)


def matrices(net: Network) -> None:
    left = net.pick(lambda shape: len(shape) in (3, 4) and prod(shape) < 500)
    if left is None:
        return
    turned, other = net.chance(0.5), net.chance(0.5)
    rows, depth = left.shape[-2:][:: -1 if turned else 1]
    columns = net.number(1, 5)
    batch = tuple(size if net.chance(0.7) else 1 for size in left.shape[:-2])
    shape = (*batch, columns, depth) if other else (*batch, depth, columns)
    right = net.constant(shape, net.step(), net.zero())
    scale = 60 * (256 if net.wide else 1) * left.scale * right.scale * np.sqrt(depth) * net.rng.uniform(0.5, 2)
    result = net.value((*left.shape[:-2], rows, columns), float(np.float32(scale)))
    net.emit("BATCH_MATMUL", [left.index, right.index], [result], AdjX=turned, AdjY=other)


def ring(net: Network) -> None:
    """The rows that were seen last and the new ones, as streaming networks keep them from run to run."""
    x = net.pick(_image)
    if x is None:
        return
    rows = net.number(1, 5)
    variable = net.writer.tensor((), "resource")
    net.writer.operator("VAR_HANDLE", [], [variable], Container="", SharedName=f"ring{variable}")
    before = net.like(x, (1, rows, *x.shape[2:]))
    joined = net.like(x, (1, rows + x.shape[1], *x.shape[2:]))
    after = net.like(x, before.shape)
    net.emit("READ_VARIABLE", [variable], [before])
    net.emit("CONCATENATION", [before.index, x.index], [joined], Axis=1)
    begin, end, stride = net.integers(0, -rows, 0, 0), net.integers(0, 0, 0, 0), net.integers(1, 1, 1, 1)
    net.emit("STRIDED_SLICE", [joined.index, begin, end, stride], [after], BeginMask=13, EndMask=15)
    net.emit("ASSIGN_VARIABLE", [variable, after.index], [])
    net.outputs.append(joined)


def svdf(net: Network) -> None:
    """Filters over time, with a memory of 8 or 16 bits."""
    x = net.pick(lambda shape: len(shape) == 2 and shape[0] == 1 and shape[1] <= 400)
    if net.wide:
        return
    if x is None:
        x = net.pick(lambda shape: prod(shape) <= 400)
        if x is None:
            return
        flat = net.like(x, (1, prod(x.shape)))
        net.emit("RESHAPE", [x.index, net.integers(*flat.shape)], [flat])
        x = flat
    inputs, rank, units, length = x.shape[1], net.number(1, 2), net.number(1, 6), net.number(1, 7)
    filters, kind = rank * units, str(net.rng.choice(["int8", "int16"]))
    most = 127 if kind == "int8" else 32767
    scale, slow = net.scale(0.001, 0.02), net.scale(0.001, 0.02) / most
    kept = float(np.float32(x.scale * scale * np.sqrt(inputs) * 60 * net.rng.uniform(60, 200) / most))
    feature = net.writer.tensor((filters, inputs), "int8", scale, values=net.rng.integers(-127, 128, (filters, inputs)))
    time = net.writer.tensor((filters, length), kind, slow, values=net.rng.integers(-most, most + 1, (filters, length)))
    step = float(np.float32(kept) * np.float32(slow))
    bias = net.writer.tensor((units,), "int32", step, values=net.rng.integers(-most * 20, most * 20, units))
    zero = net.zero() if kind == "int8" else 0
    memory = net.writer.tensor((1, filters * length), kind, kept, zero, variable=True)
    result = net.value((1, units), float(np.float32(step * most * most * net.rng.uniform(0.001, 0.02))))
    net.emit("SVDF", [x.index, feature, time, bias, memory], [result], Rank=rank)


def lstm(net: Network) -> None:
    """Keras' layer over the rows of a matrix, or of an image that is made one."""
    x = net.pick(lambda shape: len(shape) == 3 and shape[0] == 1 and prod(shape) <= 400)
    if x is None:
        x = net.pick(lambda shape: prod(shape) <= 400)
        if x is None:
            return
        steps = net.number(1, 4)
        depth = prod(x.shape) // steps if prod(x.shape) % steps == 0 else prod(x.shape)
        flat = net.like(x, (1, prod(x.shape) // depth, depth))
        net.emit("RESHAPE", [x.index, net.integers(*flat.shape)], [flat])
        x = flat
    _, steps, inputs = x.shape
    units, timed = net.number(1, 6), net.chance(0.3)
    if timed:
        moved = net.like(x, (steps, 1, inputs))
        net.emit("RESHAPE", [x.index, net.integers(*moved.shape)], [moved])
        x = moved
    step, zero = float(np.float32(net.rng.uniform(0.8, 1.2) / net.limits[1])), net.zero()

    def matrix(columns: int, scale: float) -> int:
        values = net.rng.integers(-127, 128, (units, columns))
        return net.writer.tensor(
            (units, columns), "int8", float(np.float32(scale * net.rng.uniform(0.3, 1))), 0, 0, values
        )

    first = 3 / (127 * 60 * np.sqrt(inputs) * x.scale * (256 if net.wide else 1))
    second = 3 / (127 * np.sqrt(units))
    weights = [matrix(inputs, first) for _ in range(4)] + [matrix(units, second) for _ in range(4)]
    kind = "int64" if net.wide else "int32"
    span = int(min(0.3 / (first * x.scale), 1e6)) + 1
    biases = [net.writer.tensor((units,), kind, 1e-5, 0, 0, net.rng.integers(-span, span, units)) for _ in range(4)]
    hidden = net.writer.tensor((1, units), net.dtype, step, zero, variable=True)
    cell = net.writer.tensor((1, units), "int16", 2.0 ** -net.number(9, 15), variable=True)
    result = net.value((steps, 1, units) if timed else (1, steps, units), step, zero)
    net.emit(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        [x.index, *weights, -1, -1, -1, *biases, -1, -1, hidden, cell, -1, -1, -1, -1],
        [result],
        FusedActivationFunction=4,
        TimeMajor=timed,
        CellClip=float(net.rng.choice([0.0, 0.5, 10.0])),
    )


OPERATORS: dict[str, Callable[[Network], None]] = {
    "conv": conv,
    "grouped": grouped,
    "depthwise": depthwise,
    "transpose_conv": transpose_conv,
    "fully_connected": fully_connected,
    "binary": binary,
    "pool": pool,
    "mean": mean,
    "function": function,
    "softmax": softmax,
    "reshape": reshape,
    "concatenation": concatenation,
    "split": split,
    "strided_slice": strided_slice,
    "pad": pad,
    "transpose": transpose,
    "resize": resize,
    "pick": pick,
    "squared_difference": squared_difference,
    "prelu": prelu,
    "reduction": reduction,
    "blocks": blocks,
    "packing": packing,
    "gather": gather,
    "normalization": normalization,
    "log_softmax": log_softmax,
    "arg_max": arg_max,
    "matrices": matrices,
    "ring": ring,
    "division": division,
    "svdf": svdf,
    "lstm": lstm,
}

REMEMBERING = ("ring", "svdf", "lstm")
"""Those that keep something from run to run."""


def random_network(
    seed: int, operators: int = 6, kinds: tuple[str, ...] = tuple(OPERATORS), bias: bool = False, dtype: str = "int8"
) -> Network:
    """A network of about ``operators`` operators with one or two inputs."""
    net = _inputs(seed, bias, dtype)
    while len(net.kinds) < operators:
        OPERATORS[kinds[net.number(0, len(kinds) - 1)]](net)
    return net


def network_of(
    seed: int,
    steps: Sequence[tuple[str, int]],
    bias: bool = False,
    dtype: str = "int8",
    operators: Mapping[str, Callable[[Network], None]] = OPERATORS,
) -> Network:
    """A network of these ``operators``, each with a seed of its own; those that fit nowhere are left out."""
    net = _inputs(seed, bias, dtype)
    for kind, own in steps:
        net.rng = np.random.default_rng(own)
        operators[kind](net)
    return net


def _inputs(seed: int, bias: bool, dtype: str) -> Network:
    net = Network(seed, bias=bias, dtype=dtype)
    for _ in range(net.number(1, 2)):
        net.input((1, net.number(1, 8), net.number(1, 8), net.number(1, 6)))
    return net
