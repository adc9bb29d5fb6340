"""The accuracy of networks from elsewhere."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcubuild import ROOT
from mcubuild.data.splits import Split
from mcubuild.errors import BuildError
from mcubuild.importers.interface import Interface
from mcubuild.importers.samples import read_arrays
from tests.importers.scores import accuracy
from tests.importers.writer import Writer, write

FIELD = ROOT.parent / "shared" / "field"
needs_field = pytest.mark.skipif(not FIELD.is_dir(), reason="inputs from the field (../shared/field) are not here")


def test_axes_in_another_order_are_no_samples(tmp_path: Path) -> None:
    """As many elements, and a picture that nobody would recognise."""
    face = Interface("x", "int8", (1, 8, 8, 3), 1.0, 0)
    for shape in ((5, 8, 8, 3), (5, 1, 8, 8, 3), (5, 64, 3), (5, 192)):
        np.save(tmp_path / "x.npy", np.zeros(shape, np.int8))
        assert read_arrays(["x.npy"], [face], tmp_path)[0].shape == (5, 192)
    np.save(tmp_path / "x.npy", np.zeros((5, 3, 8, 8), np.int8))
    with pytest.raises(BuildError, match=r"is \(1, 8, 8, 3\), the same axes in another order"):
        read_arrays(["x.npy"], [face], tmp_path)


@needs_field
def test_one_sigmoid_unit(tmp_path: Path) -> None:
    keys: dict[str, Any] = {
        key: str(FIELD / f"even{name}")
        for key, name in {"file": ".tflite", "inputs": "_x.npy", "outputs": "_y.npy", "labels": "_labels.npy"}.items()
    }
    found = accuracy(tmp_path, **keys)
    assert f"{found['int8']:.2%}" == "97.49%" and found["author"]["differ"] == 0
    assert found["classification"]["threshold"] == 0.5


@needs_field
def test_two_outputs(tmp_path: Path) -> None:
    keys: dict[str, Any] = {
        "file": str(FIELD / "two_heads.tflite"),
        "inputs": [str(FIELD / f"two_heads_x{n}.npy") for n in range(2)],
    }
    for output, name in ((0, "four"), ("StatefulPartitionedCall_1_1", "four"), (1, "two")):
        assert (
            accuracy(tmp_path, **keys, labels=str(FIELD / f"two_heads_labels_{name}.npy"), output=output)["int8"] == 1
        )
    with pytest.raises(BuildError, match="it has 2 outputs"):
        accuracy(tmp_path, **keys, labels=str(FIELD / "two_heads_labels_four.npy"))


def test_sixteen_bits(tmp_path: Path) -> None:
    """A network of int16 with float borders: classes, outputs and tolerance are in its levels, not in bytes."""
    w = Writer()
    x, y = w.tensor((1, 3), "float32"), w.tensor((1, 3), "float32")
    q, z = w.tensor((1, 3), "int16", 0.001), w.tensor((1, 3), "int16", 0.002)
    weights = w.tensor((3, 3), scale=1 / 127, values=127 * np.eye(3))
    w.operator("QUANTIZE", [x], [q])
    w.operator("FULLY_CONNECTED", [q, weights, -1], [z])
    w.operator("DEQUANTIZE", [z], [y])
    write(tmp_path / "net.tflite", w.finish([x], [y]))
    values = np.random.default_rng(0).normal(0, 8, (20, 3)).astype(np.float32)
    shifted = values.copy()
    shifted[4, 1] += 0.002 * 300
    np.save(tmp_path / "x.npy", values)
    np.save(tmp_path / "y.npy", shifted)
    np.save(tmp_path / "labels.npy", values.argmax(axis=1))
    keys: dict[str, Any] = {"inputs": "x.npy", "outputs": "y.npy", "labels": "labels.npy", "tolerance": 2}
    found = accuracy(tmp_path, **keys)
    assert found["int8"] == 1 and found["classification"]["bits"] == 16
    assert found["author"]["beyond"] == 1 and 298 <= found["author"]["largest"] <= 302
    assert np.load(tmp_path / "out" / "int8_outputs.npy").shape == (20, 6)


def classifier(folder: Path, scale: float = 1 / 255, zero_point: int = -128, dtype: str = "int8") -> None:
    """Of 2x2 images: class 0 ... 3 is the brightest pixel."""
    w = Writer()
    x = w.tensor((1, 2, 2, 1), dtype, None if dtype == "float32" else scale, zero_point + 128 * (dtype == "uint8"))
    q = x
    if dtype != "int8":
        q = w.tensor((1, 2, 2, 1), "int8", scale, zero_point)
        w.operator("QUANTIZE", [x], [q])
    y = w.tensor((1, 4), scale=4 * scale)
    w.operator("FULLY_CONNECTED", [q, w.tensor((4, 4), scale=1 / 127, values=127 * np.eye(4)), -1], [y])
    write(folder / "net.tflite", w.finish([x], [y]))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "float32"])
@pytest.mark.parametrize(("scale", "zero_point"), [(1 / 255, -128), (2 / 255, -1), (1, -128)])
def test_a_data_set(tmp_path: Path, dtype: str, scale: float, zero_point: int) -> None:
    classifier(tmp_path, scale, zero_point, dtype)
    x = np.zeros((8, 2, 2, 1), np.uint8)
    y = np.arange(8) % 4
    x.reshape(8, 4)[np.arange(8), y] = 255
    y[0] = 1
    found = accuracy(tmp_path, (Split(x, y), 4))
    low, high = (-1, 1) if zero_point == -1 else (0, round(255 * scale))
    assert found["int8"] == 7 / 8 and found["pixels"] == [low, high]
    fed = np.load(tmp_path / "out" / "inputs.npy")
    assert np.unique(scale * (fed.astype(float) - zero_point)) == pytest.approx([low, high], abs=0.51 * scale)


def test_a_data_set_of_other_classes(tmp_path: Path) -> None:
    classifier(tmp_path)
    with pytest.raises(BuildError, match="answers with 4 classes, the data set has 3"):
        accuracy(tmp_path, (Split(np.zeros((1, 2, 2, 1), np.uint8), np.array([0])), 3))


def test_labels_are_checked_before_anything_is_run(tmp_path: Path) -> None:
    classifier(tmp_path)
    np.save(tmp_path / "x.npy", np.zeros((4, 2, 2, 1), np.int8))
    np.save(tmp_path / "l.npy", np.arange(1, 5))
    with pytest.raises(BuildError, match=r"found labels 1 to 4, allowed are 0 to 3\. Labels start at 0: subtract 1"):
        accuracy(tmp_path, inputs="x.npy", labels="l.npy")
    found = accuracy(tmp_path, inputs="x.npy")
    assert found["int8"] is found["labels"] is found["classification"] is None and found["cautions"] == []
