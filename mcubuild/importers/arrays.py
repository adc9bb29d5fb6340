"""Arrays that somebody brought in .npy files."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcubuild.errors import BuildError, reading


def load(path: Path) -> NDArray[Any]:
    """The array in ``path``.

    Raises:
        BuildError: the file is missing, damaged or holds something else.
    """
    with reading(path, ".npy"):
        values: NDArray[Any] = np.load(path, allow_pickle=False)
    if not isinstance(values, np.ndarray):
        raise BuildError(f"{path}: holds several arrays; give one .npy an input.")
    return values
