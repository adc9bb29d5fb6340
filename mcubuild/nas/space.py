"""TinyNAS, first half: the width and resolution that suit the board (MCUNet, section 3.1).

The more multiply-accumulates the networks have that fit a board's memory, the more accurate they tend to be. So each
space is judged without training, by the multiply-accumulates of those of its networks that fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mcubuild.board import Board
from mcubuild.data.splits import Index
from mcubuild.engine.footprint import Footprint
from mcubuild.errors import BuildError
from mcubuild.nas.arch import Space, draw, resolutions_for, smallest
from mcubuild.nas.files import write_json
from mcubuild.nas.footprints import Footprints
from mcubuild.progress import bar
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.space import SpaceSettings
from mcubuild.units import format_size

PERCENTILE = 80
"""Of the multiply-accumulates of the networks that fit: the score of a space, as in the paper's figure 3."""
ENOUGH = 0.1
"""Share of a space's networks that must fit: below it the percentile rests on too few, and so would the search."""
CDF_PERCENTILES = tuple(range(0, 101, 5))


@dataclass(frozen=True)
class Row:
    """How one space did."""

    space: Space
    samples: int
    macs: tuple[int, ...]
    """Of the sampled networks that fit, ascending."""
    smallest: Footprint
    """Of the smallest network in the space, which is the first sample."""

    @property
    def share(self) -> float:
        """Share of the samples that fit."""
        return len(self.macs) / self.samples

    @property
    def score(self) -> float:
        """The 80th percentile of the multiply-accumulates of the networks that fit; 0 if none does."""
        return float(np.percentile(self.macs, PERCENTILE)) if self.macs else 0.0

    def to_json(self) -> dict[str, Any]:
        """The row of space_table.json; ``macs`` is null where nothing fits, ``cdf`` has [macs, share below] points."""
        points = np.percentile(self.macs, CDF_PERCENTILES).tolist() if self.macs else []
        return {
            "name": self.space.name,
            "width": self.space.width,
            "resolution": self.space.resolution,
            "samples": self.samples,
            "share": self.share,
            "macs": {"mean": float(np.mean(self.macs)), "median": points[10], "p80": self.score, "max": points[-1]}
            if self.macs
            else None,
            "cdf": [[value, percentile / 100] for value, percentile in zip(points, CDF_PERCENTILES, strict=False)],
            "smallest": {"sram": self.smallest.sram, "flash": self.smallest.flash, "macs": self.smallest.macs},
        }


def optimise(
    index: Index,
    board: Board,
    settings: SpaceSettings,
    engine: EngineSettings,
    *,
    sram: int,
    flash: int,
    stack: int,
    bits: int,
    seed: int,
    out: Path,
) -> None:
    """Sample all spaces and write space.json (the winner alone) and space_table.json (every space) to ``out``.

    Args:
        index: of the data set: classes, channels and the largest resolution.
        board: whose memory the networks must fit.
        settings: spaces and samples.
        engine: how the planner schedules.
        sram: bytes of RAM that a network may use, stack included.
        flash: bytes of Flash that a network may use.
        stack: bytes of RAM reserved for the stack.
        bits: of the weights.
        seed: of the samples.
        out: folder for the results.

    Raises:
        BuildError: no network of any space fits, or a resolution is above the data set's.
    """
    spaces = [Space(*size, index.channels, len(index.classes)) for size in sizes(index, settings)]
    footprints = Footprints(board, engine, stack, bits, sram)
    rows = []
    with bar("space", len(spaces)) as progress:
        for space in spaces:
            rows.append(_sample(space, settings.samples, footprints, flash, seed))
            progress.advance(fits=f"{rows[-1].share:.0%}")
    best = winner(rows)
    if best is None:
        raise BuildError(_nothing_fits(rows, sram, flash))
    write_json(best.space.to_json(), out / "space.json")
    write_json({"winner": best.space.name, "spaces": [row.to_json() for row in rows]}, out / "space_table.json")


def winner(rows: Sequence[Row]) -> Row | None:
    """The space whose networks that fit have the most multiply-accumulates, by their 80th percentile.

    Spaces compete where a tenth of the networks fit. If there is no such space, the one with the largest share wins.
    Equal scores go to the higher resolution, then to the wider network. None if nothing fits anywhere.
    """
    fitting = [row for row in rows if row.macs]
    if not fitting:
        return None
    enough = [row for row in fitting if row.share >= ENOUGH]
    if enough:
        return max(enough, key=lambda row: (row.score, row.space.resolution, row.space.width))
    return max(fitting, key=lambda row: (row.share, row.score, row.space.resolution, row.space.width))


def sizes(index: Index, settings: SpaceSettings) -> list[tuple[float, int]]:
    """The pairs of width and resolution that compete, ascending.

    Raises:
        BuildError: a resolution is above the data set's.
    """
    resolutions = settings.resolutions or resolutions_for(index.max_resolution)
    if max(resolutions) > index.max_resolution:
        raise BuildError(
            f"space.resolutions: found {max(resolutions)}, but networks for this data set take at most "
            f"{index.max_resolution} pixels; leave it out, or raise dataset.max_resolution."
        )
    return [(width, resolution) for width in sorted(set(settings.widths)) for resolution in sorted(set(resolutions))]


def _sample(space: Space, samples: int, footprints: Footprints, flash: int, seed: int) -> Row:
    """The smallest network, so that a space counts whenever anything in it fits, and random ones."""
    rng = np.random.default_rng([seed, round(1000 * space.width), space.resolution])
    drawn = [smallest(space), *(draw(space, rng) for _ in range(samples - 1))]
    macs = sorted(footprints.macs(arch) for arch in drawn if footprints.fits(arch, flash))
    return Row(space, samples, tuple(macs), footprints.of(drawn[0]))


def _nothing_fits(rows: Sequence[Row], sram: int, flash: int) -> str:
    lightest = min(rows, key=lambda row: (row.smallest.sram, row.smallest.flash))
    shortest = min(rows, key=lambda row: (row.smallest.flash, row.smallest.sram))
    return (
        f"budget: no network of the {len(rows)} search spaces fits {format_size(sram)} SRAM and "
        f"{format_size(flash)} Flash. The least SRAM that one needs is {format_size(lightest.smallest.sram)} "
        f"({lightest.space.name}), the least Flash {format_size(shortest.smallest.flash)} ({shortest.space.name}). "
        f"Raise budget.sram or budget.flash, or allow smaller networks in space.widths and space.resolutions."
    )
