"""TinyNAS, first half: the width and resolution that suit the board (MCUNet, section 3.1).

The more multiply-accumulates the networks have that are within a board's limits, the more accurate they tend to be. So
each space is judged without training, by the multiply-accumulates of those of its networks that fit.
"""

from collections.abc import Collection, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mcubuild.artifacts import write_artifact
from mcubuild.artifacts.margin import NO_MARGIN, Margin
from mcubuild.artifacts.spaces import SPACE_TABLE, ComparedSpace, Macs, Smallest, SpaceLimits, SpaceTable
from mcubuild.engine.memory.footprint import Footprint
from mcubuild.errors import BuildError, NothingFitsError
from mcubuild.nas.space.arch import (
    BASE_RESOLUTIONS,
    Arch,
    Space,
    draw,
    resolutions_for,
    smallest,
    stages_for,
    stages_of_stride,
)
from mcubuild.nas.space.backbones import AUTOENCODER, BACKBONES, EVERY, LEAST_STAGES
from mcubuild.nas.space.baselines import Baseline
from mcubuild.nas.space.candidates import Limits
from mcubuild.nas.space.contender import Contender, write_contenders
from mcubuild.nas.space.footprints import Footprints
from mcubuild.processes import processes
from mcubuild.progress import bar
from mcubuild.resolution import Resolution, square
from mcubuild.spec.deployment import Deployment
from mcubuild.spec.outline import Outline
from mcubuild.spec.space import SpaceSettings
from mcubuild.units import format_size, format_time

PERCENTILE = 80
"""Of the multiply-accumulates of the networks that fit: the score of a space, as in the paper's figure 3."""
ENOUGH = 0.1
"""Share of a space's networks that must fit: below it the percentile rests on too few, and so would the search."""
_MOSTLY = 0.5
"""Share of the networks of a space."""
_SIDES = (1, 3 / 4, 1 / 2)
"""Of the highest resolution: those of spaces that race."""
CELL = 32
"""Pixels: a detector's resolutions are multiples of that;"""
DETECTED = tuple(map(square, range(96, 321, CELL)))
"""these are the usual ones."""
CDF_PERCENTILES = tuple(range(0, 101, 5))
_WORTH_PROCESSES = 5_000
"""Samples below which other processes would take longer to start than to help."""


@dataclass(frozen=True)
class Row:
    """How one space did."""

    space: Space
    samples: int
    macs: tuple[int, ...]
    """Of the sampled networks that fit, ascending."""
    smallest: Footprint
    """Of the smallest network in the space, which is the first sample."""
    typical: Arch | None = None
    """The sampled network whose multiply-accumulates are the ``score``; None if none fits."""

    @property
    def share(self) -> float:
        """Share of the samples that fit."""
        return len(self.macs) / self.samples

    @property
    def score(self) -> float:
        """The 80th percentile of the multiply-accumulates of the networks that fit; 0 if none does."""
        return float(np.percentile(self.macs, PERCENTILE)) if self.macs else 0.0

    def described(self, clock: int) -> ComparedSpace:
        """What space_table.json tells; the smallest network's latency is at ``clock`` Hz."""
        points, least = np.percentile(self.macs, CDF_PERCENTILES).tolist() if self.macs else [], self.smallest
        return ComparedSpace(
            name=self.space.name,
            block=self.space.block,
            width=self.space.width,
            resolution=self.space.resolution,
            samples=self.samples,
            share=self.share,
            macs=Macs(float(np.mean(self.macs)), points[10], self.score, points[-1]) if self.macs else None,
            cdf=tuple((value, percent / 100) for value, percent in zip(points, CDF_PERCENTILES, strict=False)),
            smallest=Smallest(least.sram, least.flash, least.cycles / clock, least.macs),
        )


def optimise(
    outline: Outline,
    settings: SpaceSettings,
    deployment: Deployment,
    *,
    seed: int,
    out: Path,
    margin: Margin = NO_MARGIN,
    start: Space | None = None,
) -> None:
    """Sample all spaces and write space_table.json (all of them) and contenders.json (those worth a race) to ``out``.

    Args:
        outline: of the data set: classes, channels and the largest resolution.
        settings: spaces and samples.
        deployment: where the networks must run, and within which limits.
        seed: of the samples.
        out: folder for the results.
        margin: how cycles relate to the engine's estimates.
        start: the space of the weights to begin with: one that can use all of them is the only contender if a tenth of
            its networks fit, at the same resolution if possible.

    Raises:
        BuildError: no network of any space fits, or a resolution is above the data set's.
    """
    spaces = spaces_for(outline, settings)
    known = [] if start is None else akin(start, outline, settings)
    spaces += [one for one in known if one not in spaces]
    board, energy = deployment.board, deployment.budget.energy
    limits, footprints = Limits.of(deployment), Footprints(deployment, margin)
    rows = survey(spaces, settings.samples, footprints, limits, seed)
    near = None if start is None else familiar(rows, known, start.resolution)
    chosen = contenders(rows) if near is None else [near]
    if not chosen:
        raise NothingFitsError(_nothing_fits(rows, limits, footprints))
    found = []
    for row in chosen:
        assert row.typical is not None  # something fits
        needs = footprints.of(row.typical)
        beside = neighbours(row.space, spaces) if settings.neighbours else ()
        found.append(Contender(row.typical, needs.macs, needs.flash, beside))
    write_contenders(found, out / "contenders.json")
    table = SpaceTable(
        winner=chosen[0].space.name,
        contenders=tuple(row.space.name for row in chosen),
        axes=axes(outline, settings) + _preference(start, known),
        limits=SpaceLimits(deployment.sram, limits.flash, limits.latency, energy),
        active_power_mw=None if energy is None else board.active_power_mw,
        spaces=tuple(row.described(board.runs_at) for row in rows),
    )
    write_artifact(table, out / SPACE_TABLE)


def survey(
    spaces: Sequence[Space], samples: int, footprints: Footprints, limits: Limits, seed: int, title: str = "space"
) -> list[Row]:
    """``samples`` networks of each of ``spaces``, the smallest one among them, judged by ``footprints`` and ``limits``.

    Every core takes part, a width at a time; the result depends neither on their number nor on the other spaces.
    """
    widths: dict[tuple[str, float], list[Space]] = {}
    for space in spaces:
        widths.setdefault((space.block, space.width), []).append(space)
    rows: dict[Space, Row] = {}
    with bar(title, len(spaces)) as progress, processes(alone=samples * len(spaces) < _WORTH_PROCESSES) as executor:
        waiting = [executor.submit(_sample_all, own, samples, footprints, limits, seed) for own in widths.values()]
        for future in as_completed(waiting):
            found = future.result()
            rows |= {row.space: row for row in found}
            progress.advance(len(found))
    return [rows[space] for space in spaces]


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


def contenders(rows: Sequence[Row]) -> list[Row]:
    """The spaces that are worth a race: of each kind of blocks the ``winner`` and others, from small to large.

    Others are the widest at the highest resolution, at three quarters and at half of it, and one half as wide as the
    winner: no rule knows which of them suits the samples. In them most networks fit, where there are such spaces, as
    the super network spends its steps on those that don't, too: of plain and residual ones the largest have ten times
    the multiply-accumulates of the smallest. Where no space competes, the one with the largest share is the only one.
    Empty if nothing fits anywhere.
    """
    competing = [row for row in rows if row.macs and row.share >= ENOUGH]
    chosen: dict[Space, Row] = {}
    for block in dict.fromkeys(row.space.block for row in competing):
        enough = [row for row in competing if row.space.block == block]
        own = [row for row in enough if row.share >= _MOSTLY] or enough
        best = winner(enough if block == "mobile" else own)
        assert best is not None
        sides, found = sorted({row.space.resolution for row in own}), [best]
        for share in _SIDES:
            side = min(sides, key=lambda one: abs(one.side - share * sides[-1].side))
            found.append(max((row for row in own if row.space.resolution == side), key=lambda row: row.space.width))
        alike = [row for row in enough if row.space.resolution == best.space.resolution]
        found.append(min(alike, key=lambda row: abs(row.space.width - best.space.width / 2)))
        chosen |= {row.space: row for row in found}
    if not chosen and (only := winner(rows)) is not None:
        return [only]
    return list(chosen.values())


def akin(start: Space, outline: Outline, settings: SpaceSettings) -> list[Space]:
    """The spaces whose super network can begin with all weights of ``start``'s: of its blocks and width, at any side.

    There are none if the spec rules out such blocks or such a width.
    """
    if start.block not in settings.blocks:
        return []
    if start.width not in settings.widths and settings.widths != SpaceSettings().widths:
        return []
    sides = {side for _, side in sizes(outline, settings)}
    if settings.resolutions is None and start.resolution.longer <= outline.max_resolution:
        sides.add(start.resolution)
    same = replace(
        start, channels=outline.channels, classes=outline.outputs, series=outline.series, stride=outline.stride
    )
    return [
        replace(same, resolution=side, count=min(start.count, _stages(outline, side, start.block)))
        for side in sorted(sides)
    ]


def familiar(rows: Sequence[Row], known: Collection[Space], resolution: Resolution) -> Row | None:
    """Of the ``known`` spaces in which a tenth of the networks fit, that of ``resolution``, else the best, if any."""
    enough = [row for row in rows if row.space in known and row.share >= ENOUGH]
    return winner([row for row in enough if row.space.resolution == resolution] or enough)


def neighbours(space: Space, spaces: Sequence[Space]) -> tuple[Space, ...]:
    """The spaces whose networks may share a super network with ``space``'s, except itself.

    They have the same blocks and as many stages as ``space``. Of the widths and resolutions in ``spaces`` they have the
    same or one step less, and the same or one step less or more.
    """
    spaces = [one for one in spaces if one.block == space.block]
    widths, sides = sorted({one.width for one in spaces}), sorted({one.resolution for one in spaces})
    width, side = widths.index(space.width), sides.index(space.resolution)
    near = [(w, r) for w in widths[max(0, width - 1) : width + 1] for r in sides[max(0, side - 1) : side + 2]]
    own = space.width, space.resolution
    return tuple(replace(space, width=w, resolution=r) for w, r in near if (w, r) != own)


def axes(outline: Outline, settings: SpaceSettings) -> str:
    """What the spaces' widths and resolutions are, and how they come from the paper's."""
    pairs = sizes(outline, settings)
    sides = sorted({resolution for _, resolution in pairs})
    blocks = blocks_for(outline, settings)
    count = f"{len(pairs) * len(blocks)} spaces: "
    if blocks != ["mobile"]:
        count += f"{', '.join(blocks)} networks of "
    count += f"{len(pairs) // len(sides)} widths x {len(sides)} resolutions"
    listed = ", ".join(map(str, sides))
    if outline.reconstructs:
        return f"{len(pairs)} spaces: autoencoders of {len(pairs)} widths, which see {listed} frames"
    low, high = BASE_RESOLUTIONS[0], BASE_RESOLUTIONS[-1]
    what = "series" if outline.series else "spectrograms" if outline.task == "audio_classification" else "images"
    if settings.resolutions:
        origin = f"({listed}), as space.resolutions says"
    elif outline.stride:
        origin = f"({listed}: multiples of {CELL})"
    elif sides == list(map(square, BASE_RESOLUTIONS)):
        origin = f"({low} to {high} pixels, the paper's)"
    else:
        origin = (
            f"({listed}): the paper's {low} to {high} pixels scaled to {what} of {outline.max_resolution} pixels, "
            f"rounded to even, at least 8"
        )
    if outline.stride:
        return f"{count} {origin}; stages are those that leave cells of {outline.stride} pixels"
    if _large(outline):
        blocks = [block for block in blocks if block != "mobile"]
    if not blocks:
        return f"{count} {origin}"
    least = " or ".join(str(side) for side in sorted({BACKBONES[block].least_side for block in blocks}))
    return (
        f"{count} {origin}; stages that would leave maps below {least} pixels are left out, but for the "
        f"first {LEAST_STAGES}, as are kernels larger than a map can use"
    )


def _preference(start: Space | None, known: Collection[Space]) -> str:
    if start is None:
        return ""
    if not known:
        return f"; [space] rules out {start.name}, the space of the weights to start with"
    return (
        f"; {start.name}, the space of the weights to start with, is the only contender, at {start.resolution} pixels "
        f"if possible, where a tenth of its networks fit: then all these weights are of use"
    )


def spaces_for(outline: Outline, settings: SpaceSettings) -> list[Space]:
    """The spaces that compete, those of the same blocks together.

    Stages whose maps would have few pixels are left out; mobile networks keep them where images are as large
    as those that they are made for.

    Raises:
        BuildError: a resolution is above the data set's.
    """
    pairs = sizes(outline, settings)
    return [
        Space(
            width,
            side,
            outline.channels,
            outline.outputs,
            _stages(outline, side, block),
            block,
            outline.series,
            outline.stride,
        )
        for block in blocks_for(outline, settings)
        for width, side in pairs
    ]


def baselines_for(name: str, outline: Outline, settings: SpaceSettings) -> list[Baseline]:
    """A published network, one of BASELINES, at every width and resolution.

    Raises:
        BuildError: as ``sizes``, or a detector's cells would be smaller than the spec says.
    """
    found = [
        Baseline(name, *size, outline.channels, outline.outputs, outline.series, outline.stride)
        for size in sizes(outline, settings)
    ]
    *_, end = found[0].blocks().values()
    if outline.stride and (cell := found[0].resolution.height // end.size.height) != outline.stride:
        raise BuildError(
            f'arch: "{name}" leaves cells of {cell} pixels, [detection] stride asks for {outline.stride}; take a '
            f'network that reduces pictures more, such as "mobilenet_v2".'
        )
    return found


def blocks_for(outline: Outline, settings: SpaceSettings) -> list[str]:
    """The kinds of blocks: of detectors those whose stages end at cells of the stride; autoencoders have their own."""
    if outline.reconstructs:
        return [AUTOENCODER]
    blocks = dict.fromkeys(settings.blocks)
    return [block for block in blocks if not outline.stride or stages_of_stride(block, outline.stride)]


def _stages(outline: Outline, resolution: Resolution, block: str) -> int:
    if outline.reconstructs:
        return len(EVERY[block].widths)
    if outline.stride:
        return stages_of_stride(block, outline.stride)
    whole = block == "mobile" and _large(outline)
    return len(BACKBONES[block].widths) if whole else stages_for(resolution, block, series=outline.series)


def _large(outline: Outline) -> bool:
    """Whether the samples are as large as those that the base space is made for."""
    return outline.max_resolution >= BASE_RESOLUTIONS[-1]


def sizes(outline: Outline, settings: SpaceSettings) -> list[tuple[float, Resolution]]:
    """The pairs of width and resolution that compete, ascending.

    Raises:
        BuildError: a resolution is above the data set's, or no square where networks see no whole pictures.
    """
    resolutions = settings.resolutions or _usual(outline)
    if outline.reconstructs and resolutions != (square(outline.max_resolution),):
        raise BuildError(
            f"space.resolutions: found {', '.join(map(str, resolutions))}, but an autoencoder sees whole windows of "
            f"{outline.max_resolution} frames; leave it out, or set dataset.frames."
        )
    for one in resolutions:
        if outline.anchors and (one.height % CELL or one.width % CELL):
            raise BuildError(
                f"space.resolutions: found {one}, which is no multiple of {CELL}; a detector's cells fill the picture: "
                f"write multiples of {CELL}."
            )
        if one.height != one.width and not outline.anchors:
            raise BuildError(
                f"space.resolutions: found {one}; only detectors see whole pictures, of any shape: write one number."
            )
        if one.longer > outline.max_resolution:
            raise BuildError(
                f"space.resolutions: found {one}, but networks for this data set take at most "
                f"{outline.max_resolution} pixels; leave it out, or raise dataset.max_resolution."
            )
    if outline.series:
        resolutions = tuple(Resolution(one.height, 1) for one in resolutions)
    return [(width, resolution) for width in sorted(set(settings.widths)) for resolution in sorted(set(resolutions))]


def _usual(outline: Outline) -> tuple[Resolution, ...]:
    """The resolutions where the spec gives none: the paper's, scaled, or a detector's.

    Raises:
        BuildError: pictures are too small for a detector.
    """
    if outline.reconstructs:
        return (square(outline.max_resolution),)
    if not outline.stride:
        return tuple(map(square, resolutions_for(outline.max_resolution)))
    sides = tuple(side for side in DETECTED if side.longer <= outline.max_resolution)
    if not sides:
        raise BuildError(
            f"dataset.max_resolution: found {outline.max_resolution} pixels; a detector takes {DETECTED[0]} or more: "
            f"raise it, or take larger pictures."
        )
    return sides


def _sample_all(spaces: Sequence[Space], samples: int, footprints: Footprints, limits: Limits, seed: int) -> list[Row]:
    """Spaces of equal width: the last blocks of their networks are the same, as maps that small differ little."""
    return [_sample(space, samples, footprints, limits, seed) for space in spaces]


def _sample(space: Space, samples: int, footprints: Footprints, limits: Limits, seed: int) -> Row:
    """The smallest network, so that a space counts whenever anything in it fits, and random ones."""
    drawn = draw_samples(space, samples, seed)
    fitting = [arch for arch in drawn if footprints.fits(arch, limits.flash, limits.latency)]
    fitting.sort(key=footprints.macs)
    typical = fitting[len(fitting) * PERCENTILE // 100] if fitting else None
    return Row(space, samples, tuple(map(footprints.macs, fitting)), footprints.of(drawn[0]), typical)


def draw_samples(space: Space, samples: int, seed: int) -> list[Arch]:
    """The smallest network and ``samples`` - 1 random ones; they depend on the space and the seed alone."""
    rng = np.random.default_rng([seed, round(1000 * space.width), space.resolution.height])
    return [smallest(space), *(draw(space, rng) for _ in range(samples - 1))]


def _nothing_fits(rows: Sequence[Row], limits: Limits, footprints: Footprints) -> str:
    lightest = min(rows, key=lambda row: (row.smallest.sram, row.smallest.flash))
    shortest = min(rows, key=lambda row: (row.smallest.flash, row.smallest.sram))
    fastest = min(rows, key=lambda row: row.smallest.cycles)
    allowed, least = f"{format_size(footprints.deployment.sram)} SRAM and {format_size(limits.flash)} Flash", ""
    if limits.latency is not None:
        allowed += f" within {format_time(limits.latency)}"
        seconds = footprints.longest(fastest.smallest)
        least = f", the least time {format_time(seconds)} ({fastest.space.name})"
    return (
        f"budget: no network of the {len(rows)} search spaces fits {allowed}. "
        f"The least SRAM that one needs is {format_size(lightest.smallest.sram)} ({lightest.space.name}), "
        f"the least Flash {format_size(shortest.smallest.flash)} ({shortest.space.name}){least}. "
        f"Raise {limits.keys}, or allow smaller networks in space.widths and space.resolutions."
    )
