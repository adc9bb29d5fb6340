"""Series of values, such as windows of a sensor's, as the levels that are stored and that networks read.

    level = round((value - low) * scale), at least 0 and at most 255,   scale = 255 / (high - low)

for each channel on its own, in 32-bit floats, halves to even: firmware does the same, bit for bit
(``kernels_templates/model/preprocess.c.j2``).
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.checks import counted
from mcubuild.data.splits import Series
from mcubuild.errors import BuildError

_INSIDE = (0.1, 99.9)
"""Percentiles of a channel between which its range lies: a knock must not cost all others their levels."""


def scales(series: Series) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Low end and levels a unit of each channel, (C,)."""
    low, high = np.array(series.low, np.float32), np.array(series.high, np.float32)
    return low, np.float32(255) / (high - low)


def channels(series: Series) -> list[tuple[str, float, float]]:
    """Name, low end and levels a unit of each channel, as 32-bit floats have them."""
    return list(zip(series.channels, *(one.astype(float).tolist() for one in scales(series)), strict=True))


def levels(x: NDArray[np.float32], series: Series) -> NDArray[np.uint8]:
    """Values (N, T, C) as levels (N, T, 1, C)."""
    low, scale = scales(series)
    found: NDArray[np.uint8] = np.clip(np.rint((x - low) * scale), 0, 255).astype(np.uint8)[:, :, np.newaxis]
    return found


def ranges(train: NDArray[np.float32], channels: tuple[str, ...]) -> tuple[Series, tuple[str, ...]]:
    """The range of each channel in samples (N, T, C) to train with, and cautions."""
    low, high = np.percentile(train, _INSIDE, axis=(0, 1)).astype(np.float32)
    still = ~(high > low)
    high = np.where(still, low + np.maximum(np.float32(1), np.abs(low)), high)
    never_falls = np.array([(values[:, 1:] >= values[:, :-1]).all() for values in np.moveaxis(train, 2, 0)])
    apart = np.spacing(np.maximum(np.abs(low), np.abs(high)))
    odd = {
        "Channels whose values hardly ever change": still,
        "Channels that never fall within a sample, as clocks and row numbers do: they may tell classes apart without "
        "any sensor": never_falls & ~still,
        "Channels whose levels lie closer together than 32-bit floats tell values apart; subtract a constant": ~still
        & ((high - low) / 255 < apart),
    }
    named = {what: [channels[index] for index in np.flatnonzero(which).tolist()] for what, which in odd.items()}
    cautions = tuple(counted(what, names, len(channels)) for what, names in named.items() if names)
    return Series(channels, tuple(low.astype(float).tolist()), tuple(high.astype(float).tolist())), cautions


def finite(
    x: NDArray[np.float32], chosen: Mapping[str, NDArray[np.int64]], names: Sequence[str], corrupt: float
) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
    """Those of the ``chosen`` samples (N, ...) whose values are all numbers, and a caution about the others.

    Raises:
        BuildError: these are more than a share ``corrupt``, or all to train with.
    """
    kept = {
        split: indexes[np.isfinite(x[indexes]).reshape(len(indexes), -1).all(1)] for split, indexes in chosen.items()
    }
    bad = [names[index] for split, indexes in chosen.items() for index in np.setdiff1d(indexes, kept[split]).tolist()]
    if not bad:
        return kept, ()
    count = sum(map(len, chosen.values()))
    told = counted("Samples with values that are missing or no finite numbers were left out", bad, count)
    if len(bad) > corrupt * count or not len(kept["train"]):
        raise BuildError(
            f"{bad[0]}: has values that are missing or no finite numbers, as {len(bad)} of {count} samples have, more "
            f"than dataset.corrupt = {corrupt:g} allows; fill them in, or remove these samples."
        )
    return kept, (told,)
