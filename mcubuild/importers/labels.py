"""Labels that somebody brought, as classes of the output that they are for; what does not fit is refused."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcubuild.errors import BuildError
from mcubuild.importers.arrays import load


def read_labels(path: Path, count: int, classes: int) -> NDArray[np.int64]:
    """Classes (N,), 0 ... ``classes`` - 1, from integers or whole numbers (N,) or (N, 1), or one-hot (N, classes).

    Raises:
        BuildError: it is none of these, or has not ``count`` samples.
    """
    values = load(path)
    if values.dtype.kind not in "biuf" or values.ndim not in (1, 2) or len(values) != count:
        raise BuildError(
            f"{path}: found {values.dtype} {values.shape}; labels are integers ({count},), one a sample, or one-hot "
            f"({count}, {classes})."
        )
    if not (np.isfinite(values) & (values == np.floor(values))).all():
        raise BuildError(
            f"{path}: found fractions (such as {_odd(values)}); labels are whole numbers, 0 to {classes - 1}: measured "
            f"values and probabilities have no accuracy. Remove labels, or compare with [model] outputs."
        )
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    return _from_one_hot(path, values, classes) if values.ndim == 2 else _in_range(path, values, classes)


def _odd(values: NDArray[Any]) -> float:
    return float(values[~(np.isfinite(values) & (values == np.floor(values)))][0])


def _from_one_hot(path: Path, values: NDArray[Any], classes: int) -> NDArray[np.int64]:
    if values.shape[1] != classes:
        raise BuildError(
            f"{path}: found {values.shape}; one-hot labels of {classes} classes are ({len(values)}, {classes}), plain "
            f"ones ({len(values)},)."
        )
    set_ = np.asarray(values == 1)
    if not (set_ | (values == 0)).all() or (set_.sum(axis=1) != 1).any():
        row = int(np.argmax((set_.sum(axis=1) != 1) | ~(set_ | (values == 0)).all(axis=1)))
        raise BuildError(
            f"{path}: row {row} is not one 1 among zeros; a sample has one class here. Several at a time (multi-label) "
            f"have no accuracy: remove labels, or compare with [model] outputs."
        )
    return np.asarray(set_.argmax(axis=1), np.int64)


def _in_range(path: Path, values: NDArray[Any], classes: int) -> NDArray[np.int64]:
    low, high = values.min(), values.max()
    if low >= 0 and high < classes:
        return values.astype(np.int64)
    remedy = f"The output has {classes} classes"
    if low == 1 and high == classes:
        remedy = "Labels start at 0: subtract 1"
    elif (low, high) == (-1, 1) and classes == 2:
        remedy = "Write 0 for -1"
    raise BuildError(
        f"{path}: found labels {float(low):.15g} to {float(high):.15g}, allowed are 0 to {classes - 1}. {remedy}."
    )
