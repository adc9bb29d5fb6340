"""CIFAR-10 in its binary version: a byte with the label and three planes of 32x32 bytes a sample, by no name.

Layout: https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcubuild.data.kinds.base import Found, Kind
from mcubuild.data.places import place

if TYPE_CHECKING:
    from mcubuild.spec.datasets.cifar10 import Cifar10Settings

_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_ARCHIVE = "cifar-10-binary.tar.gz"
_TEST = "test_batch.bin"
_FILES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), _TEST)
_SIDE = 32
_RECORD = 1 + 3 * _SIDE**2
"""Bytes of a sample."""


def _places(folder: Path) -> dict[str, Path]:
    """The files with the samples by name, or the archive alone; nothing where neither is there."""
    for inside in (folder, folder / "cifar-10-batches-bin"):
        if all((inside / name).is_file() for name in _FILES):
            return {name: inside / name for name in _FILES}
    archive = folder / _ARCHIVE
    return {_ARCHIVE: archive} if archive.is_file() else {}


def _sources(settings: Mapping[str, Any], root: Path) -> dict[str, Path]:
    return _places(place("cifar10", settings["path"], root))


def _lacking(settings: Mapping[str, Any], root: Path) -> Sequence[str]:
    return () if _sources(settings, root) else (_ARCHIVE,)


def _find(settings: "Cifar10Settings", root: Path) -> Found:
    import numpy as np

    from mcubuild.data.files import read_packed
    from mcubuild.data.samples import Arrays
    from mcubuild.errors import BuildError, reading

    folder = place(settings.kind, settings.path, root)
    places = _places(folder)
    packed = places.get(_ARCHIVE)
    contents = {} if packed is None else read_packed(packed, _FILES)
    labels, pictures, names = [], [], list[str]()
    for name in _FILES:
        path = packed or places[name]
        if packed is None:
            with reading(path, "a batch of CIFAR-10"):
                contents[name] = path.read_bytes()
        called = f"{packed}: {name}" if packed else str(path)
        if not contents[name] or len(contents[name]) % _RECORD:
            raise BuildError(
                f"{called}: has {len(contents[name])} bytes, which is no multiple of {_RECORD}, a sample's; "
                f"get it again."
            )
        records = np.frombuffer(contents[name], np.uint8).reshape(-1, _RECORD)
        if (largest := int(records[:, 0].max())) >= len(_CLASSES):
            raise BuildError(f"{called}: has a label {largest}; CIFAR-10's are 0 to 9: get the binary version again.")
        labels.append(records[:, 0].astype(np.int64))
        pictures.append(records[:, 1:].reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1))
        names += [f"{name} {number}" for number in range(len(records))]
    tested = len(labels[-1])
    count = len(names) - tested
    return Found(
        _CLASSES,
        np.concatenate(labels),
        Arrays(np.ascontiguousarray(np.concatenate(pictures)), names, pictures=True),
        [None] * count + ["test"] * tested,
        None,
        {"val": settings.held_out(count)},
    )


KIND = Kind("arrays", _sources, _find, _lacking, foretold=True)
