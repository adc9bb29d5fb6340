"""A data set to be looked at: counts, and a dozen samples with their labels, in overview.json and overview.npz."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcubuild.errors import BuildError
from mcubuild.npz import read_npz, write_npz

SIZES = (0.0025, 0.01, 0.04, 0.09, 0.25, 1.0)
"""Shares of a picture's area that boxes are counted by: squares of 5 % of its side, 10, 20, 30, 50 and 100 %."""


@dataclass(frozen=True)
class Example:
    """A sample to be looked at."""

    name: str
    """As messages call it."""
    split: str
    label: int
    sound: bytes | None = None
    """Of a recording: what its spectrogram was computed from, as a WAV file with 16 bits."""
    boxes: tuple[tuple[int, float, float, float, float], ...] = ()
    """Of a picture: label, top, left, bottom and right as shares of it."""


@dataclass(frozen=True)
class Overview:
    """A data set to be looked at."""

    counts: Mapping[str, tuple[int, ...]]
    """Samples of each class, by split; of pictures with boxes, boxes of each class."""
    examples: tuple[Example, ...]
    x: NDArray[np.uint8]
    """The samples (E, H, W, C) as networks get them."""
    pictures: bool
    """Whether people see or hear the samples; other numbers are measurements."""
    empty: Mapping[str, int] | None = None
    """Of pictures with boxes: how many of each split have none."""
    sizes: tuple[int, ...] = ()
    """Of boxes to train with: how many have each of ``SIZES`` as the next larger share of the picture."""


def write_overview(shown: Overview, folder: Path) -> None:
    """Write overview.json and overview.npz."""
    examples = [
        {
            "name": one.name,
            "split": one.split,
            "label": one.label,
            "sound": None if one.sound is None else base64.b64encode(one.sound).decode(),
            "boxes": one.boxes,
        }
        for one in shown.examples
    ]
    content = {
        "counts": shown.counts,
        "examples": examples,
        "pictures": shown.pictures,
        "empty": shown.empty,
        "sizes": shown.sizes,
    }
    (folder / "overview.json").write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    write_npz(folder / "overview.npz", {"x": shown.x})


def read_overview(json_path: Path, npz_path: Path) -> Overview:
    """What ``write_overview`` has written.

    Raises:
        BuildError: a file is missing or damaged.
    """
    try:
        content = json.loads(json_path.read_text(encoding="utf-8"))
        examples = tuple(
            Example(
                **{
                    **one,
                    "sound": None if one["sound"] is None else base64.b64decode(one["sound"]),
                    "boxes": tuple((label, top, left, low, right) for label, top, left, low, right in one["boxes"]),
                }
            )
            for one in content["examples"]
        )
        counts = {split: tuple(of_class) for split, of_class in content["counts"].items()}
        x = read_npz(npz_path, ("x",))["x"]
        return Overview(counts, examples, x, content["pictures"], content["empty"], tuple(content["sizes"]))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BuildError(f"{json_path}: not a data set's overview ({error}); delete it and build again.") from None
