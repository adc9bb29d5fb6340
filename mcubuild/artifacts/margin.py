"""margin.json: how the emulated cycles of networks relate to the engine's estimates, so that limits of the time can
allow for it.
"""

from collections.abc import Mapping
from pathlib import Path

from mcubuild.artifacts import Artifact, read_artifact

MARGIN = "margin.json"


class Estimate(Artifact, frozen=True):
    """One network: what the search was told, and what its firmware takes."""

    core: str
    """The board's core."""
    board: str
    """Whose memories the firmware waits for."""
    toolchain: str
    """Compiler and version."""
    space: str
    """Search space that it was drawn from."""
    arena: int | None
    """Bytes of the arena that its plan was to keep to; None: any number."""
    streams: bool
    """Whether some of its layers stream."""
    estimated: int
    """Cycles of an inference as the search knows them."""
    emulated: float
    """Cycles of an inference in the emulator."""
    conditions: str
    """What it holds for: see ``mcubuild.report.estimates.conditions``."""

    @property
    def error(self) -> float:
        """Of the estimate, relative to the emulated cycles; positive where it is too high."""
        return self.estimated / self.emulated - 1


class Margin(Artifact, frozen=True):
    """The whole file: what was found of other networks on the same board, with the same kernels and compiler."""

    scale: float = 1.0
    """Emulated cycles relative to the engine's estimate: the mean."""
    too_low: float = 0.0
    """By how much emulated cycles may exceed an estimate that is multiplied by that."""
    kinds: Mapping[str, float] = {}
    """The mean of each kind of blocks, where they were run now."""
    networks: tuple[Estimate, ...] = ()
    """Those that were run now."""
    told: str = ""
    """What the user should know before the search, without the full stop."""

    def of(self, block: str) -> float:
        """What estimates of networks of this kind of blocks are multiplied by."""
        return self.kinds.get(block, self.scale)


NO_MARGIN = Margin()
"""Estimates as they are."""


def read_margin(path: Path | None) -> Margin:
    """The margin in margin.json; without the file, as nothing limits the time, none is needed.

    Raises:
        BuildError: the file is damaged.
    """
    return NO_MARGIN if path is None else read_artifact(path, Margin)
