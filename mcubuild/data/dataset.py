"""From a spec's data set to index.json, inventory.json, train.npz, val.npz and test.npz."""

from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.checks import check
from mcubuild.data.images import read_images
from mcubuild.data.inventory import Inventory, write_inventory
from mcubuild.data.partition import partition
from mcubuild.data.recordings import read_recordings
from mcubuild.data.sources import scan
from mcubuild.data.splits import Index, Split, write_index, write_split
from mcubuild.spec.dataset import DatasetSettings

_MAX_RESOLUTION = 224
"""Largest input side where the spec gives none: that of ImageNet networks."""
_MAX_ENLARGEMENT = 4
"""Nor more than this multiple of the images' side."""


def prepare(settings: DatasetSettings, root: Path, seed: int, out: Path) -> None:
    """Write the data set to the folder ``out``: index.json, inventory.json and one .npz a split.

    Args:
        settings: the spec's dataset section.
        root: folder that ``settings.path`` is relative to.
        seed: of the split; the same seed gives the same bytes.
        out: written to; made if missing.

    Raises:
        BuildError: the data set is missing, unreadable or too small; the message names the file or class.
    """
    fractions = settings.val_fraction, settings.test_fraction
    front_end = None
    cautions: tuple[str, ...] = ()
    if settings.kind == "digits":
        classes, x, labels = _digits()
        chosen = partition(labels, [None] * len(labels), None, classes, *fractions, seed)
        pictures = {name: x[indexes] for name, indexes in chosen.items()}
        names = {name: [f"digit {index}" for index in indexes] for name, indexes in chosen.items()}
        contents = {name: [sha256(one.tobytes()).hexdigest() for one in part] for name, part in pictures.items()}
    else:
        assert settings.path is not None  # the spec saw to it
        folder = root / settings.path
        samples = scan(folder, settings)
        classes, labels = samples.classes, np.array(samples.labels, np.int64)
        chosen = partition(labels, samples.splits, samples.groups, classes, *fractions, seed)
        files = {name: [samples.paths[index] for index in indexes] for name, indexes in chosen.items()}
        names = {name: [path.relative_to(folder).as_posix() for path in paths] for name, paths in files.items()}
        if settings.kind == "audio_folder":
            pictures, front_end, cautions = read_recordings(files, folder, settings)
        else:
            pictures, cautions = read_images(files, folder, settings.max_resolution or _MAX_RESOLUTION)
        contents = {name: [sha256(path.read_bytes()).hexdigest() for path in part] for name, part in files.items()}
    by_split = {name: labels[indexes] for name, indexes in chosen.items()}
    cautions += check(pictures, by_split, classes, names, contents)
    _, side, _, channels = pictures["train"].shape
    index = Index(
        kind=settings.kind,
        task=settings.task,
        classes=classes,
        native_resolution=side,
        max_resolution=settings.max_resolution
        or (
            # A spectrogram has all its detail at its own resolution.
            side if front_end else min(_MAX_RESOLUTION, _MAX_ENLARGEMENT * side)
        ),
        channels=channels,
        front_end=front_end,
    )
    out.mkdir(parents=True, exist_ok=True)
    write_index(index, out / "index.json")
    inventory = Inventory({name: len(indexes) for name, indexes in chosen.items()}, cautions)
    write_inventory(inventory, out / "inventory.json")
    for name, indexes in chosen.items():
        write_split(Split(pictures[name], labels[indexes]), out / f"{name}.npz")


def _digits() -> tuple[tuple[str, ...], NDArray[np.uint8], NDArray[np.int64]]:
    """Classes, pictures and labels of the 1797 handwritten digits, 8x8 pixels with 17 grey levels, of scikit-learn."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    levels: NDArray[np.float64] = bunch.images
    x = np.round(levels * (255 / 16)).astype(np.uint8)[..., np.newaxis]
    return tuple(str(digit) for digit in range(10)), x, bunch.target.astype(np.int64)
