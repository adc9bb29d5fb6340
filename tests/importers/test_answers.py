"""Which class outputs name, and what is refused because nobody can know."""

from pathlib import Path

import numpy as np
import pytest

from mcubuild.errors import BuildError
from mcubuild.importers.answers import classification, doubts
from mcubuild.importers.interface import Interface
from mcubuild.importers.tflite import import_tflite
from mcubuild.spec.model import ModelSettings
from tests.importers.writer import Writer, write

INDEX = Interface("y", "int32", (1,), 1.0, 0, "ARG_MAX", 32)
SIGMOID = Interface("y", "int8", (1, 1), 1 / 256, -128, "LOGISTIC")
LOGIT = Interface("y", "int8", (1, 1), 0.1, 20, "FULLY_CONNECTED")
FOUR = Interface("four", "int8", (1, 4), 0.014, -8, "FULLY_CONNECTED")
TWO = Interface("two", "int8", (1, 2), 1 / 256, -128, "SOFTMAX")
X = Interface("x", "int8", (1, 8, 8, 1), 1 / 255, -128)


def settings(**keys: object) -> ModelSettings:
    return ModelSettings.model_validate({"file": "net.tflite", "inputs": "x.npy", "labels": "l.npy", **keys})


@pytest.mark.parametrize(
    ("face", "threshold", "first_of_class_1"),
    [
        (SIGMOID, 0.5, 1),
        (Interface("y", "int8", (1, 1), 1 / 255, -128, "MUL"), 0.5, 0),
        (Interface("y", "float32", (1,), 1 / 256, -128, "LOGISTIC"), 0.5, 1),
        (LOGIT, 0, 21),
        (Interface("y", "uint8", (1, 1, 1, 1), 1 / 128, 0, "TANH"), 0, 1),
    ],
)
def test_a_single_unit_has_a_threshold(face: Interface, threshold: float, first_of_class_1: int) -> None:
    reads = classification([face], settings())
    assert reads.classes == 2 and reads.threshold == threshold
    levels = np.arange(-128, 128).astype(np.int8)[:, None]
    assert reads.answers(levels).tolist() == [int(level >= first_of_class_1) for level in range(-128, 128)]


@pytest.mark.parametrize(
    ("face", "told"),
    [
        (Interface("y", "int8", (1, 1), 1.4 / 255, -92, "FULLY_CONNECTED"), r"holds -0\.\d+ to 1\.2.*threshold = 0\.5"),
        (Interface("y", "int8", (1, 1), 6 / 255, -128, "RELU6"), r"holds 0 to 6 .computed by RELU6.*threshold"),
        (Interface("y", "int8", (1, 1), 1 / 256, -128, "SOFTMAX"), "a softmax over one unit, which is 1 whatever"),
        (INDEX, "holds indices .computed by ARG_MAX., no scores"),
    ],
)
def test_a_single_unit_whose_meaning_is_open(face: Interface, told: str) -> None:
    with pytest.raises(BuildError, match=told):
        classification([face], settings())


def test_a_threshold_of_the_users() -> None:
    face = Interface("y", "int8", (1, 1), 1.4 / 255, -92, "FULLY_CONNECTED")
    assert classification([face], settings(threshold=0.5)).threshold == 0.5
    with pytest.raises(BuildError, match=r"threshold = 7 lies outside"):
        classification([face], settings(threshold=7.0))
    with pytest.raises(BuildError, match="has several units"):
        classification([FOUR], settings(threshold=0.5))


def test_of_several_outputs_one_is_named() -> None:
    with pytest.raises(BuildError, match=r"2 outputs \(0 'four' \(1, 4\), 1 'two' \(1, 2\)\).*\[model\] output = 0"):
        classification([FOUR, TWO], settings())
    outputs = np.array([[0, 0, 9, 0, 5, 1], [7, 0, 0, 0, 1, 5]], np.int8)
    for name, first, answers in ((0, 0, [2, 0]), ("four", 0, [2, 0]), (1, 4, [0, 1]), ("two", 4, [0, 1])):
        reads = classification([FOUR, TWO], settings(output=name))
        assert reads.first == first and reads.answers(outputs).tolist() == answers
    with pytest.raises(BuildError, match="output = 2 is none of its outputs"):
        classification([FOUR, TWO], settings(output=2))
    with pytest.raises(BuildError, match="output = 'two' is the name of 2 of its outputs"):
        classification([TWO, TWO], settings(output="two"))
    assert classification([FOUR], settings()).first == 0


def test_many_outputs_of_long_names() -> None:
    faces = [Interface(f"{'layer/' * 40}{n}", "int8", (1, 4), 0.1, 0) for n in range(9)]
    with pytest.raises(BuildError, match="and 5 more") as refusal:
        classification(faces, settings())
    assert len(str(refusal.value)) < 500


@pytest.mark.parametrize("shape", [(1, 8, 8, 3), (1, 49, 1), (1, 5, 5, 1), (4, 10)])
def test_what_is_no_vector_of_classes_has_no_accuracy(shape: tuple[int, ...]) -> None:
    with pytest.raises(BuildError, match="is no vector of classes"):
        classification([Interface("y", "int8", shape, 0.1, 0, "CONV_2D")], settings())
    for vector in ((1, 10), (10,), (1, 1, 1, 10)):
        assert classification([Interface("y", "int8", vector, 0.1, 0, "CONV_2D")], settings()).classes == 10


def test_doubts() -> None:
    sigmoids = Interface("y", "int8", (1, 3), 1 / 256, -128, "LOGISTIC")
    (caution,) = doubts([sigmoids], [X], settings())
    assert caution.startswith("The 3 outputs are sigmoids, each for itself")
    (caution,) = doubts([Interface("y", "int8", (1, 64), 0.1, 0, "FULLY_CONNECTED")], [X], settings())
    assert "as many elements as an input (64)" in caution
    assert doubts([TWO], [X], settings()) == doubts([SIGMOID], [X], settings()) == []


def test_the_operator_behind_changes_of_type_and_shape(tmp_path: Path) -> None:
    w = Writer()
    x = w.tensor((1, 1, 1, 6), scale=0.1)
    sums, p = w.tensor((1, 1, 1, 6), scale=1 / 256, zero_point=-128), w.tensor((1, 6), scale=1 / 256, zero_point=-128)
    y = w.tensor((1, 6), "float32")
    w.operator("LOGISTIC", [x], [sums])
    w.operator("RESHAPE", [sums, w.tensor((2,), "int32", values=np.array([1, 6]))], [p])
    w.operator("DEQUANTIZE", [p], [y])
    (face,) = import_tflite(write(tmp_path / "net.tflite", w.finish([x], [y]))).outputs
    assert face.operator == "LOGISTIC" and face.dtype == "float32"
