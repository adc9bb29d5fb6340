"""What networks for a data set depend on, without its samples: outline.json."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from mcubuild.errors import BuildError

MAX_RESOLUTION = 224
"""Largest input side where the spec gives none: that of ImageNet networks."""
AUDIO_SIDE = 48
"""Frames and bands where the spec gives none: a frame every 20 ms of a second, as is usual for keywords."""


@dataclass(frozen=True)
class Outline:
    """Classes and sizes."""

    task: str
    """As in the spec."""
    classes: int
    channels: int
    """1 for grey, 3 for RGB, as many as a series has values at a time."""
    max_resolution: int
    """Largest input side, or length of a series, that a network may take."""
    series: bool = False
    """Whether samples are series of values, one pixel wide."""
    anchors: int = 0
    """Of a detector: boxes that each cell of its output tells of."""
    stride: int = 0
    """Of a detector: pixels of the input a cell of the output; of an autoencoder 1; 0: there is one answer for the
    whole sample."""

    @property
    def reconstructs(self) -> bool:
        """Whether networks are autoencoders, which put out what they read."""
        return bool(self.stride) and not self.anchors

    @property
    def outputs(self) -> int:
        """Values that a network puts out, for each cell where there are such: of a box four of place and size, one of
        how sure it is, and the classes. An autoencoder puts out all that it reads of a window.
        """
        if self.reconstructs:
            return self.max_resolution * self.channels
        return self.anchors * (5 + self.classes) if self.stride else self.classes


def write_outline(outline: Outline, path: Path) -> None:
    """Write ``outline`` as JSON."""
    path.write_text(json.dumps(asdict(outline), indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_outline(path: Path) -> Outline:
    """The outline in ``path``.

    Raises:
        BuildError: the file is missing or damaged.
    """
    try:
        return Outline(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise BuildError(f"{path}: not a data set's outline ({error}); delete it and build again.") from None
