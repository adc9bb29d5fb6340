"""Arrays that somebody brought in .npy files."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcubuild.errors import BuildError


def load(path: Path) -> NDArray[Any]:
    """The array in ``path``.

    Raises:
        BuildError: the file is missing, damaged or holds something else.
    """
    try:
        values: NDArray[Any] = np.load(path, allow_pickle=False)
    except Exception as error:  # numpy parses the header as Python
        raise BuildError(f"{path}: cannot be read as .npy ({str(error)[:200]}).") from None
    if not isinstance(values, np.ndarray):
        raise BuildError(f"{path}: holds several arrays; give one .npy an input.")
    return values
