"""Image files as arrays: what people see in them, as far as 8 bits a channel can hold it.

What is transparent stands on one level, and values of more than 8 bits become levels by one range, in all images alike,
so that pictures of different classes stay comparable. Both are decided by the images to train with alone.
"""

import io
import os
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError
from PIL import TiffImagePlugin as TiffTags

from mcubuild.data.checks import Findings
from mcubuild.data.damage import Damage, DamagedError
from mcubuild.data.files import FEW, File, batched
from mcubuild.data.metadata import without_metadata
from mcubuild.data.resize import fit
from mcubuild.data.room import kept, room
from mcubuild.data.splits import Pictures
from mcubuild.errors import BuildError
from mcubuild.processes import processes
from mcubuild.progress import Bar, bar
from mcubuild.resolution import square

_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""Of Pillow. Others that it would recognise behind these names start programs (EPS) or are no pictures."""
_GREY_MODES = ("1", "L", "LA")
_DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
"""Grey of 16 or 32 bits."""
_UNSIGNED, _WHITE = (TiffTags.SAMPLEFORMAT, 0), (TiffTags.PHOTOMETRIC_INTERPRETATION, 0)
"""Of an image's ``info``, where names that are text are the file's own: whether its 32 bits have no sign; the value
that means 0 where 0 is white."""
_GROUNDS = {"white": 255, "black": 0, "grey": 128}
"""What transparent images may stand on, first choice first."""
_VANISHED = 16
"""Levels of 255, mean, by which what is drawn differs at least from what it stands on, or it can't be seen."""
_MAY_VANISH = 0.01
"""Share of the transparent images for which all the others are not put on another ground."""
_MEDIAN_SIDE = 512
"""Pixels along the shorter side that are enough to find the range of values: 12 megapixels take a second otherwise."""
_OUTLIERS = (1, 99)
"""Percentiles of the darkest and brightest values of images, beyond which they are taken for odd ones."""
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes an EXIF orientation."""
_LONGEST_REASON = 200
"""Characters of what Pillow says to a damaged file."""


@dataclass(frozen=True)
class _Reading:
    """How the images of a data set are read."""

    side: int
    mode: Literal["L", "RGB"]
    ground: str
    """Of ``_GROUNDS``."""
    levels: tuple[float, float]
    """Values of more than 8 bits that become 0 and 255."""
    deep: bool
    """Whether any image to train with has such values."""
    whole: bool
    """Whether nothing is cut."""


@dataclass(frozen=True)
class ImagesRead:
    """What image files have become."""

    pixels: dict[str, NDArray[np.uint8]]
    """(M, side, side, channels) by split, of those that could be read."""
    readable: dict[str, NDArray[np.bool_]]
    """Which of a split's files these are (N,)."""
    pictures: Pictures
    """What a device must agree with."""
    frames: dict[str, NDArray[np.int64]]
    """Of those that could be read, width and height in pixels as stored in the file, and how that lies (M, 3): the EXIF
    value of the orientation, 1 for upright."""
    cautions: tuple[str, ...]


def read_images(
    splits: Mapping[str, Sequence[File]],
    largest: int,
    corrupt: float = 0.0,
    *,
    colour: bool = False,
    whole: bool = False,
) -> ImagesRead:
    """The pixels of each split's image files.

    Every image is turned upright, cut to its central square and brought to one side: the median of the shorter sides,
    or of the longer ones where images are seen whole, at most ``largest``. They are grey if all files are, RGB
    otherwise. The images to train with decide it alone.
    A process a core decodes them, and pixels of many are mapped (``room``).

    Args:
        splits: the files by split, ``train`` among them.
        largest: side that is allowed, in pixels.
        colour: RGB, even if all files are grey.
        whole: nothing is cut: images that are no squares are stretched to one.
        corrupt: share of the files that may be unreadable: they are left out, and told.

    Raises:
        BuildError: more images than that cannot be read, or all to train with.
    """
    count = sum(map(len, splits.values()))
    findings, damage = Findings(), Damage("images")
    titled = bar("read images", len(splits["train"]) + count)
    with titled as progress, processes(alone=count < FEW) as executor:
        reading = _survey(splits["train"], largest, colour, whole, damage, executor, progress)
        channels = 1 if reading.mode == "L" else 3
        pixels, readable, frames, sizes = {}, {}, {}, Counter[tuple[int, int]]()
        for split, members in splits.items():
            pixels[split] = room((len(members), reading.side, reading.side, channels))
            readable[split] = np.ones(len(members), np.bool_)
            met = list[tuple[int, int, int]]()
            start = 0
            for part in executor.map(partial(_read_all, reading=reading), batched(members)):
                end = start + len(part.pixels)
                pixels[split][start:end] = part.pixels
                readable[split][start:end] = part.readable
                met += part.frames
                damage.note(part.damaged)
                findings.add_all(part.findings)
                progress.advance(end - start)
                start = end
            frames[split] = np.array(met, np.int64).reshape(-1, 3)
            if split == "train":
                sizes.update(_upright_size(*frame) for frame in met)
    damage.refuse_more_than(corrupt, count)
    pixels = {split: kept(pixels[split], mask) for split, mask in readable.items()}
    usual = max(sizes, key=lambda size: (sizes[size], size))
    pictures = Pictures(usual, reading.levels if reading.deep else None, whole)
    return ImagesRead(pixels, readable, pictures, frames, (*damage.cautions(count), *findings.cautions(count)))


@dataclass(frozen=True)
class _Looks:
    """Of some images to train with, without their pixels."""

    sizes: list[tuple[int, int]]
    grey: bool
    """Whether all are."""
    contrasts: list[list[float]]
    """Of those that are transparent in part."""
    extents: list[tuple[float, float] | None]
    """Of those of more than 8 bits."""
    damaged: list[tuple[File, str]]


def _look(files: Sequence[File]) -> _Looks:
    found = _Looks([], True, [], [], [])
    grey = True
    for file in files:
        try:
            with _opened(file) as image:
                if image.mode in _DEEP_MODES:
                    found.extents.append(_extent(*_values(_upright(image))))
                elif (layer := _layer(image)) is not None:
                    found.contrasts.append(_contrasts(layer))
                found.sizes.append(image.size)
                grey = grey and image.mode in (*_GREY_MODES, *_DEEP_MODES)
        except DamagedError as error:
            found.damaged.append((file, error.what))
    return replace(found, grey=grey)


def _survey(
    files: Sequence[File],
    largest: int,
    colour: bool,
    whole: bool,
    damage: Damage,
    executor: Executor,
    progress: Bar,
) -> _Reading:
    """How to read a data set with these images to train with. Of most of them it reads only the header."""
    sizes: list[tuple[int, int]] = []
    contrasts: list[list[float]] = []
    extents: list[tuple[float, float] | None] = []
    grey = not colour
    for found, group in zip(executor.map(_look, batched(files)), batched(files), strict=True):
        sizes += found.sizes
        contrasts += found.contrasts
        extents += found.extents
        grey = grey and found.grey
        damage.note(found.damaged)
        progress.advance(len(group))
    if not sizes:
        damage.refuse_more_than(0, len(files))
    sides = np.array(sizes)
    side = min(int(np.median(sides.max(axis=1) if whole else sides.min(axis=1))), largest)
    return _Reading(side, "L" if grey else "RGB", _ground(contrasts), _levels(extents), bool(extents), whole)


@dataclass(frozen=True)
class _Part:
    """What some image files have become."""

    pixels: NDArray[np.uint8]
    """(N, side, side, channels); anything where a file cannot be read."""
    readable: list[bool]
    frames: list[tuple[int, int, int]]
    """Width, height and orientation, as stored, of those that can."""
    damaged: list[tuple[File, str]]
    findings: Findings


def _read_all(files: Sequence[File], reading: _Reading) -> _Part:
    shape = (len(files), reading.side, reading.side, 1 if reading.mode == "L" else 3)
    part = _Part(np.zeros(shape, np.uint8), [], [], [], Findings())
    for pixels, file in zip(part.pixels, files, strict=True):
        try:
            pixels[...], frame = _read(file, reading, part.findings)
            part.frames.append(frame)
            part.readable.append(True)
        except DamagedError as error:
            part.damaged.append((file, error.what))
            part.readable.append(False)
    return part


def _read(file: File, reading: _Reading, findings: Findings) -> tuple[NDArray[np.uint8], tuple[int, int, int]]:
    """Pixels (side, side, channels), and the image's width, height and orientation as stored."""
    with _opened(file, findings) as image:
        width, height = image.size
        several = image.format != "MPO" and _has_several_frames(image)  # a phone's second one is no picture for people
        halved = image.mode not in _DEEP_MODES and any(";16" in str(tile.args) for tile in image.tile)
        flat = _flat(_upright(image), file, reading, findings)
        if several:
            findings.add("Of several frames or pages only the first was read", file.name)
        if halved:
            findings.add("Colours of 16 bits were read by their upper 8", file.name)
        shorter, longer = sorted(flat.size)
        if longer > 2 * shorter and not reading.whole:
            findings.add("Only the square in the middle is read, which is less than half of the image", file.name)
        if 2 * (longer if reading.whole else shorter) <= reading.side:
            findings.add(f"Images were enlarged twice or more, to {reading.side}x{reading.side} pixels", file.name)
        pixels = np.asarray(fit(flat.convert(reading.mode), square(reading.side), whole=reading.whole))
        return pixels.reshape(reading.side, reading.side, -1), (width, height, _orientation(image))


def as_levels(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Values of any integers or floats as levels: ``low`` and less as 0, ``high`` and more as 255, the nearest level
    between, the even one of two. Firmware does the same: ``model_level`` in ``kernels_templates/model/model.h.j2``.

    255 (value - low) of integers is exact, so that division alone rounds, and ties are seen as such.
    """
    exact = 255 * (values - np.float64(low)) / (high - low)
    return np.asarray(np.clip(np.rint(exact), 0, 255).astype(np.uint8))


def _upright_size(width: int, height: int, orientation: int) -> tuple[int, int]:
    return (height, width) if orientation >= 5 else (width, height)


def _flat(image: Image.Image, file: File, reading: _Reading, findings: Findings) -> Image.Image:
    """The image with 8 bits a channel and nothing transparent: grey or RGB."""
    if image.mode in _DEEP_MODES:
        low, high = reading.levels
        values = f"{low:.7g} to {high:.7g} as 0 to 255"
        findings.add(f"Values of more than 8 bits were read as levels, {values}; a device must, too", file.name)
        found, known = _values(image)
        return Image.fromarray(np.where(known, as_levels(found, low, high), np.uint8(_GROUNDS[reading.ground])))
    layer = _layer(image)
    if layer is not None:
        findings.add(f"Images that are transparent in part were put on {reading.ground}", file.name)
        ground = Image.new("RGBA", layer.size, (_GROUNDS[reading.ground],) * 3)
        return Image.alpha_composite(ground, layer).convert("RGB")
    return image if image.mode in _GREY_MODES else image.convert("RGB")


@contextmanager
def _opened(file: File, findings: Findings | None = None) -> Iterator[ImageFile.ImageFile]:
    """The image in ``file``; whatever is wrong with it is raised as ``DamagedError``."""
    said: list[str] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, and of sizes that are not yet absurd
            with (
                file.open() as content,
                _open(content) as image,
                _heard(said) if image.format == "TIFF" else nullcontext(),
            ):
                yield image
        if said and findings:
            findings.add(
                "TIFFs were read of which libtiff says that they are damaged, so parts may be wrong", file.name
            )
    except MemoryError:
        raise BuildError(f"{file}: needs more memory than there is to be read; make the image smaller.") from None
    except Exception as error:  # decoders raise whatever they stumble over
        reason = " ".join(f"{error} {' '.join(said)}".split())[:_LONGEST_REASON] or type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            reason = _beginning(file)
        raise DamagedError(file, f"cannot be read as an image ({reason})") from None


def _beginning(file: File) -> str:
    """What ``file`` begins with: it tells people what it is (HEIC, a web page, a pointer of Git LFS)."""
    with file.open() as content:
        start = content.read(16)
    for format in _FORMATS:
        _, accept = Image.OPEN[format]
        if accept and accept(start) is True:
            return f"it is a {format} that is damaged or of a sort that is not read; save it anew, as a PNG"
    return f"it begins with {start!r}, as none of {', '.join(_FORMATS)} does" if start else "it is empty"


@contextmanager
def _heard(said: list[str]) -> Iterator[None]:
    """Add to ``said`` the lines that libtiff writes meanwhile: it knows but the process's stderr."""
    sys.stderr.flush()
    terminal = os.dup(2)
    end, start = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    os.dup2(start, 2)
    os.close(start)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        with suppress(BlockingIOError):  # a process that was started meanwhile may hold the other end
            said += os.read(end, 1 << 16).decode(errors="replace").splitlines()
        os.close(end)


def _open(content: BinaryIO) -> ImageFile.ImageFile:
    """The image in ``content``, without the metadata if that is what makes Pillow refuse it."""
    try:
        return Image.open(content, formats=_FORMATS)
    except UnidentifiedImageError:
        content.seek(0)
        bare, exif = without_metadata(content.read())
        image = Image.open(io.BytesIO(bare), formats=_FORMATS)
        image.info["exif"] = exif
        return image


def _upright(image: ImageFile.ImageFile) -> Image.Image:
    """The image as the camera was held. Where metadata is damaged, it stays as it is: no pixel depends on it."""
    strips = [tile.extents for tile in image.tile if tile.extents is not None]
    if image.format == "TIFF" and strips:
        _, _, right, lower = np.max(strips, axis=0).tolist()
        if right * lower < image.width * image.height:
            raise ValueError("parts of it are missing")  # Pillow would read them as black
    image.load()
    if image.format == "TIFF" and image.mode in _DEEP_MODES:
        image.info |= _told_by_tags(image)
    turn = TURNS.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _told_by_tags(image: Any) -> dict[str | tuple[int, int], Any]:
    """What Pillow leaves aside of a TIFF of more than 8 bits: ``_UNSIGNED``, and ``_WHITE`` where zero is white."""
    tags = image.tag_v2
    unsigned = tags.get(TiffTags.SAMPLEFORMAT, (1,))[0] == 1
    bits = tags.get(TiffTags.BITSPERSAMPLE, (1,))[0]
    told: dict[str | tuple[int, int], Any] = {_UNSIGNED: unsigned}
    if tags.get(TiffTags.PHOTOMETRIC_INTERPRETATION) == 0:
        told[_WHITE] = 2**bits - 1 if unsigned else 0
    return told


def _orientation(image: Image.Image) -> int:
    """1 ... 8; 1, upright, where the metadata are damaged or say nothing."""
    with suppress(Exception):
        value = image.getexif()[ExifTags.Base.Orientation]
        if isinstance(value, bytes):  # written as bytes instead of a number
            value = int.from_bytes(value.strip(b"\0"), "big")
        if value in TURNS:
            return int(value)
    return 1


def _has_several_frames(image: ImageFile.ImageFile) -> bool:
    with suppress(Exception):  # a damaged second frame, which is not read
        return bool(getattr(image, "is_animated", False))
    return True


def _layer(image: Image.Image) -> Image.Image | None:
    """The image as RGBA if it is transparent in part. An alpha that is the same everywhere draws nothing: None."""
    if not image.has_transparency_data:
        return None
    layer = image.convert("RGBA")
    lowest, highest = layer.getchannel("A").getextrema()
    return None if lowest == highest else layer


def _contrasts(layer: Image.Image) -> list[float]:
    """Mean difference of what is drawn from each ground, in levels; what is less transparent counts more."""
    layer.thumbnail((128, 128))
    pixels = np.asarray(layer, np.float64)
    alpha = pixels[..., 3] / max(1.0, pixels[..., 3].sum())
    return [float((alpha * np.abs(pixels[..., :3] - level).mean(axis=2)).sum()) for level in _GROUNDS.values()]


def _ground(contrasts: Sequence[Sequence[float]]) -> str:
    """White, on which people draw, unless some of the images with such contrasts vanish there and fewer elsewhere."""
    if not contrasts:
        return next(iter(_GROUNDS))
    vanished = (np.array(contrasts) < _VANISHED).mean(axis=0)
    return list(_GROUNDS)[0 if vanished[0] <= _MAY_VANISH else int(vanished.argmin())]


def _values(image: Image.Image) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Values (H, W) of an image of more than 8 bits, and which of them are known: neither NaN nor transparent."""
    stored = np.asarray(image)
    if image.info.get(_UNSIGNED) and stored.dtype == np.int32:
        stored = stored.view(np.uint32)
    values = stored.astype(np.float64)
    known = np.isfinite(values) & (values != image.info.get("transparency"))
    if _WHITE in image.info:
        values = image.info[_WHITE] - values
    return np.where(known, values, 0), known


def _extent(values: NDArray[np.float64], known: NDArray[np.bool_]) -> tuple[float, float] | None:
    """Least and greatest value. The median of each 3x3 is taken before: sensors have pixels that are dead or hot."""
    from scipy.ndimage import median_filter

    step = max(1, min(values.shape) // _MEDIAN_SIDE)
    values, known = values[::step, ::step], known[::step, ::step]
    if known.all():
        values = median_filter(values, 3, mode="nearest")
    seen = values[known]
    return (float(seen.min()), float(seen.max())) if seen.size else None


def _levels(extents: Sequence[tuple[float, float] | None]) -> tuple[float, float]:
    """The values that become 0 and 255: the bounds of what is there, or of its bits if it fills at least half of them.

    Args:
        extents: least and greatest value of each image, None where none is known.
    """
    seen = [extent for extent in extents if extent is not None]
    if not seen:
        return 0, 65535
    low = float(np.percentile([low for low, _ in seen], _OUTLIERS[0], method="lower"))
    high = float(np.percentile([high for _, high in seen], _OUTLIERS[1], method="higher"))
    if low == high:
        return 0, 65535
    full = 1.0 if high <= 1 else 2.0 ** np.ceil(np.log2(high + 1)) - 1
    return (0.0, float(full)) if low >= 0 and high - low >= full / 2 else (low, high)
