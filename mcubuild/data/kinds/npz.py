"""A file of the user's arrays."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcubuild.data.kinds.base import Found, Kind

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mcubuild.data.samples import Samples
    from mcubuild.spec.datasets.npz import NpzSettings

_SPLITS = ("train", "val", "test")
_SMALLEST = 8
"""Pixels along either side of an image, unless both are fewer, and moments of a window."""


def _sources(settings: Mapping[str, Any], root: Path) -> dict[str, Path]:
    path = root / settings["path"]
    return {path.name: path} if path.is_file() else {}


def _find(settings: "NpzSettings", root: Path) -> Found:
    import numpy as np

    from mcubuild.errors import BuildError

    path = root / settings.path
    arrays = _read(path)
    parts = [f"_{split}" for split in _SPLITS if f"x_{split}" in arrays] or [""]
    if parts != [""] and "x" in arrays:
        raise BuildError(f"{path}: found both x and x{parts[0]}; leave the whole or the splits.")
    if "" not in parts and "_train" not in parts:
        raise BuildError(f"{path}: found x{parts[0]} without x_train; add it, or give all samples as x and y.")
    if all(f"x{part}" in arrays for part in parts):
        _refuse_unread(arrays, parts, path)
    given = {name: [_array(arrays, f"{name}{part}", path) for part in parts] for name in ("x", "y")}
    for part, x, y in zip(parts, given["x"], given["y"], strict=True):
        if y.shape != x.shape[:1]:
            raise BuildError(
                f"{path}: found y{part} {y.shape} for x{part} {x.shape}; allowed is a class a sample (N,): of a column "
                f"y[:, 0], of one-hot labels y.argmax(axis=1)."
            )
    if len(shapes := {x.shape[1:] for x in given["x"]}) > 1:
        raise BuildError(f"{path}: found samples of {' and '.join(map(str, sorted(shapes)))}; all must have one shape.")
    x = np.ascontiguousarray(np.concatenate(given["x"]))
    y = np.concatenate(given["y"])
    classes, labels = _classes(y, arrays.get("classes"), path)
    names = [
        f"{path.name}: x{part}[{number}]"
        for part, one in zip(parts, given["x"], strict=True)
        for number in range(len(one))
    ]
    splits = [part[1:] or None for part, one in zip(parts, given["x"], strict=True) for _ in range(len(one))]
    if "_test" not in parts or "_val" not in parts:
        splits = [None if split == "train" else split for split in splits]
    groups = None
    if any(f"groups{part}" in arrays for part in parts):
        found = [_array(arrays, f"groups{part}", path) for part in parts]
        if wrong := [one for one in found if one.ndim != 1]:
            raise BuildError(f"{path}: found groups {wrong[0].shape}; allowed is one a sample (N,).")
        groups = [name for one in found for name in _names(one, "groups", path)]
        if len(groups) != len(x):
            raise BuildError(f"{path}: found {len(groups)} groups for {len(x)} samples; allowed is one each.")
    samples, cautions = _samples(x, names, arrays.get("channels"), settings, path)
    if y.dtype.kind == "i" and y.min() < 0 and len(classes) > 2:
        cautions += (f"{path.name}: the label {y.min()} is a class like others; leave out what it marks as unknown",)
    held_out = {"val": settings.val_fraction, "test": settings.test_fraction}
    return Found(classes, labels, samples, splits, groups, held_out, cautions=cautions)


def _samples(
    x: "NDArray[Any]", names: list[str], channels: "NDArray[Any] | None", settings: "NpzSettings", path: Path
) -> "tuple[Samples, tuple[str, ...]]":
    """What ``x`` holds, and what is odd about its shape."""
    import numpy as np

    from mcubuild.data.samples import Values, Windows
    from mcubuild.errors import BuildError

    if x.dtype.kind not in "uif" or 0 in x.shape:
        raise BuildError(f"{path}: found x {x.dtype}{x.shape}; allowed are integers or floats, and a sample at least.")
    cautions = list[str]()
    if x.ndim == 3 and x.dtype == np.uint8 and channels is None and min(x.shape[1:]) >= _SMALLEST:
        cautions.append(f"{path.name}: x {x.shape} of uint8 was read as grey images; windows name their channels")
        x = x[..., np.newaxis]
    if x.ndim == 3:
        called = _names(channels, "channels", path) if channels is not None else ()
        if channels is not None and len(called) != x.shape[2]:
            raise BuildError(f"{path}: found {len(called)} channels for x {x.shape}; allowed is a name a channel.")
        if x.shape[1] < _SMALLEST:
            raise BuildError(
                f"{path}: found windows of {x.shape[1]} moments in x {x.shape}; allowed are {_SMALLEST} and more."
            )
        _refuse_twice(called, "channels", path)
        if channels is None and x.shape[1] == x.shape[2]:
            cautions.append(
                f"{path.name}: x {x.shape} was read as windows of as many moments as channels; of images, add an axis, "
                f"x[..., np.newaxis]"
            )
        called = called or tuple(f"channel {number}" for number in range(x.shape[2]))
        return Windows(x.astype(np.float32), names, called, settings.corrupt), tuple(cautions)
    if x.ndim == 4 and x.shape[3] in (1, 3):
        shorter, longer = sorted(x.shape[1:3])
        if shorter < _SMALLEST <= longer:
            raise BuildError(
                f"{path}: found images x {x.shape}, of which but {shorter}x{shorter} pixels would be read; allowed are "
                f"{_SMALLEST} and more along both sides. Windows are (N, T, C): remove an axis, as by x[..., 0]."
            )
        if longer > 2 * shorter:
            cautions.append(f"{path.name}: of x {x.shape} only the square in the middle is read, less than half")
        return Values(x, names, settings.corrupt), tuple(cautions)
    raise BuildError(
        f"{path}: found x {x.shape}; allowed are images (N, H, W, C) with 1 or 3 channels and windows (N, T, C): add "
        f"an axis of 1 for a single channel, x[..., np.newaxis], and put channels last, np.moveaxis(x, 1, -1)."
    )


def _read(path: Path) -> "dict[str, NDArray[Any]]":
    import zipfile

    import numpy as np

    from mcubuild.errors import BuildError

    if not path.is_file():
        raise BuildError(f"{path}: no such file; dataset.path names a .npz file with x and y.")
    try:
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ValueError("it holds a single array")
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:150]
        raise BuildError(
            f'{path}: not a file of plain arrays ({reason}); write it by np.savez("{path.name}", x=x, y=y).'
        ) from None


def _refuse_unread(arrays: "Mapping[str, NDArray[Any]]", parts: Sequence[str], path: Path) -> None:
    """See that every array is one that is read: a split called x_valid would be left out in silence.

    Raises:
        BuildError: one is not.
    """
    from mcubuild.errors import BuildError, shown

    read = [f"{name}{part}" for part in parts for name in ("x", "y", "groups")] + ["classes", "channels"]
    if unread := [name for name in arrays if name not in read]:
        raise BuildError(
            f"{path}: found the array {shown(unread[0])}, which is not read beside x{parts[0]}; allowed are "
            f"{', '.join(read)}, and splits are called {', '.join(_SPLITS)}: rename or remove it."
        )


def _array(arrays: "Mapping[str, NDArray[Any]]", name: str, path: Path) -> "NDArray[Any]":
    from mcubuild.errors import BuildError

    if name not in arrays:
        raise BuildError(f"{path}: found the arrays {', '.join(arrays) or 'none'}, but no {name}; add it.")
    return arrays[name]


def _classes(
    y: "NDArray[Any]", names: "NDArray[Any] | None", path: Path
) -> "tuple[tuple[str, ...], NDArray[np.int64]]":
    """Names by label, and labels (N,)."""
    import numpy as np

    from mcubuild.errors import BuildError

    if y.dtype.kind not in "uiUS":
        raise BuildError(
            f"{path}: found y of {y.dtype}; allowed are integers and strings: y.astype(int), y.astype(str)."
        )
    if y.dtype.kind == "S":
        y = np.array(_names(y, "y", path))
    values, labels = np.unique(y, return_inverse=True)
    if names is None:
        if len(values) < 2:
            raise BuildError(f"{path}: found {len(values)} classes in y; at least two are needed.")
        return tuple(str(value) for value in values.tolist()), labels.astype(np.int64)
    called = list(_names(names, "classes", path))
    if len(called) < 2:
        raise BuildError(f"{path}: found classes {names.shape}; allowed are the names of two or more, by label (N,).")
    _refuse_twice(called, "classes", path)
    if y.dtype.kind == "U":
        if strange := sorted({*values.tolist()} - {*called}):
            raise BuildError(f"{path}: found the class {strange[0]!r} in y, which is not in classes; add it there.")
        return tuple(called), np.array([called.index(value) for value in values.tolist()])[labels]
    if values[0] < 0 or values[-1] >= len(called):
        raise BuildError(
            f"{path}: found labels {values[0]} to {values[-1]} for {len(called)} classes; they begin at 0."
        )
    return tuple(called), y.astype(np.int64)


def _names(values: "NDArray[Any]", array: str, path: Path) -> tuple[str, ...]:
    """Names (N,) in an array, from text or whatever else has a plain form.

    Raises:
        BuildError: it has another shape, or bytes that are not UTF-8.
    """
    from mcubuild.errors import BuildError

    if values.ndim != 1:
        raise BuildError(f"{path}: found {array} {values.shape}; allowed is a list of names (N,).")
    try:
        return tuple(one.decode() if isinstance(one, bytes) else str(one) for one in values.tolist())
    except UnicodeDecodeError:
        raise BuildError(
            f"{path}: found {array} of bytes that are not UTF-8; write strings: {array}.astype(str)."
        ) from None


def _refuse_twice(names: "Sequence[str]", what: str, path: Path) -> None:
    from mcubuild.errors import BuildError, shown

    if twice := [name for name in names if names.count(name) > 1 or not name.strip()]:
        raise BuildError(
            f"{path}: found {shown(twice[0])} in {what}, which is blank or there twice; allowed is a name of its own "
            f"for each."
        )


KIND = Kind("arrays", _sources, _find)
