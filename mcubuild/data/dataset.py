"""From a spec's data set to index.json, train.npz, val.npz and test.npz."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.images import read_image_folder
from mcubuild.data.partition import partition
from mcubuild.data.splits import Index, Split, write_index, write_split
from mcubuild.spec.dataset import DatasetSettings

_MAX_RESOLUTION = 224
"""Largest input side where the spec gives none: that of ImageNet networks."""
_MAX_ENLARGEMENT = 4
"""Nor more than this multiple of the images' side."""


def prepare(settings: DatasetSettings, root: Path, seed: int, out: Path) -> None:
    """Write the data set to the folder ``out``: index.json and one .npz a split.

    Args:
        settings: the spec's dataset section.
        root: folder that ``settings.path`` is relative to.
        seed: of the split; the same seed gives the same bytes.
        out: written to; made if missing.

    Raises:
        BuildError: the data set is missing, unreadable or too small; the message names the file or class.
    """
    if settings.kind == "digits":
        classes, given = _digits()
    else:
        assert settings.path is not None  # the spec saw to it
        classes, given = read_image_folder(root / settings.path, settings.max_resolution or _MAX_RESOLUTION)
    splits = partition(given, classes, settings.val_fraction, settings.test_fraction, seed)
    _, side, _, channels = splits["train"].x.shape
    index = Index(
        kind=settings.kind,
        task="image_classification",
        classes=classes,
        native_resolution=side,
        max_resolution=settings.max_resolution or min(_MAX_RESOLUTION, _MAX_ENLARGEMENT * side),
        channels=channels,
        splits={name: {"samples": len(split)} for name, split in splits.items()},
    )
    out.mkdir(parents=True, exist_ok=True)
    write_index(index, out / "index.json")
    for name, split in splits.items():
        write_split(split, out / f"{name}.npz")


def _digits() -> tuple[tuple[str, ...], dict[str, Split]]:
    """The 1797 handwritten digits, 8x8 pixels with 17 grey levels, that come with scikit-learn."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    levels: NDArray[np.float64] = bunch.images
    x = np.round(levels * (255 / 16)).astype(np.uint8)[..., np.newaxis]
    return tuple(str(digit) for digit in range(10)), {"all": Split(x, bunch.target.astype(np.int64))}
