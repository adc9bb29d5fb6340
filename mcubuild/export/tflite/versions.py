"""Versions of TensorFlow Lite's operators: which one a runtime must know for these types.

Source: ``GetBuiltinOperatorVersion`` in TensorFlow's ``lite/tools/versioning/op_version.cc``.
"""

from collections.abc import Mapping, Sequence

from mcubuild.export.tflite.model import Options, Variable

_VERSIONS: Mapping[str, tuple[int, int]] = {
    "ABS": (2, 3),
    "ADD": (2, 3),
    "ARG_MAX": (2, 1),
    "AVERAGE_POOL_2D": (2, 3),
    "BATCH_MATMUL": (2, 3),
    "CAST": (3, 1),
    "CONCATENATION": (2, 3),
    "CONV_2D": (3, 1),
    "DEPTHWISE_CONV_2D": (3, 1),
    "FULLY_CONNECTED": (4, 1),
    "GATHER": (2, 4),
    "L2_NORMALIZATION": (2, 1),
    "LEAKY_RELU": (1, 2),
    "LOGISTIC": (2, 3),
    "LOG_SOFTMAX": (2, 1),
    "MAXIMUM": (2, 4),
    "MAX_POOL_2D": (2, 3),
    "MEAN": (2, 3),
    "MINIMUM": (2, 4),
    "MUL": (2, 4),
    "PADV2": (2, 3),
    "REDUCE_MAX": (2, 3),
    "RELU": (2, 3),
    "RELU6": (2, 3),
    "RESIZE_BILINEAR": (2, 4),
    "RESIZE_NEAREST_NEIGHBOR": (2, 4),
    "RSQRT": (2, 3),
    "SLICE": (2, 4),
    "SOFTMAX": (2, 3),
    "SQUARED_DIFFERENCE": (2, 1),
    "STRIDED_SLICE": (2, 1),
    "SUB": (2, 5),
    "SUM": (2, 1),
    "TANH": (2, 3),
    "TRANSPOSE": (2, 5),
}
"""Of int8 and of int16; those that are not listed have the first."""
_NARROW = {"CONV_2D": 7, "DEPTHWISE_CONV_2D": 7, "FULLY_CONNECTED": 10}
"""With weights of 4 bits."""
_RANKS = {"PADV2": (4, 4), "SLICE": (5, 5), "STRIDED_SLICE": (4, 4), "TRANSPOSE": (4, 6)}
"""Of five axes, and of more."""
_BROADCAST = {"MAXIMUM": 3, "MINIMUM": 3, "SUB": 3}
"""Where operands of more than four axes have different shapes."""


def version_of(kind: str, inputs: Sequence[Variable], output: Variable, options: Options) -> int:
    """The version of the operator ``kind`` for these tensors and options."""
    first = inputs[2] if kind == "TRANSPOSE_CONV" else inputs[0]
    wide, axes = first.dtype == "INT16", len(first.shape)
    version = _VERSIONS.get(kind, (1, 1))[wide]
    if kind in _NARROW and inputs[1].dtype == "INT4":
        return _NARROW[kind]
    if kind == "DEPTHWISE_CONV_2D" and wide and (options["DilationHFactor"], options["DilationWFactor"]) != (1, 1):
        return 2
    if kind == "FULLY_CONNECTED" and options.get("KeepNumDims"):
        return 5
    if kind == "ADD" and first.dtype == "INT32":
        return 1
    if kind == "TRANSPOSE_CONV":
        return 4 if options["FusedActivationFunction"] else 3  # 3: with a bias
    if kind == "QUANTIZE" and output.dtype == "INT16":
        return 2
    if kind == "MUL" and not wide and _ratio(inputs[0], inputs[1], output) >= 1:
        return 3
    if kind in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR") and not wide:
        bilinear = kind == "RESIZE_BILINEAR"
        return 3 if options["HalfPixelCenters"] or (options["AlignCorners"] and not bilinear) else version
    if kind in _RANKS and axes > 4:
        return _RANKS[kind][axes > 5]
    if kind in _BROADCAST and not wide and max(len(one.shape) for one in inputs) > 4:
        return _BROADCAST[kind] if inputs[0].shape != inputs[1].shape else version
    return version


def _ratio(left: Variable, right: Variable, output: Variable) -> float:
    """The factor of a product."""
    assert left.quantization and right.quantization and output.quantization
    return left.quantization.scale[0] * right.quantization.scale[0] / output.quantization.scale[0]
