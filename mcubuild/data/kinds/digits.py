"""The 1797 handwritten digits, 8x8 pixels with 17 grey levels, of scikit-learn."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcubuild.data.kinds.base import Found, Kind

if TYPE_CHECKING:
    from mcubuild.spec.datasets.digits import DigitsSettings


def _sources(settings: Mapping[str, Any], root: Path) -> dict[str, Path]:
    return {}  # scikit-learn ships them


def _find(settings: "DigitsSettings", root: Path) -> Found:
    import numpy as np
    from sklearn.datasets import load_digits

    from mcubuild.data.samples import Arrays

    bunch = load_digits()
    x = np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., np.newaxis]
    return Found(
        tuple(str(digit) for digit in range(10)),
        bunch.target.astype(np.int64),
        Arrays(x, [f"digit {number}" for number in range(len(x))], pictures=True),
        [None] * len(x),
        None,
        {"val": settings.val_fraction, "test": settings.test_fraction},
    )


KIND = Kind("arrays", _sources, _find)
