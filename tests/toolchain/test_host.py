"""The network as a library of this machine."""

import ctypes
from pathlib import Path

import numpy as np
import pytest

from mcubuild.errors import BuildError
from mcubuild.toolchain.compile import host_library
from mcubuild.toolchain.target import ToolchainName
from tests.toolchain.handwritten import expected, inputs, write_model

STRICT = ("-Wall", "-Wextra", "-Werror", "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error")


@pytest.mark.parametrize(
    ("toolchain", "flags"),
    [("zig", ()), *(pytest.param("gcc", flags, marks=pytest.mark.needs("cc")) for flags in ((), STRICT))],
)
def test_the_same_c_on_this_machine(toolchain: ToolchainName, flags: tuple[str, ...], tmp_path: Path) -> None:
    path = host_library(write_model(tmp_path), tmp_path, flags, toolchain)
    library = ctypes.CDLL(str(path))
    arena = np.zeros(160, np.int8)
    for seed in range(3):
        arena[:64] = inputs(seed)
        library.model_run(arena.ctypes.data_as(ctypes.c_void_p))
        np.testing.assert_array_equal(arena[128:138], expected(inputs(seed)))


def test_code_that_does_not_compile(tmp_path: Path) -> None:
    folder = write_model(tmp_path)
    (folder / "weights.c").write_text("wrong\n")
    with pytest.raises(BuildError, match=r"weights\.c:1:"):
        host_library(folder, tmp_path)
