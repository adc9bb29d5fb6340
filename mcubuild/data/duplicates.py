"""Samples that are there more than once: identical files, and pictures that are nearly identical.

A copy in another class has a wrong label on one side; a copy of a test sample among those that are trained with makes
the accuracy flattering.

Pictures are nearly identical (encoded anew, resized, made brighter, taken in one burst) if they agree as a whole and in
detail. They are brought to 32x32 pixels. The means of 8x8 blocks, less their mean and divided by their norm, are the
coarse picture, a point on a sphere; what is left inside the blocks, grey and normed likewise, is the detail. The coarse
pictures must be within a radius of each other, and the details must have a correlation of at least ``_DETAIL``.

The radius is taken from the data, because spoken digits are more alike than photos: within it hardly any sample
(``_BY_CHANCE``) would find one of another class by chance. Distances to the nearest neighbour have about a Weibull
distribution, P(d < r) = 1 - exp(-(r / scale)^shape), which is fitted to their quartiles, so that copies, being few, do
not matter. Of sounds this finds another level, format or rate, but neither another start nor added noise.

Of up to ``MOST_LOOKED_AT`` samples no pair within the radius is missed: principal components of two coarse pictures are
not further apart than the pictures themselves, and among points of eight dimensions a k-d tree finds the near ones.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from math import inf, log

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.resize import resize
from mcubuild.data.room import pieces, room
from mcubuild.errors import BuildError, shortened
from mcubuild.progress import Bar, bar
from mcubuild.resolution import square

Pairs = NDArray[np.int64]
"""Indexes (M, 2) of samples, each pair once."""

MOST_ACROSS_CLASSES = 0.05
"""Share of the samples with an identical copy in another class above which a data set is refused. Of the labels of
well-known data sets 3 % are wrong (Northcutt et al., NeurIPS 2021); where more contradict each other, the data set was
put together wrongly."""
MOST_ACROSS_SPLITS = 0.1
"""Share of a split that the user gave with an identical copy among the samples to learn from above which it is refused:
by as much may its accuracy be too high."""
MOST_ALIKE = 0.25
"""Share of a class, or of a split that the user gave, with a nearly identical sample in another, less the share with
one in its own, above which a data set is refused: drawn signs and pictures of one camera are alike by nature, within as
between. In CIFAR-10 and FSDD no class has any in another, and of the usual test splits 1.3 % and none have one in the
training split."""
_FEW = 5
"""Samples that are no share to refuse anything for."""

_SIDE = 32
_BLOCKS = 8
_SMALLEST = 16
"""Side below which there is no detail beside the coarse picture: two digits of 8x8 pixels may well look the same."""
_DETAIL = 0.7
"""Of the 501 pairs found in CIFAR-10 none is of two classes; of 200 that were looked at, the weakest half among them,
four at most are no copies (ships on the same sea)."""
_BY_CHANCE = 0.001
"""Of 3000 spoken digits (FSDD) none is then taken for a copy of another."""
_RADIUS = (0.025, 0.3)
"""Least: what encoding anew does to photos and sounds. Largest: a shift by a few per cent, or brightness that clips."""
_LONELY = 0.5
"""Of the distance to the second nearest sample: a nearest one within it is the other's copy, not what is there by
chance (Lowe, IJCV 2004, whose ratio is 0.8), and does not count where most of a class are copies of another's."""
_ASKED = 1000
"""Samples that the radius is taken from."""
MOST_LOOKED_AT = 100_000
"""Samples; of more, those held out come first, to at most a half, and the rest is drawn: memory and time stay bounded,
and where a share of a split, or of a class, are copies, the sample shows it."""
_MOST_DISTANCES = 1 << 25
"""That are computed at a time."""
_COMPONENTS = 8
_MOST_PAIRS = 2_000_000
"""Above that (films, cut into frames) only the nearer ones are looked at."""
_NAMED = 3
_LONGEST_NAME = 48


@dataclass(frozen=True)
class Roll:
    """What is known of all samples (N,)."""

    names: Sequence[str]
    labels: NDArray[np.int64]
    splits: NDArray[np.str_]
    """``train``, ``val`` or ``test``."""


def identical(contents: Sequence[str], roll: Roll) -> Pairs:
    """Samples of equal ``contents`` (N) in another class or split: each with the first such one there."""
    first: dict[str, dict[tuple[int, str], int]] = defaultdict(dict)
    places = list(zip(roll.labels.tolist(), roll.splits.tolist(), strict=True))
    for index, (content, place) in enumerate(zip(contents, places, strict=True)):
        first[content].setdefault(place, index)
    pairs = {
        (min(index, other), max(index, other))
        for index, (content, own) in enumerate(zip(contents, places, strict=True))
        for place, other in first[content].items()
        if place != own
    }
    return np.array(sorted(pairs), np.int64).reshape(-1, 2)


def nearly_identical(pictures: Sequence[NDArray[np.uint8]], labels: NDArray[np.int64]) -> Pairs:
    """Samples whose pictures are nearly, or exactly, identical, of up to ``MOST_LOOKED_AT``.

    Pictures of fewer than 16 pixels a side and those in which nothing can be seen (a standard deviation below one
    level) are no one's copies.

    Args:
        pictures: of all samples, in pieces (n, side, side, channels) one behind the other, the training split's first.
        labels: of all samples (N,).
    """
    nothing = np.empty((0, 2), np.int64)
    if pictures[0].shape[1] < _SMALLEST:
        return nothing
    looked_at = _looked_at([len(piece) for piece in pictures])
    with bar("find copies", len(looked_at) + 3) as progress:
        small = _small(pictures, looked_at, progress)
        means = np.concatenate([_blocks(small[part]).mean(axis=(2, 4)) for part in _parts(len(small))])
        seen = np.flatnonzero(means.std(axis=(1, 2)).max(axis=1) >= 1)
        if len(seen) < 2:
            return nothing
        coarse = _normed(means[seen])
        radius = _radius(coarse, labels[looked_at[seen]])
        progress.advance()
        pairs = _candidates(coarse, radius)
        progress.advance()
        pairs = pairs[_squares(coarse, pairs) < radius**2]
        involved, pairs = np.unique(pairs, return_inverse=True)
        details = np.concatenate(
            [_detail(small[seen[involved[part]]]) for part in _parts(len(involved))] or [coarse[:0]]
        )
        # Of unit vectors, |a - b|^2 = 2 - 2 a b.
        pairs = involved[pairs[_squares(details, pairs) <= 2 - 2 * _DETAIL]]
        progress.advance()
        return looked_at[seen[pairs]]


def _looked_at(sizes: Sequence[int]) -> NDArray[np.int64]:
    """Ascending indexes of the samples in which copies are looked for, of pieces of such sizes."""
    total = sum(sizes)
    if total <= MOST_LOOKED_AT:
        return np.arange(total)
    rng = np.random.default_rng(0)
    train, held = np.arange(sizes[0]), np.arange(sizes[0], total)
    held = rng.permutation(held)[: max(MOST_LOOKED_AT // 2, MOST_LOOKED_AT - len(train))]
    return np.sort(np.concatenate([held, rng.permutation(train)[: MOST_LOOKED_AT - len(held)]]))


def _small(pictures: Sequence[NDArray[np.uint8]], looked_at: NDArray[np.int64], progress: Bar) -> NDArray[np.uint8]:
    """The pictures (N, 32, 32, C) with these indexes."""
    small = room((len(looked_at), _SIDE, _SIDE, pictures[0].shape[3]))
    start = first = 0
    for piece in pictures:
        own = looked_at[(looked_at >= first) & (looked_at < first + len(piece))] - first
        for part in pieces(piece[: len(own)]):
            chosen = own[part]
            small[start : start + len(chosen)] = resize(piece[chosen], square(_SIDE))
            start += len(chosen)
            progress.advance(len(chosen))
        first += len(piece)
    return small


def refuse_contradictions(pairs: Pairs, roll: Roll) -> None:
    """See that few samples are identical to one of another class.

    Raises:
        BuildError: they are more than ``MOST_ACROSS_CLASSES`` of all.
    """
    count, total = _count(across := _across_classes(pairs, roll)), len(roll.names)
    if count > MOST_ACROSS_CLASSES * total:
        raise BuildError(
            f"dataset: {count} of {total} samples ({count / total:.1%}) have an identical copy in another class "
            f"({_shown(across, roll)}); at most {MOST_ACROSS_CLASSES:.0%} may, as no network can be right about both: "
            f"leave each in its own class alone."
        )


def refuse_copied_classes(pairs: Pairs, roll: Roll, classes: Sequence[str]) -> None:
    """See that no class has many samples that are nearly, or exactly, identical to those of others.

    Raises:
        BuildError: it has ``MOST_ALIKE`` more than it has of samples that are so to its own.
    """
    across = _across_classes(pairs, roll)
    own = pairs[roll.labels[pairs[:, 0]] == roll.labels[pairs[:, 1]]]
    sizes = np.bincount(roll.labels, minlength=len(classes))
    counts, alike = (np.bincount(roll.labels[np.unique(found)], minlength=len(classes)) for found in (across, own))
    excess = (counts - alike) / np.maximum(sizes, 1)
    label = int(excess.argmax())
    if counts[label] >= _FEW and excess[label] > MOST_ALIKE:
        named = across[(roll.labels[across] == label).any(axis=1)]
        raise BuildError(
            f"dataset: of the class {shortened(classes[label], _LONGEST_NAME)!r}, {counts[label]} of {sizes[label]} "
            f"samples are nearly identical to ones of another class ({_shown(named, roll)}), and {alike[label]} to "
            f"ones of its own; at most {MOST_ALIKE:.0%} more may be: leave each in the class that it belongs to alone."
        )


def refuse_leaks(pairs: Pairs, roll: Roll, given: Collection[str], how: str, most: float) -> None:
    """See that few samples of the splits that the user gave are like ones to learn from.

    Args:
        pairs: of samples that are alike.
        roll: all samples.
        given: those splits.
        how: they are alike: "identical".
        most: share of a split that may be, beyond the share of the samples to learn from that are so to each other.

    Raises:
        BuildError: there are more.
    """
    for held, others, _, leaked in _leaks(pairs, roll):
        rest = np.isin(roll.splits, others)
        among = _count(pairs[rest[pairs].all(axis=1)]) / rest.sum()
        count, total = len(np.unique(leaked[:, 0])), int((roll.splits == held).sum())
        if held in given and count >= _FEW and count / total > most + among:
            raise BuildError(
                f"dataset: {count} of {total} {held} samples ({count / total:.0%}) are {how} to {' or '.join(others)} "
                f"samples ({_shown(leaked, roll)}), and of those {among:.0%} to each other; at most {most:.0%} more "
                f"may be, as accuracy on copies tells nothing: keep one of each, or leave the split out to have it "
                f"drawn."
            )


def cautions(pairs: Pairs, roll: Roll, how: str) -> Iterator[str]:
    """What ``pairs`` of samples that are alike (``how``: "identical") are a reason to doubt, a sentence each."""
    across, total = _across_classes(pairs, roll), len(roll.names)
    if len(across):
        yield (
            f"{_count(across)} of {total} samples are {how} to one of another class ({_shown(across, roll)}): "
            f"one of the two labels is wrong; keep the right one"
        )
    for held, others, harm, leaked in _leaks(pairs, roll):
        yield (
            f"{len(np.unique(leaked[:, 0]))} of {(roll.splits == held).sum()} {held} samples are {how} to "
            f"{' or '.join(others)} samples ({_shown(leaked, roll)}): {harm}; keep one of each, or name what "
            f"belongs together by dataset.group"
        )


def _leaks(pairs: Pairs, roll: Roll) -> Iterator[tuple[str, tuple[str, ...], str, Pairs]]:
    """Of a split that is held out: its name, those of the others, the harm, and the pairs, its own sample first."""
    of = roll.splits[pairs]
    for held, others, harm in (
        ("test", ("train", "val"), "the test accuracy is flattered"),
        ("val", ("train",), "the search goes by a flattered accuracy"),
    ):
        leaks = [
            pairs[(of[:, side] == held) & np.isin(of[:, 1 - side], others)][:, [side, 1 - side]] for side in (0, 1)
        ]
        leaked = np.concatenate(leaks)
        if len(leaked):
            yield held, others, harm, leaked[np.lexsort(leaked.T[::-1])]


def _parts(count: int) -> Iterator[slice]:
    return (slice(start, start + 4096) for start in range(0, count, 4096))


def _squares(points: NDArray[np.float32], pairs: Pairs) -> NDArray[np.float32]:
    """Squared distances (M,) of pairs (M, 2) of points (N, dimensions)."""
    squares = np.empty(len(pairs), np.float32)
    for part in _parts(len(pairs)):
        difference = points[pairs[part, 0]] - points[pairs[part, 1]]
        squares[part] = np.einsum("nd,nd->n", difference, difference)
    return squares


def _blocks(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 8, 4, 8, 4, C) of (N, 32, 32, C)."""
    size = _SIDE // _BLOCKS
    return pictures.reshape(len(pictures), _BLOCKS, size, _BLOCKS, size, -1).astype(np.float32)


def _detail(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the blocks of (N, 32, 32, C) pictures have beside their means, grey: unit vectors (N, 1024)."""
    grey = _blocks(pictures).mean(axis=5)
    return _normed(grey - grey.mean(axis=(2, 4), keepdims=True))


def _normed(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Unit vectors (N, ...) without their mean; 0 where they are constant."""
    rows: NDArray[np.float32] = values.reshape(len(values), -1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-6))
    return rows


def _radius(coarse: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The distance below which ``_BY_CHANCE`` of the samples find one of another class, within ``_RADIUS``."""
    asked = np.unique(np.linspace(0, len(coarse) - 1, _ASKED).astype(np.int64))
    step = max(1, _MOST_DISTANCES // len(coarse))
    parts = [_nearest(coarse, labels, asked[start : start + step]) for start in range(0, len(asked), step)]
    first, second = np.concatenate(parts).T
    lower, upper = np.quantile(np.where(first < _LONELY * second, second, first), (0.25, 0.75)).tolist()
    shape = log(log(4) / log(4 / 3)) / log(upper / lower) if 0 < lower < upper else inf
    radius: float = lower * (-log(1 - _BY_CHANCE) / log(4 / 3)) ** (1 / shape)
    return min(max(radius, _RADIUS[0]), _RADIUS[1])


def _nearest(coarse: NDArray[np.float32], labels: NDArray[np.int64], asked: NDArray[np.int64]) -> NDArray[np.float32]:
    """Distances (M, 2) of the ``asked`` samples (M,) to the two nearest ones of other classes."""
    squares = 2 - 2 * coarse[asked] @ coarse.T
    squares[labels[asked][:, np.newaxis] == labels] = 4  # opposite points of the sphere
    squares[squares < _RADIUS[0] ** 2] = 4  # whatever the radius will be, these are within it
    nearest: NDArray[np.float32] = np.sqrt(np.partition(squares, 1, axis=1)[:, :2])
    return nearest


def _candidates(coarse: NDArray[np.float32], radius: float) -> Pairs:
    """Pairs whose principal components are within ``radius``."""
    from scipy.spatial import cKDTree

    centred = coarse.astype(np.float64) - coarse.mean(axis=0, dtype=np.float64)
    axes = np.linalg.eigh(centred.T @ centred)[1][:, -_COMPONENTS:]
    tree = cKDTree(points := centred @ axes)
    asked = points[np.unique(np.linspace(0, len(points) - 1, _ASKED).astype(np.int64))]
    while tree.query_ball_point(asked, radius, return_length=True).mean() * len(points) / 2 > _MOST_PAIRS:
        radius *= 0.7
    pairs: Pairs = tree.query_pairs(radius, output_type="ndarray").astype(np.int64)
    ordered: Pairs = pairs[np.lexsort(pairs.T[::-1])]
    return ordered


def _across_classes(pairs: Pairs, roll: Roll) -> Pairs:
    across: Pairs = pairs[roll.labels[pairs[:, 0]] != roll.labels[pairs[:, 1]]]
    return across


def _count(pairs: Pairs) -> int:
    """Samples that are in any of the ``pairs``."""
    return len(np.unique(pairs))


def _shown(pairs: Pairs, roll: Roll) -> str:
    """The first of them by name."""
    listed = [" and ".join(_short(roll.names[index]) for index in pair) for pair in pairs[:_NAMED].tolist()]
    return ", ".join(listed) + (", ..." if len(pairs) > _NAMED else "")


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"...{name[3 - _LONGEST_NAME :]}"
