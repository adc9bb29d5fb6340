"""From files to graphs: the reference networks, types at the borders, and what users are told."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mcubuild import ROOT
from mcubuild.errors import BuildError
from mcubuild.importers.interface import Interface
from mcubuild.importers.support import operators_page
from mcubuild.importers.tflite import Imported, converted, import_tflite
from mcubuild.importers.tflite_file import read_file
from mcubuild.ir import executor
from mcubuild.ir.ops.lookup import Lookup
from mcubuild.ir.ops.movement import Reshape
from mcubuild.ir.ops.pool import AveragePool2D
from mcubuild.ir.ops.reduction import Mean
from mcubuild.ir.ops.weighted import Conv2D
from tests.importers.reference import Reference, host_tensors, micro_tensors, needs_micro
from tests.importers.writer import Writer, write

FIELD = ROOT.parent / "shared" / "field"
needs_fields = pytest.mark.skipif(not FIELD.is_dir(), reason="files from the field (../shared/field) are not here")
MODELS = ROOT.parent / "shared" / "models"
needs_models = pytest.mark.skipif(not MODELS.is_dir(), reason="the reference networks (../shared/models) are not here")


@needs_models
@pytest.mark.parametrize("name", ["kws", "resnet", "vww96", "ad01"])
def test_mlperf_tiny(name: str) -> None:
    """All samples, softmax included; LiteRT differs from Micro in ad01 alone, where it rounds once."""
    graph = import_tflite(MODELS / f"{name}.tflite").graph
    inputs = np.load(MODELS / f"{name}_in.npy")
    got = executor.run(graph, inputs.reshape(len(inputs), *graph.tensor(graph.inputs[0]).shape[1:]))
    expected = np.load(MODELS / (f"{name}_out_tflm.npy" if name == "ad01" else f"{name}_out.npy"))
    np.testing.assert_array_equal(got, expected.reshape(got.shape))
    if name == "ad01":
        assert (got != np.load(MODELS / "ad01_out.npy").reshape(got.shape)).any()


@needs_models
@pytest.mark.parametrize(
    ("name", "reference"),
    [
        *(pytest.param(name, micro_tensors, marks=needs_micro) for name in ("kws", "resnet", "vww96", "ad01")),
        *((name, host_tensors) for name in ("kws", "resnet", "vww96")),  # which rounds fully connected layers once
    ],
)
def test_every_tensor_of_mlperf_tiny(name: str, reference: Reference) -> None:
    file = MODELS / f"{name}.tflite"
    graph = converted(file).graph
    inputs = np.load(MODELS / f"{name}_in.npy")
    shape = graph.tensor(graph.inputs[0]).shape
    got = executor.run_all(graph, inputs.reshape(len(inputs), *shape[1:]))
    numbers = {int(tensor.split(".")[0].removeprefix("t")): values for tensor, values in got.items()}
    assert len(numbers) == len(graph.ops) + 1
    for sample, data in enumerate(inputs):
        expected = reference(file.read_bytes(), [data.reshape(shape)], list(numbers))
        for number, values in numbers.items():
            np.testing.assert_array_equal(values[sample].ravel(), expected[number].ravel(), f"tensor {number}")


@needs_fields
@needs_micro
@pytest.mark.parametrize("name", ["conv1d_dynamic", "grouped"])
def test_files_from_the_field(name: str) -> None:
    """An open batch, from which the file computes a shape; groups of channels."""
    file = FIELD / f"{name}.tflite"
    imported = import_tflite(file)
    (face,), output = imported.inputs, read_file(file).outputs[0]
    inputs = np.random.default_rng(0).integers(-128, 128, (20, *face.shape[1:])).astype(np.int8)
    got = executor.run(imported.graph, inputs.reshape(20, *executor.sample_shape(imported.graph)))
    for sample, row in zip(inputs, got, strict=True):
        expected = micro_tensors(file.read_bytes(), [sample[None]], [output])[output]
        np.testing.assert_array_equal(row.ravel(), expected.ravel())


def test_shapes_are_computed(tmp_path: Path) -> None:
    """SHAPE, STRIDED_SLICE, MUL, PACK: half of what a flattened image has, twice."""

    def build(w: Writer) -> tuple[list[int], list[int]]:
        x = w.tensor((1, 4, 3, 2), scale=0.05)
        shape, side = w.tensor((4,), "int32"), w.tensor((), "int32")
        begin, end, one = (w.tensor((1,), "int32", values=np.array([value])) for value in (1, 2, 1))
        three, whole = (w.tensor((), "int32", values=np.array(value)) for value in (3, -1))
        product, packed = w.tensor((), "int32"), w.tensor((3,), "int32")
        batch = w.tensor((), "int32", values=np.array(1))
        y, z = w.tensor((1, 12, 2), scale=0.05), w.tensor((1, 12, 2), scale=0.07, zero_point=4)
        w.operator("SHAPE", [x], [shape])
        w.operator("STRIDED_SLICE", [shape, begin, end, one], [side], ShrinkAxisMask=1)
        w.operator("MUL", [side, three], [product])
        w.operator("PACK", [batch, product, whole], [packed], ValuesCount=3)
        w.operator("RESHAPE", [x, packed], [y])
        w.operator("RELU", [y], [z])
        return [x], [z]

    _, imported = made(tmp_path, build)
    assert [type(op) for op in imported.graph.ops] == [Reshape, Lookup]
    assert imported.graph.tensor(imported.graph.outputs[0]).shape == (1, 12, 2)


def made(folder: Path, build: Callable[[Writer], tuple[list[int], list[int]]]) -> tuple[bytes, Imported]:
    writer = Writer()
    data = writer.finish(*build(writer))
    return data, import_tflite(write(folder / "net.tflite", data))


def refused(folder: Path, build: Callable[[Writer], tuple[list[int], list[int]]]) -> str:
    with pytest.raises(BuildError) as caught:
        made(folder, build)
    assert str(caught.value).startswith(f"{folder / 'net.tflite'}: ")
    return str(caught.value)


@needs_micro
def test_float_borders_are_taken_off(tmp_path: Path) -> None:
    def build(w: Writer) -> tuple[list[int], list[int]]:
        x = w.tensor((1, 6), "float32", name="serving_default:0")
        q = w.tensor((1, 6), scale=0.05, zero_point=3)
        y = w.tensor((1, 6), scale=0.07, zero_point=-9)
        z = w.tensor((1, 6), "float32")
        w.operator("QUANTIZE", [x], [q])
        w.operator("RELU", [q], [y])
        w.operator("DEQUANTIZE", [y], [z])
        return [x], [z]

    data, imported = made(tmp_path, build)
    assert [type(op) for op in imported.graph.ops] == [Lookup]
    face = imported.inputs[0]
    assert (face.name, face.dtype, face.zero_point) == ("serving_default_0", "float32", 3)
    values = np.random.default_rng(0).normal(0, 3, (20, 6)).astype(np.float32)
    got = executor.run(imported.graph, face.to_levels(values))
    for sample, row in zip(values, got, strict=True):
        tensors = micro_tensors(data, [sample[None]], [2, 3])
        np.testing.assert_array_equal(row, tensors[2][0])
        np.testing.assert_array_equal(imported.outputs[0].to_levels(tensors[3][0]), row)


@needs_micro
@pytest.mark.parametrize("shift", [128, 100])
def test_uint8_borders(tmp_path: Path, shift: int) -> None:
    """A zero point that differs by 128 costs nothing, another one a table."""

    def build(w: Writer) -> tuple[list[int], list[int]]:
        x = w.tensor((1, 4, 4, 2), "uint8", 0.05, 7)
        q = w.tensor((1, 4, 4, 2), scale=0.05, zero_point=7 - shift)
        y = w.tensor((1, 2, 2, 2), scale=0.05, zero_point=7 - shift)
        z = w.tensor((1, 2, 2, 2), "uint8", 0.05, 7)
        w.operator("QUANTIZE", [x], [q])
        pool = {"StrideH": 2, "StrideW": 2, "FilterHeight": 2, "FilterWidth": 2, "Padding": 1}
        w.operator("AVERAGE_POOL_2D", [q], [y], **pool)
        w.operator("QUANTIZE", [y], [z])
        return [x], [z]

    data, imported = made(tmp_path, build)
    kinds = [type(op) for op in imported.graph.ops]
    assert kinds == ([AveragePool2D] if shift == 128 else [Lookup, AveragePool2D, Lookup])
    sample = np.random.default_rng(1).integers(0, 256, (1, 4, 4, 2)).astype(np.uint8)
    got = executor.run(imported.graph, imported.inputs[0].to_levels(sample))
    expected = micro_tensors(data, [sample], [3])[3]
    assert expected.dtype == np.uint8
    np.testing.assert_array_equal(got, imported.outputs[0].to_levels(expected))


@needs_micro
@pytest.mark.parametrize("scale", [0.011, 0.3, 4.0])
def test_inverse_roots(tmp_path: Path, scale: float) -> None:
    """Of everything that is not negative, where Micro stops."""

    def build(w: Writer) -> tuple[list[int], list[int]]:
        x, y = w.tensor((1, 256), scale=scale, zero_point=-128), w.tensor((1, 256), scale=0.1, zero_point=-11)
        w.operator("RSQRT", [x], [y])
        return [x], [y]

    data, imported = made(tmp_path, build)
    every = np.arange(-128, 128, dtype=np.int8)[None]
    np.testing.assert_array_equal(executor.run(imported.graph, every), micro_tensors(data, [every], [1])[1])


@needs_micro
def test_a_channel_of_scale_0(tmp_path: Path) -> None:
    """Quantisation of a channel without weights: nothing but the zero point comes out."""

    def build(w: Writer) -> tuple[list[int], list[int]]:
        x, y = w.tensor((1, 4, 4, 2), scale=0.1, zero_point=4), w.tensor((1, 4, 4, 3), scale=0.2, zero_point=-7)
        values = np.random.default_rng(0).integers(-127, 128, (3, 1, 1, 2))
        weights = w.tensor((3, 1, 1, 2), "int8", [0.01, 0.0, 0.02], values=values)
        bias = w.tensor((3,), "int32", [0.001, 0.0, 0.002], values=np.array([100, 12345, -100]))
        w.operator("CONV_2D", [x, weights, bias], [y], StrideH=1, StrideW=1)
        return [x], [y]

    data, imported = made(tmp_path, build)
    sample = np.random.default_rng(1).integers(-128, 128, (1, 4, 4, 2)).astype(np.int8)
    got = executor.run(imported.graph, sample)
    np.testing.assert_array_equal(got, micro_tensors(data, [sample], [1])[1])
    assert (got[..., 1] == -7).all()


def test_conversion_to_int8_saturates() -> None:
    face = Interface("x", "float32", (1, 5), 0.5, 10)
    values = np.array([[0.24, 0.25, -0.25, np.inf, np.nan]], np.float32)
    assert face.to_levels(values).tolist() == [[10, 11, 9, 127, 10]]


def test_reshapes_that_nobody_needs_disappear(tmp_path: Path) -> None:
    def build(w: Writer) -> tuple[list[int], list[int]]:
        x = w.tensor((1, 2, 2, 3), scale=0.1)
        flat = w.tensor((1, 12), scale=0.1)
        weights = w.tensor((2, 12), scale=0.1, values=np.ones((2, 12)))
        y = w.tensor((1, 2), scale=1.0)
        w.operator("RESHAPE", [x, w.tensor((2,), "int32", values=np.array([1, 12]))], [flat])
        w.operator("FULLY_CONNECTED", [flat, weights, -1], [y])
        return [x], [y]

    _, imported = made(tmp_path, build)
    assert [type(op).__name__ for op in imported.graph.ops] == ["FullyConnected"]


def test_what_no_output_needs_disappears(tmp_path: Path) -> None:
    def build(w: Writer) -> tuple[list[int], list[int]]:
        x, y, z = w.tensor((1, 4), scale=0.1), w.tensor((1, 4), scale=0.2), w.tensor((1, 4), scale=0.3)
        w.operator("RELU", [x], [y])
        w.operator("RELU", [x], [z])
        return [x], [z]

    assert len(made(tmp_path, build)[1].graph.ops) == 1


def test_an_unknown_operator_is_told_with_its_tensors(tmp_path: Path) -> None:
    def build(w: Writer) -> tuple[list[int], list[int]]:
        x, y, z = w.tensor((1, 4), scale=0.1), w.tensor((1, 4), scale=0.1), w.tensor((1, 4), scale=0.1, name="net/cos")
        w.operator("RELU", [x], [y])
        w.operator("COS", [y], [z])
        return [x], [z]

    told = refused(tmp_path, build)
    assert "operator 1 (COS) is not supported; docs/operators.md lists what is" in told
    assert "tensor 1 'tensor_1' INT8 (1, 4), tensor 2 'net_cos' INT8 (1, 4)." in told


@pytest.mark.parametrize("tensors", [1, 3, 40])
def test_a_refusal_is_short(tmp_path: Path, tensors: int) -> None:
    def build(w: Writer) -> tuple[list[int], list[int]]:
        x = [w.tensor((1, 4), scale=0.1, name="serving_default/" + 150 * "x") for _ in range(tensors)]
        y = w.tensor((1, 4), scale=0.1)
        w.operator("ADD_N", x, [y])
        return x, [y]

    folder = tmp_path / ("n" * 200)
    folder.mkdir()
    with pytest.raises(BuildError) as caught:
        made(folder, build)
    (told,) = str(caught.value).splitlines()
    assert len(told) <= 300 and "net.tflite: operator 0 (ADD_N) is not supported" in told
    assert "Tensors: tensor 0 '..xxx" in told and ("more" in told) == (tensors > 1)


def test_what_is_supported_elsewhere_is_not_called_unsupported(tmp_path: Path) -> None:
    """A float operator behind a DEQUANTIZE: neither of the two is at fault for its name."""

    def build(w: Writer) -> tuple[list[int], list[int]]:
        x, r = w.tensor((1, 4), scale=0.1), w.tensor((1, 4), "float32", name="real")
        s, y = w.tensor((1, 4), "float32"), w.tensor((1, 4), scale=1 / 256, zero_point=-128)
        w.operator("DEQUANTIZE", [x], [r])
        w.operator("SOFTMAX", [r], [s], Beta=1.0)
        w.operator("QUANTIZE", [s], [y])
        return [x], [y]

    told = refused(tmp_path, build)
    assert (
        "operator 1 (SOFTMAX) is supported on INT8, INT16 and UINT8 only, not on tensor 1 'real' FLOAT32 (1, 4)."
        in told
    )


def test_the_page_of_operators_is_up_to_date() -> None:
    assert (ROOT / "docs" / "operators.md").read_text() == operators_page(), "run: doit schema"


@needs_micro
@pytest.mark.parametrize("kind", ["ABS", "ELU", "EXP", "LOGISTIC", "NEG", "RELU", "RELU6", "SQUARE", "TANH"])
def test_functions_in_floating_point_become_a_table(tmp_path: Path, kind: str) -> None:
    def build(w: Writer) -> tuple[list[int], list[int]]:
        x, y = w.tensor((1, 256), scale=0.03, zero_point=-7), w.tensor((1, 256), scale=0.02, zero_point=5)
        first, second = w.tensor((1, 256), "float32"), w.tensor((1, 256), "float32")
        w.operator("DEQUANTIZE", [x], [first])
        w.operator(kind, [first], [second])
        w.operator("QUANTIZE", [second], [y])
        return [x], [y]

    data, imported = made(tmp_path, build)
    assert [type(op) for op in imported.graph.ops] == [Lookup]
    every = np.arange(-128, 128, dtype=np.int8)[None]
    np.testing.assert_array_equal(executor.run(imported.graph, every), micro_tensors(data, [every], [1])[1])


@pytest.mark.parametrize(
    ("dtype", "words"),
    [
        ("int64", "must be INT8, INT16, UINT8 or FLOAT32"),
        ("float32", "(RELU) is supported on INT8, INT16 and UINT8 only"),
    ],
)
def test_other_types_are_told(tmp_path: Path, dtype: str, words: str) -> None:
    def build(w: Writer) -> tuple[list[int], list[int]]:
        x, y = w.tensor((1, 4), dtype, 0.1), w.tensor((1, 4), dtype, 0.1)
        w.operator("RELU", [x], [y])
        return [x], [y]

    assert words in refused(tmp_path, build)


def test_a_batch_is_told(tmp_path: Path) -> None:
    def build(w: Writer) -> tuple[list[int], list[int]]:
        x, y = w.tensor((2, 4, 4, 1), scale=0.1), w.tensor((2, 2, 2, 1), scale=0.1)
        pool = {"StrideH": 2, "StrideW": 2, "FilterHeight": 2, "FilterWidth": 2}
        w.operator("MAX_POOL_2D", [x], [y], **pool)
        return [x], [y]

    assert "must be (1, height, width, channels)" in refused(tmp_path, build)


def test_names_cannot_leave_a_comment_in_c(tmp_path: Path) -> None:
    def build(w: Writer) -> tuple[list[int], list[int]]:
        x = w.tensor((1, 4), scale=0.1, name="*/ int evil(void) { } /*")
        y = w.tensor((1, 4), scale=0.2, name='"\\n\u00e9\U0001f600')
        w.operator("RELU", [x], [y])
        return [x], [y]

    names = list(made(tmp_path, build)[1].graph.tensors)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") for name in names)


def test_wrong_shapes_are_told(tmp_path: Path) -> None:
    def build(w: Writer) -> tuple[list[int], list[int]]:
        x, y = w.tensor((1, 5, 5, 2), scale=0.1), w.tensor((1, 9, 9, 4), scale=0.1)
        weights = w.tensor((4, 3, 3, 2), scale=0.1, values=np.ones((4, 3, 3, 2)))
        w.operator("CONV_2D", [x, weights, -1], [y], StrideH=1, StrideW=1, Padding=1)
        return [x], [y]

    assert "gives (1, 3, 3, 4), but the file says" in refused(tmp_path, build)


def test_kinds_that_stay_apart(tmp_path: Path) -> None:
    """A mean over height and width is no average pool: its arithmetic differs."""

    def build(w: Writer) -> tuple[list[int], list[int]]:
        x, c, y = w.tensor((1, 4, 4, 2), scale=0.1), w.tensor((1, 4, 4, 2), scale=0.2), w.tensor((1, 2), scale=0.1)
        weights = w.tensor((2, 1, 1, 2), scale=0.1, values=np.ones((2, 1, 1, 2)))
        w.operator("CONV_2D", [x, weights, -1], [c], StrideH=1, StrideW=1)
        w.operator("MEAN", [c, w.tensor((2,), "int32", values=np.array([1, 2]))], [y])
        return [x], [y]

    assert [type(op) for op in made(tmp_path, build)[1].graph.ops][:2] == [Conv2D, Mean]
