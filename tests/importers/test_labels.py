from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcubuild.errors import BuildError
from mcubuild.importers.labels import read_labels

TRUE = [2, 0, 1, 2]


@pytest.mark.parametrize(
    "values",
    [
        np.array(TRUE),
        np.array(TRUE, np.uint8),
        np.array(TRUE, np.float32),
        np.array(TRUE)[:, None],
        np.eye(3)[TRUE],
        np.eye(3, dtype=bool)[TRUE],
    ],
)
def test_what_means_the_same(tmp_path: Path, values: NDArray[Any]) -> None:
    np.save(tmp_path / "l.npy", values)
    found = read_labels(tmp_path / "l.npy", 4, 3)
    assert found.tolist() == TRUE and found.dtype == np.int64


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.array([1, 2, 3, 1]), "found labels 1 to 3, allowed are 0 to 2. Labels start at 0: subtract 1"),
        (np.array([0, 1, 2, 9]), "found labels 0 to 9, allowed are 0 to 2. The output has 3 classes"),
        (np.array([-1, 0, 2, 1]), "found labels -1 to 2, allowed are 0 to 2"),
        (np.array([0, 1, 2, 1e300]), r"found labels 0 to 1e\+300"),
        (np.array([0, 1, 2, 2**64 - 1], np.uint64), "found labels 0 to 1.84467440737096e"),
        (np.array([0, 0.5, 1, 2]), "found fractions .such as 0.5.*measured values"),
        (np.array([0, np.nan, 1, 2]), "found fractions .such as nan"),
        (np.array([0, 1, 2]), r"found int64 \(3,\); labels are integers \(4,\)"),
        (np.eye(4)[[0, 1, 2, 3]], "one-hot labels of 3 classes"),
        (np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 0, 1]]), r"row 1 is not one 1 among zeros.*multi-label"),
        (np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1]]), "row 2 is not one 1"),
        (np.array([[1, 0, 0], [0, 2, 0], [0, 0, 1], [0, 0, 1]]), "row 1 is not one 1"),
        (np.array(["cat", "dog", "cat", "dog"]), "labels are integers"),
        (np.zeros((4, 8, 8)), "labels are integers"),
    ],
)
def test_what_fits_no_output_is_refused(tmp_path: Path, values: NDArray[Any], told: str) -> None:
    np.save(tmp_path / "l.npy", values)
    with pytest.raises(BuildError, match=told) as refusal:
        read_labels(tmp_path / "l.npy", 4, 3)
    assert len(str(refusal.value)) < 500


def test_of_one_unit(tmp_path: Path) -> None:
    np.save(tmp_path / "l.npy", np.array([-1, 1, 1]))
    with pytest.raises(BuildError, match="Write 0 for -1"):
        read_labels(tmp_path / "l.npy", 3, 2)
    np.save(tmp_path / "l.npy", np.array([True, False, True]))
    assert read_labels(tmp_path / "l.npy", 3, 2).tolist() == [1, 0, 1]


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\x00v\x00{'descr'", b"PK\x03\x04", b"\x00" * 100])
def test_damaged_files(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "l.npy").write_bytes(content)
    with pytest.raises(BuildError, match=r"l\.npy: "):
        read_labels(tmp_path / "l.npy", 3, 2)
