"""Mutated image files: each is read or refused by name, and what only damages metadata changes no pixel."""

import io
import struct
import tempfile
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from mcubuild.data.files import PathFile
from mcubuild.data.images import read_images
from tests.trials.mutation import accepted, mutate, named, scribbled
from tests.trials.trial import WrongError

COUNT = 3000
PATIENCE = 10.0

_SIZE = (48, 40)


@cache
def samples() -> dict[str, tuple[bytes, tuple[range, ...]]]:
    """Image files of all sorts, by name, and where each has metadata that no pixel depends on."""
    found = {}
    for name, content in _written():
        suffix = name.rsplit(".")[-1]
        places = {"jpg": _jpeg_metadata, "png": _png_metadata, "webp": _webp_metadata}.get(suffix)
        found[name] = (content, () if places is None else tuple(places(content)))
    return found


def trial(rng: Random, folder: Path) -> None:
    """Read a mutated image; what only damages metadata must not change a pixel."""
    files = samples()
    name = rng.choice(list(files))
    content, metadata = files[name]
    path = folder / name
    if metadata and rng.random() < 0.5:
        damaged = scribbled(content, rng.choice(metadata), rng)
        if name.endswith("png") and rng.random() < 0.5:
            damaged = _with_sums(damaged)
        path.write_bytes(damaged)
        with accepted():
            if not _is_any_way_up(_read(path), whole(name)):
                raise WrongError("metadata alone was damaged, and pixels changed")
    else:
        path.write_bytes(mutate(content, rng))
        with named(path):
            _read(path)


@cache
def whole(name: str) -> NDArray[np.uint8]:
    """The pixels of an undamaged file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(samples()[name][0])
        return _read(path)


def _read(path: Path) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = read_images({"train": [PathFile(path, path.name)]}, 64).pixels["train"][0]
    return pixels


def _is_any_way_up(found: NDArray[np.uint8], whole: NDArray[np.uint8]) -> bool:
    """The orientation is metadata, too: any of the eight may have come out."""
    turned = [np.rot90(side, quarter) for side in (whole, whole[:, ::-1]) for quarter in range(4)]
    return any(np.array_equal(found, one) for one in turned)


def _written() -> Iterator[tuple[str, bytes]]:
    generator = np.random.default_rng(0)
    smooth = np.add.outer(np.arange(_SIZE[1]), np.arange(_SIZE[0]))[..., np.newaxis] * (1, 2, 3)
    noisy = smooth + generator.integers(0, 20, (_SIZE[1], _SIZE[0], 3))
    photo = Image.fromarray(noisy.astype(np.uint8))
    round_alpha = Image.fromarray((np.hypot(*np.ogrid[-20:20, -24:24]) < 16).astype(np.uint8) * 255)
    icon = photo.copy()
    icon.putalpha(round_alpha)
    deep = Image.fromarray((2900 + noisy[..., 0]).astype(np.uint16))
    warm = Image.fromarray((18 + noisy[..., 0] / 20).astype(np.float32))
    exif = _exif()
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = made[:24] + bytes(12) + made[36:]  # without its date, which seeds do not fix
    text = PngInfo()
    text.add_text("Author", "somebody")
    text.add_itxt("Title", "a photo", "en", "un photo")
    text.add_text("Comment", "compressed " * 9, zip=True)

    def saved(name: str, image: Image.Image, **options: object) -> tuple[str, bytes]:
        buffer = io.BytesIO()
        image.save(buffer, {"jpg": "JPEG", "tif": "TIFF"}.get(name.split(".")[1], name.split(".")[1]), **options)
        return name, buffer.getvalue()

    for mode in ("RGB", "L", "CMYK"):
        yield saved(f"{mode}.jpg", photo.convert(mode), exif=exif, comment=b"by nobody")
    yield saved("progressive.jpg", photo, exif=exif, progressive=True, icc_profile=profile)
    yield saved("plain.jpg", photo)
    yield saved("phone.mpo.jpg", photo, save_all=True, append_images=[photo], exif=exif)
    for mode in ("1", "L", "P", "RGB"):
        yield saved(f"{mode}.png", photo.convert(mode), exif=exif, pnginfo=text, dpi=(72, 72), icc_profile=profile)
    for mode in ("LA", "RGBA"):
        yield saved(f"{mode}.png", icon.convert(mode), exif=exif, pnginfo=text)
    yield saved("palette.png", icon.quantize(16), pnginfo=text)
    yield saved("key.png", photo, transparency=photo.getpixel((3, 3)), pnginfo=text)
    yield saved("deep.png", deep, pnginfo=text)
    yield saved("animated.png", photo, save_all=True, append_images=[icon.convert("RGB")], pnginfo=text)
    yield saved("lossy.webp", photo, exif=exif, icc_profile=profile, xmp=b"<x:xmpmeta/>")
    yield saved("lossless.webp", icon, exif=exif, lossless=True, xmp=b"<x:xmpmeta/>")
    yield saved("animated.webp", photo, save_all=True, append_images=[photo.rotate(90)], exif=exif)
    yield saved("photo.gif", photo, comment=b"by nobody")
    yield saved("icon.gif", icon)
    yield saved("animated.gif", photo, save_all=True, append_images=[photo.rotate(180)], duration=50)
    for packing in ("raw", "tiff_lzw", "tiff_deflate", "packbits", "jpeg"):
        yield saved(f"{packing}.tif", photo, compression=packing, dpi=(72, 72), description="a photo")
    for name, image in (("deep", deep), ("warm", warm), ("icon", icon), ("bits", photo.convert("1"))):
        yield saved(f"{name}.tif", image, compression="tiff_lzw" if name == "icon" else "raw")
    yield saved("turned.tif", photo, exif=exif)
    yield saved("pages.tif", photo, save_all=True, append_images=[photo.rotate(90)])
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        yield saved(f"{mode}.bmp", (icon if mode == "RGBA" else photo).convert(mode))
    yield saved("photo.ppm", photo)
    yield saved("grey.ppm", photo.convert("L"))


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.XResolution] = 72.0
    exif[ExifTags.Base.YResolution] = 72.0
    exif[ExifTags.Base.ResolutionUnit] = 2
    exif[ExifTags.Base.Make] = "a maker"
    exif[ExifTags.Base.Model] = "a model of its"
    exif[ExifTags.Base.DateTime] = "2020:02:02 02:02:02"
    exif.get_ifd(ExifTags.IFD.Exif).update({ExifTags.Base.ExposureTime: 0.01, ExifTags.Base.MakerNote: bytes(60)})
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (1.0, 2.0, 3.0)})
    return exif


def _jpeg_metadata(content: bytes) -> Iterator[range]:
    """What is in EXIF, XMP, ICC profile and comments."""
    at = 2
    while content[at + 1] != 0xDA:
        size = struct.unpack(">H", content[at + 2 : at + 4])[0]
        if content[at + 1] in (0xE1, 0xE2, 0xFE):
            yield range(at + 4, at + 2 + size)
        at += 2 + size


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    at = 8
    while at < len(content):
        size, name = struct.unpack(">I4s", content[at : at + 8])
        yield name, at + 8, size
        at += 12 + size


def _png_metadata(content: bytes) -> Iterator[range]:
    for name, start, size in _png_chunks(content):
        if name in (b"eXIf", b"tEXt", b"iTXt", b"zTXt", b"pHYs", b"iCCP"):
            yield range(start, start + size)


def _with_sums(content: bytes) -> bytes:
    data = bytearray(content)
    for name, start, size in _png_chunks(content):
        data[start + size : start + size + 4] = struct.pack(">I", zlib.crc32(name + content[start : start + size]))
    return bytes(data)


def _webp_metadata(content: bytes) -> Iterator[range]:
    at = 12
    while at < len(content):
        name, size = struct.unpack("<4sI", content[at : at + 8])
        if name in (b"EXIF", b"XMP ", b"ICCP"):
            yield range(at + 8, at + 8 + size)
        at += 8 + size + size % 2
