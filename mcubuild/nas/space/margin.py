"""How the emulated cycles of networks relate to the engine's estimates, so that limits of the time can allow for it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Margin:
    """What was found of other networks on the same board, with the same kernels and compiler."""

    scale: float = 1.0
    """Emulated cycles relative to the engine's estimate: the mean."""
    too_low: float = 0.0
    """By how much emulated cycles may exceed an estimate that is multiplied by that."""
    kinds: Mapping[str, float] = field(default_factory=dict)
    """The mean of each kind of blocks, where more than one competes."""

    def of(self, block: str) -> float:
        """What estimates of networks of this kind of blocks are multiplied by."""
        return self.kinds.get(block, self.scale)


NO_MARGIN = Margin()
"""Estimates as they are."""


def read_margin(path: Path | None) -> Margin:
    """The margin in margin.json; without the file, as nothing limits the time, none is needed."""
    if path is None:
        return NO_MARGIN
    values = json.loads(path.read_text(encoding="utf-8"))
    return Margin(values["scale"], values["too_low"], values["kinds"])
