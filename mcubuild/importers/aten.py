"""Programs of PyTorch's operators as programs of ONNX's: as exported, and as decomposed to the core operators."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod, sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mcubuild.errors import BuildError
from mcubuild.importers.builder import UnsupportedError
from mcubuild.importers.program import Call, Program, printable
from mcubuild.importers.pt2_file import Export, Name, Node, Symbol
from mcubuild.importers.refusals import told

Shape = tuple[int, ...]
_INTEGERS: Final[Mapping[int, str]] = {1: "uint8", 2: "int8", 3: "int16", 4: "int32"}
"""PyTorch's numbers of types that levels may have."""
_WHOLE: Final = 1e-6
"""How far a size times a factor may be from a whole number."""
_FLOAT: Final = 7
"""PyTorch's number of float32."""
_FLOATS: Final = (6, _FLOAT, 8, 13)
"""Its numbers of float16, float32, float64, bfloat16."""
_RANDOM: Final = "drops elements at random; export the network in evaluation mode: model.eval()"
_ALIASES: Final = frozenset({"alias", "contiguous", "detach", "dropout", "feature_dropout", "to"})
"""Operators whose result is their operand, memory and all, in evaluation mode, wherever they change nothing."""
_VIEWS: Final = frozenset({
    "chunk", "expand", "expand_as", "flatten", "movedim", "narrow", "permute", "reshape", "select", "slice", "split",
    "split_with_sizes", "squeeze", "swapaxes", "t", "transpose", "unbind", "unflatten", "unsqueeze", "view",
})  # fmt: skip
"""Operators whose result may be a part of their operand's memory, and change with it."""


def program_of(export: Export) -> Program:
    """The same network in ONNX's operators.

    Raises:
        BuildError: an operator is not supported, told with its place and tensors.
    """
    translation = _Translation(export)
    for node in export.nodes:
        try:
            translation.add(node)
        except (ValueError, LookupError, TypeError, ArithmeticError) as error:
            reason = error if isinstance(error, ValueError) else ValueError("has arguments that make no sense")
            named = [each for value in node.arguments.values() for each in _names(value)]
            tensors = [f"{printable(name, 24)!r} {export.shapes.get(name, '')}" for name in named]
            raise BuildError(told(export.path, node.place, reason, tensors)) from None
    return Program(
        path=export.path,
        calls=tuple(translation.calls),
        inputs=export.inputs,
        outputs=tuple(translation.current(name) for name in export.outputs),
        constants=translation.constants,
    )


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, Name):
        yield value
    elif isinstance(value, tuple):
        yield from (each for each in value if isinstance(each, Name))


def _known(value: Any) -> Any:
    """``value``, which no run decides."""
    if any(isinstance(each, Symbol) for each in (value if isinstance(value, tuple) else (value,))):
        raise UnsupportedError(
            "takes a number that is known only when it runs; make it a constant, or export it for a fixed size"
        )
    return value


class _Translation:
    """Calls while they are made of nodes."""

    def __init__(self, export: Export) -> None:
        self.constants: dict[str, NDArray[Any]] = dict(export.constants)
        self.calls = list[Call]()
        self._shapes = export.shapes
        self._changed: dict[str, str] = {}
        """What stands for a tensor that an operator wrote to, or that has another name."""
        self._shared = set[str]()
        """Tensors that are views, or of which there are some."""
        self.node = Node("", {}, (), "")

    def add(self, node: Node) -> None:
        """Append the calls of ``node``."""
        self.node = node
        if not node.results:
            return  # checks sizes, or computes one: all sizes are known
        namespace, _, rest = node.target.partition(".")
        base = rest.partition(".")[0]
        changes = base.endswith("_") and not base.startswith("_")
        convert = (_LEVELS if namespace == "quantized_decomposed" else _CONVERTERS).get(
            base.removesuffix("_") if changes else base
        )
        if convert is None or namespace not in ("aten", "quantized_decomposed"):
            raise UnsupportedError("is not supported; docs/models.md lists what is")
        before = len(self.calls)
        found = convert(self)
        operands = [self.current(name) for value in node.arguments.values() for name in _names(value)]
        if base in _ALIASES and found in operands:
            self._changed[node.results[0]] = str(found)
            return
        results = [found] if isinstance(found, str) else list(found)
        for name, result in zip(node.results, results, strict=False):
            if len(results) == 1 and len(self.calls) > before and self.calls[-1].outputs == (result,):
                self.calls[-1] = replace(self.calls[-1], outputs=(name,))
            else:
                self.calls.append(Call("Identity", (result,), (name,), {}, node.place))
        if base in _VIEWS:
            self._shared.update((*operands, *node.results))
        if changes:
            if operands[0] in self._shared:
                raise UnsupportedError("changes what has views; write the operator that gives a new tensor")
            self._changed[operands[0]] = node.results[0]

    # ---- arguments ---------------------------------------------------------------------------------------------------

    def current(self, name: str) -> str:
        """What stands for a tensor by now."""
        while name in self._changed:
            name = self._changed[name]
        return name

    def argument(self, name: str, default: Any = None) -> Any:
        """A number, a text, a tuple of them or None."""
        found = _known(self.node.arguments.get(name))
        return default if found is None else found

    def tensor(self, name: str) -> str:
        """A tensor, or a number as a constant."""
        found = _known(self.node.arguments[name])
        if isinstance(found, Name):
            return self.current(found)
        return self.constant(np.float32(found))

    def optional(self, name: str) -> str:
        """A tensor, or empty where there is none."""
        return self.tensor(name) if self.node.arguments.get(name) is not None else ""

    def shape(self, name: str) -> Shape:
        """Of an argument that is a tensor."""
        return self._fixed(self.node.arguments[name])

    def result_shape(self, number: int = 0) -> Shape:
        """Of a result."""
        return self._fixed(self.node.results[number])

    def _fixed(self, name: str) -> Shape:
        found = self._shapes[name]
        if None in found:
            raise UnsupportedError(f"has a tensor of shape {found}; export it for a fixed size")
        return tuple(size for size in found if size is not None)

    def numbers(self, name: str, count: int, default: Sequence[int]) -> Shape:
        """One number for each of ``count`` axes."""
        found = self.argument(name, default)
        found = (found,) if isinstance(found, int) else tuple(found) or tuple(default)
        return found * count if len(found) == 1 else found

    # ---- calls -------------------------------------------------------------------------------------------------------

    def constant(self, values: Any) -> str:
        """A new constant."""
        name = f"{self.node.results[0]}.constant{len(self.constants)}"
        self.constants[name] = np.asarray(values)
        return name

    def call(self, kind: str, *inputs: str, **options: Any) -> str:
        """Append a call; the name of its result."""
        name = f"{self.node.results[0]}.{len(self.calls)}"
        given = {option: value for option, value in options.items() if value is not None}
        self.calls.append(Call(kind, inputs, (name,), given, self.node.place))
        return name


Converter = Callable[[_Translation], str | Sequence[str]]


# ---- products --------------------------------------------------------------------------------------------------------


def _around(t: _Translation, count: int) -> Shape:
    """ONNX's pads of as much on either side."""
    return 2 * t.numbers("padding", count, (0,))


def _conv(t: _Translation) -> str:
    count = len(t.shape("weight")) - 2
    padding = t.argument("padding", 0)
    window: dict[str, Any] = {
        "strides": t.numbers("stride", count, (1,)),
        "dilations": t.numbers("dilation", count, (1,)),
        "group": t.argument("groups", 1),
    }
    if isinstance(padding, str):
        window["auto_pad"] = {"same": "SAME_UPPER", "valid": "VALID"}[padding]
    else:
        window["pads"] = _around(t, count)
    operands = [t.tensor("input"), t.tensor("weight"), t.optional("bias")]
    if t.argument("transposed") or "conv_transpose" in t.node.target:
        more = t.numbers("output_padding", count, (0,))
        return t.call("ConvTranspose", *operands, **window, output_padding=more)
    return t.call("Conv", *operands, **window)


def _linear(t: _Translation) -> str:
    bias = t.optional("bias")
    if len(t.shape("input")) == 2:
        return t.call("Gemm", t.tensor("input"), t.tensor("weight"), bias, transB=1)
    product = t.call("MatMul", t.tensor("input"), t.call("Transpose", t.tensor("weight"), perm=(1, 0)))
    return t.call("Add", product, bias) if bias else product


def _addmm(t: _Translation) -> str:
    scale = {"alpha": float(t.argument("alpha", 1)), "beta": float(t.argument("beta", 1))}
    return t.call("Gemm", t.tensor("mat1"), t.tensor("mat2"), t.tensor("self"), **scale)


def _product(second: str) -> Converter:
    return lambda t: t.call("MatMul", t.tensor("self"), t.tensor(second))


def _attention(t: _Translation) -> str:
    """Of every query over all keys; the scale of their products goes into softmax."""
    if t.argument("attn_mask") is not None or t.argument("is_causal"):
        raise UnsupportedError("has a mask; must attend to all of its keys")
    if t.argument("enable_gqa"):
        raise UnsupportedError("has fewer heads for keys than for queries; repeat them before")
    if t.argument("dropout_p", 0.0) > 0:
        raise UnsupportedError(_RANDOM)
    query, key = t.shape("query"), t.shape("key")
    axes = list(range(len(key)))
    turned = t.call("Transpose", t.tensor("key"), perm=(*axes[:-2], axes[-1], axes[-2]))
    scale = t.argument("scale")
    weights = t.call(
        "Softmax",
        t.call("MatMul", t.tensor("query"), turned),
        axis=-1,
        beta=1 / sqrt(query[-1]) if scale is None else float(scale),
    )
    return t.call("MatMul", weights, t.tensor("value"))


def _batch_norm(t: _Translation) -> str:
    channels = t.shape("input")[1]
    if t.argument("training") or not t.optional("running_mean"):
        raise UnsupportedError("takes statistics of the batch; export the network in evaluation mode: model.eval()")
    scale, bias = (
        t.optional(name) or t.constant(np.full(channels, value, np.float32))
        for name, value in (("weight", 1), ("bias", 0))
    )
    moments = t.tensor("running_mean"), t.tensor("running_var")
    epsilon = float(t.argument("eps", 1e-5))
    return t.call("BatchNormalization", t.tensor("input"), scale, bias, *moments, epsilon=epsilon)


def _layer_norm(t: _Translation) -> str:
    kind = "RMSNormalization" if "rms" in t.node.target else "LayerNormalization"
    epsilon = float(t.argument("eps", np.finfo(np.float32).eps if "rms" in t.node.target else 1e-5))
    operands = [t.optional(name) for name in ("input", "weight", "bias")]
    return t.call(kind, *operands, axis=-len(t.argument("normalized_shape")), epsilon=epsilon)


def _group_norm(t: _Translation) -> str:
    instance = "instance" in t.node.target
    if instance and not t.argument("use_input_stats", True):
        raise UnsupportedError("takes statistics of the training; make it a batch norm")
    groups = t.shape("input")[1] if instance else t.argument("num_groups", t.argument("group"))
    operands = [t.optional(name) for name in ("input", "weight", "bias")]
    return t.call("GroupNormalization", *operands, num_groups=groups, epsilon=float(t.argument("eps", 1e-5)))


# ---- elements --------------------------------------------------------------------------------------------------------


def _function(kind: str, *options: tuple[str, str, float]) -> Converter:
    """``options``: ONNX's name, PyTorch's name, default."""
    return lambda t: t.call(
        kind,
        t.tensor("input" if "input" in t.node.arguments else "self"),
        **{mine: float(t.argument(theirs, default)) for mine, theirs, default in options},
    )


def _real(t: _Translation, x: str) -> str:
    """``x``, as float32 where it is constant integers, which ONNX's operators would compute with as integers."""
    return t.call("Cast", x, to=1)


def _divided(t: _Translation) -> str:
    """The true quotient, also of integers."""
    if t.argument("rounding_mode"):
        raise UnsupportedError(f"rounds ({t.argument('rounding_mode')})")
    return t.call("Div", t.tensor("self"), _real(t, t.tensor("other")))


def _binary(kind: str) -> Converter:
    def convert(t: _Translation) -> str:
        left, right = t.tensor("self"), t.tensor("other")
        if "rsub" in t.node.target:
            left, right = right, left
        if (alpha := t.argument("alpha", 1)) != 1:
            right = t.call("Mul", right, t.constant(np.float32(alpha)))
        return t.call(kind, left, right)

    return convert


def _clip(low: str, high: str, ends: tuple[float | None, float | None] = (None, None)) -> Converter:
    def convert(t: _Translation) -> str:
        smallest, largest = t.argument(low, ends[0]), t.argument(high, ends[1])
        if any(isinstance(end, Name) for end in (smallest, largest)):
            raise UnsupportedError("has ends that are tensors")
        found = {"min": smallest, "max": largest}
        return t.call(
            "Clip", t.tensor("self"), **{key: None if end is None else float(end) for key, end in found.items()}
        )

    return convert


def _relu6(t: _Translation) -> str:
    return t.call("Clip", t.tensor("self"), min=0.0, max=6.0)


def _hard_sigmoid(t: _Translation) -> str:
    return t.call("HardSigmoid", t.tensor("self"), alpha=1 / 6, beta=0.5)


def _silu(t: _Translation) -> str:
    x = t.tensor("self")
    return t.call("Mul", x, t.call("Sigmoid", x))


def _mish(t: _Translation) -> str:
    x = t.tensor("self")
    return t.call("Mul", x, t.call("Tanh", t.call("Softplus", x)))


def _gelu(t: _Translation) -> str:
    return t.call("Gelu", t.tensor("self"), approximate=t.argument("approximate", "none"))


def _elu(t: _Translation) -> str:
    if t.argument("scale", 1) != 1 or t.argument("input_scale", 1) != 1:
        raise UnsupportedError("has scales, as SELU and CELU; must have none")
    return t.call("Elu", t.tensor("self"), alpha=float(t.argument("alpha", 1)))


def _selu(t: _Translation) -> str:
    """Source of the numbers: Klambauer et al., Self-Normalizing Neural Networks, 2017."""
    bent = t.call("Elu", t.tensor("self"), alpha=1.6732632423543772)
    return t.call("Mul", bent, t.constant(np.float32(1.0507009873554805)))


def _celu(t: _Translation) -> str:
    alpha = float(t.argument("alpha", 1))
    bent = t.call("Elu", t.call("Mul", t.tensor("self"), t.constant(np.float32(1 / alpha))), alpha=1.0)
    return t.call("Mul", bent, t.constant(np.float32(alpha)))


def _log_sigmoid(t: _Translation) -> str:
    return t.call("Neg", t.call("Softplus", t.call("Neg", t.tensor("self"))))


def _glu(t: _Translation) -> str:
    axis = t.argument("dim", -1)
    half = t.result_shape()[axis]
    return t.call("Mul", _cut(t, axis, 0, half), t.call("Sigmoid", _cut(t, axis, half, 2 * half)))


def _softplus(t: _Translation) -> str:
    if t.argument("beta", 1) != 1:
        raise UnsupportedError(f"has beta {t.argument('beta')}, must be 1")
    if t.argument("threshold", 20) < 10:  # from there on the function is its operand to 5e-5
        raise UnsupportedError(f"has threshold {t.argument('threshold')}, must be at least 10")
    return t.call("Softplus", t.tensor("self"))


def _pow(t: _Translation) -> str:
    return t.call("Pow", _real(t, t.tensor("self")), t.tensor("exponent"))


def _prelu(t: _Translation) -> str:
    """A slope a channel, along axis 1."""
    rank, (count,) = len(t.shape("self")), t.shape("weight")
    slope = t.call("Reshape", t.tensor("weight"), t.constant(np.array((count, *[1] * max(0, rank - 2)), np.int64)))
    return t.call("PRelu", t.tensor("self"), slope)


def _softmax(kind: str) -> Converter:
    return lambda t: t.call(kind, t.tensor("self"), axis=t.argument("dim"))


# ---- windows ---------------------------------------------------------------------------------------------------------


def _pool(kind: str) -> Converter:
    def convert(t: _Translation) -> str:
        count = len(t.shape("self")) - 2
        kernel = t.numbers("kernel_size", count, ())
        if t.argument("divisor_override") is not None:
            raise UnsupportedError("has a divisor of its own")
        options: dict[str, Any] = {
            "kernel_shape": kernel,
            "strides": t.numbers("stride", count, kernel),
            "pads": _around(t, count),
            "ceil_mode": int(t.argument("ceil_mode", False)),
        }
        if kind == "AveragePool":
            options["count_include_pad"] = int(t.argument("count_include_pad", True) and any(options["pads"]))
        elif set(t.numbers("dilation", count, (1,))) != {1}:
            raise UnsupportedError("has dilations, must have none")
        return t.call(kind, t.tensor("self"), **options)

    return convert


def _adaptive(kind: str) -> Converter:
    def convert(t: _Translation) -> str:
        size, wanted = t.shape("self")[2:], t.result_shape()[2:]
        if any(before % after for before, after in zip(size, wanted, strict=True)):
            raise UnsupportedError(f"brings {size} to {wanted}; must divide it")
        kernel = tuple(before // after for before, after in zip(size, wanted, strict=True))
        if set(wanted) == {1}:
            return t.call(f"Global{kind}", t.tensor("self"))
        return t.call(kind, t.tensor("self"), kernel_shape=kernel, strides=kernel)

    return convert


def _reduction(kind: str) -> Converter:
    def convert(t: _Translation) -> str:
        axes = t.numbers("dim", 1, ()) or None
        return t.call(kind, t.tensor("self"), axes=axes, keepdims=int(t.argument("keepdim", False)))

    return convert


def _extreme(kind: str, reduced: str) -> Converter:
    """``max`` and ``min``: of two tensors, or of all along an axis, without their places."""

    def convert(t: _Translation) -> str | Sequence[str]:
        return (_binary(kind) if "other" in t.node.arguments else _REDUCTIONS[reduced])(t)

    return convert


def _smallest(t: _Translation) -> str:
    axes = t.numbers("dim", 1, ()) or None
    largest = t.call(
        "ReduceMax", t.call("Neg", t.tensor("self")), axes=axes, keepdims=int(t.argument("keepdim", False))
    )
    return t.call("Neg", largest)


_REDUCTIONS: Final[Mapping[str, Converter]] = {"amax": _reduction("ReduceMax"), "amin": _smallest}


def _variance(t: _Translation) -> str:
    """Of what is left of all elements less some, which are one where the call does not say."""
    shape, axes = t.shape("self"), t.numbers("dim", 1, ()) or None
    x, keep = t.tensor("self"), int(t.argument("keepdim", False))
    less = t.argument("correction", 1 if t.argument("unbiased", True) else 0)
    count = prod(shape[axis] for axis in axes or range(len(shape)))
    if count <= less:
        raise ValueError(f"is of {count} elements less {less}")
    off = t.call("Sub", x, t.call("ReduceMean", x, axes=axes, keepdims=1))
    mean = t.call("ReduceMean", t.call("Mul", off, off), axes=axes, keepdims=keep)
    found = t.call("Mul", mean, t.constant(np.float32(count / (count - less))))
    return t.call("Sqrt", found) if "std" in t.node.target else found


def _vector_norm(t: _Translation) -> str:
    if t.argument("ord", 2) != 2:
        raise UnsupportedError(f"is of order {t.argument('ord')}, must be of 2")
    x, axes = t.tensor("self"), t.numbers("dim", 1, ()) or None
    squares = t.call("ReduceSum", t.call("Mul", x, x), axes=axes, keepdims=int(t.argument("keepdim", False)))
    return t.call("Sqrt", squares)


def _arg_max(t: _Translation) -> str:
    if t.argument("dim") is None:
        raise UnsupportedError("is over all axes at once; name one")
    return t.call("ArgMax", t.tensor("self"), axis=t.argument("dim"), keepdims=int(t.argument("keepdim", False)))


def _upsample(mode: str) -> Converter:
    def convert(t: _Translation) -> str:
        x = t.tensor("input" if "input" in t.node.arguments else "self")
        places = "asymmetric" if mode == "nearest" else "align_corners" if t.argument("align_corners") else "half_pixel"
        before, after = t.shape("input" if "input" in t.node.arguments else "self")[2:], t.result_shape()[2:]
        scales = t.argument("scale_factors") or [t.argument(name) for name in ("scales_h", "scales_w")]
        for scale, size, wanted in zip(scales, before, after, strict=False):
            # PyTorch takes places by the factor that it is given, whatever the sizes are.
            if places != "align_corners" and scale is not None and abs(scale * size - wanted) > _WHOLE:
                raise UnsupportedError(
                    f"makes {wanted} of {size} pixels by a factor of {scale:g}; give it sizes instead"
                )
        sizes = t.constant(np.array(t.result_shape(), np.int64))
        options = {"coordinate_transformation_mode": places, "mode": mode, "nearest_mode": "floor"}
        return t.call("Resize", x, "", "", sizes, **options)

    return convert


# ---- movement --------------------------------------------------------------------------------------------------------


def _same(t: _Translation) -> str:
    if t.argument("train"):
        raise UnsupportedError(_RANDOM)
    return t.tensor("input" if "input" in t.node.arguments else "self")


def _cast(t: _Translation) -> str:
    if t.argument("dtype", _FLOAT) != _FLOAT:
        raise UnsupportedError("changes the type of an activation")
    return t.call("Cast", t.tensor("self"), to=1)


def _reshaped(t: _Translation, x: str, *shape: int) -> str:
    return t.call("Reshape", x, t.constant(np.array(shape, np.int64)))


def _view(t: _Translation) -> str:
    return _reshaped(t, t.tensor("self"), *t.result_shape())


def _permute(t: _Translation) -> str:
    return t.call("Transpose", t.tensor("self"), perm=t.argument("dims"))


def _transpose(t: _Translation) -> str:
    rank = len(t.shape("self"))
    first, second = ("axis0", "axis1") if "swapaxes" in t.node.target else ("dim0", "dim1")
    order, (one, other) = list(range(rank)), (t.argument(first, 0), t.argument(second, rank - 1))
    order[one], order[other] = order[other], order[one]
    return t.call("Transpose", t.tensor("self"), perm=tuple(order))


def _cat(t: _Translation) -> str:
    parts = [t.current(name) for name in t.argument("tensors")]
    return t.call("Concat", *parts, axis=t.argument("dim", 0))


def _stack(t: _Translation) -> str:
    shape = t.result_shape()
    axis = t.argument("dim", 0) % len(shape)
    single = tuple(1 if each == axis else size for each, size in enumerate(shape))
    parts = [_reshaped(t, t.current(name), *single) for name in t.argument("tensors")]
    return t.call("Concat", *parts, axis=axis)


def _cut(t: _Translation, axis: int, begin: int, end: int, step: int = 1) -> str:
    return t.call("Slice", t.tensor("self"), starts=(begin,), ends=(end,), axes=(axis,), steps=(step,))


def _slice(t: _Translation) -> str:
    return _cut(t, t.argument("dim", 0), t.argument("start", 0), t.argument("end", 1 << 30), t.argument("step", 1))


def _select(t: _Translation) -> str:
    axis, index = t.argument("dim"), t.argument("index")
    size = t.shape("self")[axis]
    return _reshaped(t, _cut(t, axis, index % size, index % size + 1), *t.result_shape())


def _split(t: _Translation) -> Sequence[str]:
    axis, begin, parts = t.argument("dim", 0), 0, []
    for number in range(len(t.node.results)):
        size = t.result_shape(number)[axis]
        parts.append(_cut(t, axis, begin, begin + size))
        begin += size
    return parts


def _unbind(t: _Translation) -> Sequence[str]:
    axis = t.argument("dim", 0)
    return [
        _reshaped(t, _cut(t, axis, number, number + 1), *t.result_shape(number))
        for number in range(len(t.node.results))
    ]


def _pad(t: _Translation) -> str:
    """PyTorch counts from the last axis."""
    pads, rank = t.argument("pad", t.argument("padding")), len(t.shape("self"))
    count = len(pads) // 2
    axes = tuple(rank - 1 - number for number in range(count))
    mode = {"reflection": "reflect", "replication": "replicate"}.get(t.node.target.split(".")[1].split("_")[0])
    mode = mode or t.argument("mode", "constant")
    mode = {"replicate": "edge", "circular": "wrap"}.get(mode, mode)
    options = {"pads": (*pads[::2], *pads[1::2]), "mode": mode, "value": float(t.argument("value", 0))}
    return t.call("Pad", t.tensor("self"), "", "", t.constant(np.array(axes, np.int64)), **options)


def _pixel_shuffle(t: _Translation) -> str:
    return t.call("DepthToSpace", t.tensor("self"), blocksize=t.argument("upscale_factor"), mode="CRD")


def _pixel_unshuffle(t: _Translation) -> str:
    (_, channels, height, width), block = t.shape("self"), t.argument("downscale_factor")
    apart = _reshaped(t, t.tensor("self"), 1, channels, height // block, block, width // block, block)
    return _reshaped(t, t.call("Transpose", apart, perm=(0, 1, 3, 5, 2, 4)), *t.result_shape())


def _channel_shuffle(t: _Translation) -> str:
    (_, channels, *size), groups = t.shape("self"), t.argument("groups")
    apart = _reshaped(t, t.tensor("self"), 1, groups, channels // groups, prod(size))
    return _reshaped(t, t.call("Transpose", apart, perm=(0, 2, 1, 3)), *t.result_shape())


def _repeat(t: _Translation) -> str:
    shape, times = t.shape("self"), t.argument("repeats", t.argument("dims"))
    more = max(0, len(times) - len(shape))
    x = _reshaped(t, t.tensor("self"), *(1,) * more, *shape)
    rank = more + len(shape)
    return t.call("Tile", x, t.constant(np.array((*(1,) * (rank - len(times)), *times), np.int64)))


def _flip(t: _Translation) -> str:
    axes = tuple(t.argument("dims"))
    count = len(axes)
    return t.call(
        "Slice", t.tensor("self"), starts=(-1,) * count, ends=(-(1 << 30),) * count, axes=axes, steps=(-1,) * count
    )


def _roll(t: _Translation) -> str:
    """What leaves at an end comes in at the other."""
    x, shape, axes = t.tensor("self"), t.shape("self"), t.numbers("dims", 1, ())
    sizes = shape if axes else (prod(shape),)  # without axes as one row
    x = x if axes else _reshaped(t, x, *sizes)
    for axis, shift in zip(axes or (0,), t.numbers("shifts", 1, ()), strict=True):
        size = sizes[axis]
        x = t.call("Gather", x, t.constant((np.arange(size) - shift) % size), axis=axis)
    return x if axes else _reshaped(t, x, *shape)


def _taken(t: _Translation) -> str:
    """Of ``index_select``, and of a tensor with one list of places between its brackets."""
    if "dim" in t.node.arguments:
        return t.call("Gather", t.tensor("self"), t.tensor("index"), axis=t.argument("dim"))
    lists = [(axis, each) for axis, each in enumerate(t.argument("indices")) if each is not None]
    if len(lists) != 1:
        raise UnsupportedError(f"has {len(lists)} lists of places; must have one")
    ((axis, name),) = lists
    return t.call("Gather", t.tensor("self"), t.current(name), axis=axis)


def _move(t: _Translation) -> str:
    rank = len(t.shape("self"))
    sources, targets = ([axis % rank for axis in t.numbers(name, 1, ())] for name in ("source", "destination"))
    order = [axis for axis in range(rank) if axis not in sources]
    for target, source in sorted(zip(targets, sources, strict=True)):
        order.insert(target, source)
    return t.call("Transpose", t.tensor("self"), perm=tuple(order))


def _narrow(t: _Translation) -> str:
    axis = t.argument("dim")
    start = t.argument("start") % t.shape("self")[axis]
    return _cut(t, axis, start, start + t.argument("length"))


def _filled(t: _Translation) -> str:
    value = {"zeros": 0, "ones": 1}.get(t.node.target.split(".")[1], t.argument("fill_value"))
    return t.constant(np.full(t.result_shape(), value, np.float32))


def _counted(t: _Translation) -> str:
    start, step, (count,) = t.argument("start", 0), t.argument("step", 1), t.result_shape()
    fractions = any(isinstance(each, float) for each in (start, step, t.argument("end")))
    real = t.argument("dtype") in _FLOATS if t.argument("dtype") else fractions
    if fractions and not real:
        raise UnsupportedError(f"counts from {start} in steps of {step} as integers; give it integers")
    return t.constant(np.asarray(start + step * np.arange(count), np.float32 if real else np.int64))


def _expand(t: _Translation) -> str:
    return t.call("Expand", t.tensor("self"), t.constant(np.array(t.result_shape(), np.int64)))


# ---- levels ----------------------------------------------------------------------------------------------------------


def _grid(t: _Translation) -> tuple[str, str, dict[str, int]]:
    """Scales, zero points of the levels' type, and options."""
    dtype = _INTEGERS.get(t.argument("dtype"))
    if dtype is None:
        raise UnsupportedError(f"has levels of type {t.argument('dtype')}; must be 8, 16 or 32 bits")
    found = []
    for plural, single in (("scales", "scale"), ("zero_points", "zero_point")):
        value = t.node.arguments.get(plural, t.node.arguments.get(single))
        if isinstance(value, Name):
            value = t.constants[value]
        found.append(0 if value is None else value)
    scale, zero = np.asarray(found[0], np.float32), np.asarray(found[1]).astype(dtype)
    axis = {"axis": t.argument("axis")} if "axis" in t.node.arguments else {}
    return t.constant(scale), t.constant(np.broadcast_to(zero, scale.shape)), axis


def _quantize(t: _Translation) -> str:
    scale, zero, axis = _grid(t)
    levels = t.call("QuantizeLinear", t.tensor("input"), scale, zero, **axis)
    ends, limits = (t.argument("quant_min"), t.argument("quant_max")), np.iinfo(_INTEGERS[t.argument("dtype")])
    if ends[0] <= limits.min and ends[1] >= limits.max:
        return levels
    low, high = (t.constant(np.array(end, limits.dtype)) for end in ends)
    return t.call("Clip", levels, low, high)


def _dequantize(t: _Translation) -> str:
    scale, zero, axis = _grid(t)
    return t.call("DequantizeLinear", t.tensor("input"), scale, zero, **axis)


_LEVELS: Final[Mapping[str, Converter]] = {
    "quantize_per_tensor": _quantize,
    "quantize_per_channel": _quantize,
    "dequantize_per_tensor": _dequantize,
    "dequantize_per_channel": _dequantize,
}
"""What PT2E writes (``torch.ops.quantized_decomposed``)."""

_CONVERTERS: Final[Mapping[str, Converter]] = {
    "_adaptive_avg_pool2d": _adaptive("AveragePool"),
    "_fused_rms_norm": _layer_norm,
    "_log_softmax": _softmax("LogSoftmax"),
    "_native_batch_norm_legit_no_training": _batch_norm,
    "_safe_softmax": _softmax("Softmax"),
    "_softmax": _softmax("Softmax"),
    "_to_copy": _cast,
    "_unsafe_view": _view,
    "abs": _function("Abs"),
    "adaptive_avg_pool1d": _adaptive("AveragePool"),
    "adaptive_avg_pool2d": _adaptive("AveragePool"),
    "adaptive_max_pool1d": _adaptive("MaxPool"),
    "adaptive_max_pool2d": _adaptive("MaxPool"),
    "add": _binary("Add"),
    "addmm": _addmm,
    "alias": _same,
    "amax": _reduction("ReduceMax"),
    "amin": _smallest,
    "arange": _counted,
    "argmax": _arg_max,
    "avg_pool1d": _pool("AveragePool"),
    "avg_pool2d": _pool("AveragePool"),
    "batch_norm": _batch_norm,
    "bmm": _product("mat2"),
    "cat": _cat,
    "celu": _celu,
    "channel_shuffle": _channel_shuffle,
    "chunk": _split,
    "clamp": _clip("min", "max"),
    "clamp_max": _clip("min", "max"),
    "clamp_min": _clip("min", "max"),
    "clone": _same,
    "constant_pad_nd": _pad,
    "contiguous": _same,
    "conv1d": _conv,
    "conv2d": _conv,
    "conv_transpose1d": _conv,
    "conv_transpose2d": _conv,
    "convolution": _conv,
    "cos": _function("Cos"),
    "detach": _same,
    "div": _divided,
    "dropout": _same,
    "elu": _elu,
    "erf": _function("Erf"),
    "exp": _function("Exp"),
    "expand": _expand,
    "expand_as": _expand,
    "feature_dropout": _same,
    "flatten": _view,
    "flip": _flip,
    "full": _filled,
    "gelu": _gelu,
    "glu": _glu,
    "group_norm": _group_norm,
    "hardsigmoid": _hard_sigmoid,
    "hardswish": _function("HardSwish"),
    "hardtanh": _clip("min_val", "max_val", (-1.0, 1.0)),
    "index": _taken,
    "index_select": _taken,
    "instance_norm": _group_norm,
    "layer_norm": _layer_norm,
    "leaky_relu": _function("LeakyRelu", ("alpha", "negative_slope", 0.01)),
    "lift_fresh_copy": _same,
    "linalg_vector_norm": _vector_norm,
    "linear": _linear,
    "log": _function("Log"),
    "log_sigmoid": _log_sigmoid,
    "log_softmax": _softmax("LogSoftmax"),
    "matmul": _product("other"),
    "max": _extreme("Max", "amax"),
    "max_pool1d": _pool("MaxPool"),
    "max_pool2d": _pool("MaxPool"),
    "max_pool2d_with_indices": _pool("MaxPool"),
    "maximum": _binary("Max"),
    "mean": _reduction("ReduceMean"),
    "min": _extreme("Min", "amin"),
    "minimum": _binary("Min"),
    "mish": _mish,
    "mm": _product("mat2"),
    "movedim": _move,
    "mul": _binary("Mul"),
    "narrow": _narrow,
    "native_dropout": _same,
    "native_group_norm": _group_norm,
    "native_layer_norm": _layer_norm,
    "neg": _function("Neg"),
    "ones": _filled,
    "pad": _pad,
    "permute": _permute,
    "pixel_shuffle": _pixel_shuffle,
    "pixel_unshuffle": _pixel_unshuffle,
    "pow": _pow,
    "prelu": _prelu,
    "reciprocal": _function("Reciprocal"),
    "reflection_pad1d": _pad,
    "reflection_pad2d": _pad,
    "relu": _function("Relu"),
    "relu6": _relu6,
    "repeat": _repeat,
    "replication_pad1d": _pad,
    "replication_pad2d": _pad,
    "reshape": _view,
    "rms_norm": _layer_norm,
    "roll": _roll,
    "rsqrt": lambda t: t.call("Pow", _real(t, t.tensor("self")), t.constant(np.float32(-0.5))),
    "rsub": _binary("Sub"),
    "scaled_dot_product_attention": _attention,
    "select": _select,
    "selu": _selu,
    "sigmoid": _function("Sigmoid"),
    "silu": _silu,
    "sin": _function("Sin"),
    "slice": _slice,
    "softmax": _softmax("Softmax"),
    "softplus": _softplus,
    "split": _split,
    "split_with_sizes": _split,
    "sqrt": _function("Sqrt"),
    "square": lambda t: t.call("Pow", t.tensor("self"), t.constant(np.float32(2))),
    "squeeze": _view,
    "stack": _stack,
    "std": _variance,
    "sub": _binary("Sub"),
    "sum": _reduction("ReduceSum"),
    "swapaxes": _transpose,
    "t": _transpose,
    "tanh": _function("Tanh"),
    "tile": _repeat,
    "to": _cast,
    "transpose": _transpose,
    "unbind": _unbind,
    "unflatten": _view,
    "unsqueeze": _view,
    "upsample_bilinear2d": _upsample("linear"),
    "upsample_nearest2d": _upsample("nearest"),
    "var": _variance,
    "view": _view,
    "zeros": _filled,
}
"""By the name in ``torch.ops.aten``, without overload."""
KINDS: Final = tuple(_CONVERTERS)
