"""Sample files from anywhere: whatever is wrong with a .npy, one line says so and names it."""

import struct
from pathlib import Path

import numpy as np
import pytest

from mcubuild.errors import BuildError
from mcubuild.importers.arrays import load

HEADER = "{{'descr': {}, 'fortran_order': False, 'shape': {}, }}"


def npy(descr: str, shape: str, data: bytes = bytes(64)) -> bytes:
    header = HEADER.format(descr, shape).encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff",
        b"PK\x03\x04" + bytes(30),
        npy("'|i1'", "(1000000000000000,)"),
        npy("'|i1'", f"({'9' * 400},)"),
        npy("'|i1'", f"({'9' * 5000},)"),
        npy("'|i1'", "(-4, -16)"),
        npy("'|i1'", "(-1, 4)"),
        npy("'|i1'", "(" * 3000 + ")" * 3000),
        npy("'|i1'", "(4611686018427387904, 4)"),
        npy("'|i1'", "(nan,)"),
        npy("'|O'", "(3,)", b"\x80\x04N."),
        npy("'|z9'", "(3,)"),
        npy("'|i1\\x00'", "(3,)"),
    ],
    ids=range(15),
)
def test_damaged_arrays(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(data)
    with pytest.raises(BuildError, match=r"x\.npy: ") as caught:
        load(path)
    assert len(str(caught.value)) < 500 and "\n" not in str(caught.value)


def test_an_array(tmp_path: Path) -> None:
    expected = np.arange(6, dtype=np.int8).reshape(2, 3)
    np.save(tmp_path / "x.npy", expected)
    np.testing.assert_array_equal(load(tmp_path / "x.npy"), expected)
