"""What is seen in image files of every kind."""

import io
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps, PngImagePlugin

from mcubuild.data.files import PathFile
from mcubuild.data.images import read_images
from mcubuild.data.splits import Pictures
from mcubuild.errors import BuildError

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def write(folder: Path, *images: Image.Image, suffix: str = "png", **options: Any) -> list[Path]:
    paths = [folder / f"{number}.{suffix}" for number in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        image.save(path, **options)
    return paths


def files(paths: list[Path]) -> list[PathFile]:
    return [PathFile(path, path.name) for path in paths]


def read(paths: list[Path], **others: list[Path]) -> tuple[dict[str, Pixels], tuple[str, ...]]:
    found = read_images({split: files(some) for split, some in {"train": paths, **others}.items()}, 64)
    return found.pixels, found.cautions


def icon(ink: int, mode: str = "RGBA") -> Image.Image:
    """A bar that is drawn in alpha alone."""
    alpha = np.zeros((32, 32), np.uint8)
    alpha[8:16, 4:28] = 255
    ground = Image.new("L", (32, 32), ink)
    return Image.merge(mode, [ground] * (len(mode) - 1) + [Image.fromarray(alpha)])


def thermal(place: int = 0) -> np.ndarray[Any, np.dtype[np.int64]]:
    """14-bit values: 2931 +- 2, and a shape that is 150 above."""
    values = 2931 + np.random.default_rng(place).integers(-2, 3, (32, 32))
    values[10:20, 5 + place : 15 + place] += 150
    return values


@pytest.mark.parametrize(
    ("suffix", "mode", "options"),
    [
        ("png", "RGBA", {}),
        ("png", "LA", {}),
        ("webp", "RGBA", {"lossless": True}),
        ("tif", "RGBA", {}),
    ],
)
def test_what_is_drawn_in_alpha_stands_on_white(
    tmp_path: Path, suffix: str, mode: str, options: dict[str, Any]
) -> None:
    found, cautions = read(write(tmp_path, icon(0, mode), suffix=suffix, **options))
    drawn = found["train"][0]
    assert (drawn[8:16, 4:28] == 0).all() and (drawn[:8] == 255).all() and (drawn[:, :4] == 255).all()
    assert cautions == (f"Images that are transparent in part were put on white: 1 of 1 (0.{suffix})",)


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_transparency_of_palettes(tmp_path: Path, suffix: str) -> None:
    [path] = write(tmp_path, icon(40).quantize(8) if suffix == "png" else icon(40), suffix=suffix)
    with Image.open(path) as image:
        assert image.mode == "P" and "transparency" in image.info
    drawn = read([path])[0]["train"][0]
    assert (drawn[8:16, 4:28] == 40).all() and (drawn[:8] == 255).all()


@pytest.mark.parametrize("image", [Image.new("L", (8, 8), 90), Image.new("RGB", (8, 8), (90, 90, 90))])
def test_a_transparent_colour(tmp_path: Path, image: Image.Image) -> None:
    image.paste(10, (2, 2, 5, 5)) if image.mode == "L" else image.paste((10, 10, 10), (2, 2, 5, 5))
    key = 90 if image.mode == "L" else (90, 90, 90)
    drawn = read(write(tmp_path, image, transparency=key))[0]["train"][0]
    assert (drawn[2:5, 2:5] == 10).all() and (drawn[:2] == 255).all()


@pytest.mark.parametrize(
    ("inks", "ground"),
    [((0, 0), 255), ((128, 40), 255), ((255, 255), 0), ((250, 255), 0), ((0, 255), 128), ((200, 255), 0)],
)
def test_nothing_vanishes_on_what_it_stands_on(tmp_path: Path, inks: tuple[int, int], ground: int) -> None:
    """One ground for all, by the training images alone."""
    found, _ = read(write(tmp_path, *(icon(ink) for ink in inks)), test=write_test(tmp_path))
    for drawn, ink in zip(found["train"], inks, strict=True):
        assert (drawn[:8] == ground).all() and (drawn[8:16, 4:28] == ink).all()
    assert (found["test"][0][:8] == ground).all()


def write_test(folder: Path) -> list[Path]:
    (folder / "test").mkdir()
    return write(folder / "test", icon(77))


def test_an_alpha_that_is_the_same_everywhere_draws_nothing(tmp_path: Path) -> None:
    image = Image.new("RGBA", (8, 8), (1, 2, 3, 0))
    image.paste((7, 8, 9, 0), (2, 2, 5, 5))
    found, cautions = read(write(tmp_path, image))
    assert found["train"][0][0, 0].tolist() == [1, 2, 3] and found["train"][0][3, 3].tolist() == [7, 8, 9]
    assert cautions == ()


@pytest.mark.parametrize(
    ("suffix", "dtype", "factor"),
    [("png", "u2", 1), ("tif", "u2", 1), ("tif", "i4", 1), ("tif", "f4", 0.01), ("tif", ">u2", 1)],
)
def test_deep_values_are_scaled_by_what_is_there(tmp_path: Path, suffix: str, dtype: str, factor: float) -> None:
    images = [Image.fromarray((thermal(place) * factor).astype(dtype)) for place in range(3)]
    found, cautions = read(write(tmp_path, *images, suffix=suffix))
    assert found["train"].shape == (3, 32, 32, 1)
    for place, pixels in enumerate(found["train"]):
        assert pixels[10:20, 5 + place : 15 + place].min() > 240 and pixels[:10].max() < 15
    assert len(cautions) == 1 and "Values of more than 8 bits" in cautions[0] and "3 of 3" in cautions[0]
    assert f"{2929 * factor:g} to {3083 * factor:g} as 0 to 255; a device must, too" in cautions[0]


def test_what_a_device_must_agree_with(tmp_path: Path) -> None:
    """The range of values, and the size of most images to train with."""
    values = [Image.fromarray(thermal(place)[:, :width].astype(np.uint16)) for place, width in enumerate((30, 32, 30))]
    paths = write(tmp_path, *values)
    pictures = read_images({"train": files(paths), "test": files(paths[1:2] * 5)}, 64).pictures
    assert pictures == Pictures((30, 32), (2929.0, 3083.0))
    paths = write(tmp_path, icon(0, "LA"))
    assert read_images({"train": files(paths)}, 64).pictures == Pictures((32, 32), None)


def test_one_range_for_all_images_of_training_without_its_bad_pixels(tmp_path: Path) -> None:
    """A hot and a dead pixel in every image, and a test image that is far off."""
    values = thermal()
    values[3, 3], values[25, 25] = 0, 16383
    (tmp_path / "test").mkdir()
    cold, hot = (
        write(tmp_path / "test", Image.fromarray(np.full((32, 32), value, np.uint16)), suffix=suffix)
        for value, suffix in ((0, "png"), (9000, "tif"))
    )
    found, _ = read(write(tmp_path, Image.fromarray(values.astype(np.uint16))), test=cold + hot)
    assert found["train"][0][12:18, 7:13].min() > 240 and found["train"][0][10, 20] < 15
    assert (found["test"][0] == 0).all() and (found["test"][1] == 255).all()


@pytest.mark.parametrize(("greatest", "level"), [(65535, 65535), (60000, 65535), (4000, 4095), (900, 1023)])
def test_values_that_fill_their_bits_keep_their_meaning(tmp_path: Path, greatest: int, level: int) -> None:
    values = np.linspace(0.1 * greatest, greatest, 64 * 64).reshape(64, 64).astype(np.uint16)
    found, cautions = read(write(tmp_path, Image.fromarray(values)))
    np.testing.assert_array_equal(found["train"][0][..., 0], np.round(255 * (values / level)))
    assert f"levels, 0 to {level} as 0 to 255" in cautions[0]


def test_values_that_are_not_known_do_not_count(tmp_path: Path) -> None:
    values = (thermal() / 100).astype(np.float32)
    values[0, 0], values[1, 1], values[2, 2] = np.nan, np.inf, -np.inf
    pixels = read(write(tmp_path, Image.fromarray(values), suffix="tif"))[0]["train"][0]
    assert pixels[12:18, 7:13].min() > 240 and pixels[5:10].max() < 15


@pytest.mark.parametrize(
    ("image", "suffix", "colour"),
    [
        (Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "jpg", (254, 0, 0)),
        (Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "tif", (255, 0, 0)),
        (Image.new("RGB", (8, 8), (200, 20, 20)).convert("YCbCr"), "tif", (199, 18, 19)),
        (Image.new("RGB", (8, 8), (200, 20, 20)).convert("P"), "gif", (204, 0, 0)),
        (Image.new("1", (8, 8), 1), "bmp", (255,)),
        (Image.new("RGB", (8, 8), (200, 20, 20)), "webp", (200, 20, 20)),
        (Image.new("RGB", (8, 8), (200, 20, 20)), "ppm", (200, 20, 20)),
    ],
)
def test_colours_are_those_that_people_see(
    tmp_path: Path, image: Image.Image, suffix: str, colour: tuple[int, ...]
) -> None:
    found = read(write(tmp_path, image, suffix=suffix))[0]["train"][0]
    np.testing.assert_allclose(found[4, 4], colour, atol=4)


@pytest.mark.parametrize("suffix", ["gif", "webp", "tif", "png"])
def test_only_the_first_frame_is_read_and_that_is_told(tmp_path: Path, suffix: str) -> None:
    first, second = (Image.new("RGB", (8, 8), colour) for colour in ((10, 20, 30), (200, 100, 0)))
    options = {"lossless": True} if suffix == "webp" else {}
    found, cautions = read(write(tmp_path, first, suffix=suffix, save_all=True, append_images=[second], **options))
    assert found["train"][0][4, 4].tolist() == [10, 20, 30]
    assert cautions == (f"Of several frames or pages only the first was read: 1 of 1 (0.{suffix})",)


def test_colours_of_16_bits_are_told(tmp_path: Path) -> None:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    rows = (b"\0" + struct.pack(">HHH", 0x1234, 0x5678, 0x9ABC) * 8) * 8
    header = struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    found, cautions = read([tmp_path / "0.png"])
    assert found["train"][0][4, 4].tolist() == [0x12, 0x56, 0x9A]
    assert cautions == ("Colours of 16 bits were read by their upper 8: 1 of 1 (0.png)",)


def tiff(values: np.ndarray[Any, Any], photometric: int, sample_format: int) -> bytes:
    """One strip of grey, as scanners and microscopes write it and Pillow does not."""
    height, width = values.shape
    tags = {256: width, 257: height, 258: 8 * values.itemsize, 259: 1, 262: photometric, 277: 1, 278: height}
    tags |= {273: 8, 279: values.nbytes, 339: sample_format}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    place = 8 + values.nbytes
    return b"II*\0" + struct.pack("<I", place) + values.tobytes() + struct.pack("<H", len(tags)) + entries + bytes(4)


@pytest.mark.parametrize(
    ("photometric", "sample_format", "stored"),
    [
        (1, 1, lambda shown: (257 * shown).astype("<u2")),
        (0, 1, lambda shown: (65535 - 257 * shown).astype("<u2")),
        (1, 1, lambda shown: (16843009 * shown).astype("<u4")),
        (1, 2, lambda shown: (10000000 * (shown - 128)).astype("<i4")),
        (0, 3, lambda shown: (-shown / 255).astype("<f4")),
    ],
    ids=["16 bits", "16 bits, 0 is white", "32 bits", "32 bits with a sign", "floats, 0 is white"],
)
def test_grey_tiffs_of_more_than_8_bits_show_what_people_see(
    tmp_path: Path, photometric: int, sample_format: int, stored: Any
) -> None:
    shown = np.repeat(np.repeat(np.arange(256).reshape(16, 16), 2, axis=0), 2, axis=1)
    shown[:6, :6], shown[-6:, -6:] = 0, 255  # extents that a median leaves
    (tmp_path / "0.tif").write_bytes(tiff(stored(shown.astype(np.float64)), photometric, sample_format))
    found, _ = read([tmp_path / "0.tif"])
    assert np.abs(found["train"][0][..., 0].astype(int) - shown).max() <= 1


def test_text_in_a_file_is_not_taken_for_what_tags_say(tmp_path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    for name in ("white", "unsigned"):
        text.add_text(name, "65535")
    paths = write(tmp_path, Image.fromarray(thermal().astype(np.uint16)), pnginfo=text)
    assert read(paths)[0]["train"][0][15, 9, 0] > 200


def test_formats_of_a_sort_that_is_not_read_are_called_by_their_name(tmp_path: Path) -> None:
    (tmp_path / "0.tif").write_bytes(tiff(np.zeros((8, 8), "<f8"), 1, 3))
    with pytest.raises(BuildError, match=r"it is a TIFF that is damaged or of a sort that is not read; save it anew"):
        read([tmp_path / "0.tif"])


def test_photos_of_phones_with_a_second_picture_are_nothing_special(tmp_path: Path) -> None:
    photo = Image.new("RGB", (8, 8), (100, 100, 100))
    paths = write(tmp_path, photo, suffix="jpg", format="MPO", save_all=True, append_images=[photo])
    assert read(paths)[1] == ()


def exif(orientation: int, **entries: tuple[int, int, bytes]) -> bytes:
    """An EXIF block with entries of raw type, count and content, none of them checked."""
    found = {"Orientation": (3, 1, struct.pack("<HH", orientation, 0)), **entries}
    tags = sorted((ExifTags.Base[name].value, *entry) for name, entry in found.items())
    body = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHI4s", *tag) for tag in tags)
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + body + bytes(4)


ODD = {
    "sound": exif(6),
    "orientation as a byte": exif(1, Orientation=(1, 1, b"\6\0\0\0")),
    "orientation as what": exif(1, Orientation=(7, 2, b"\6\0\0\0")),
    "orientation as long": exif(1, Orientation=(4, 1, b"\6\0\0\0")),
    "undefined": exif(6, XResolution=(7, 4, b"\0\0\0H"), ResolutionUnit=(3, 1, b"\2\0\0\0")),
    "empty": exif(6, XResolution=(7, 0, bytes(4)), ResolutionUnit=(3, 1, b"\2\0\0\0")),
    "zero": exif(6, XResolution=(5, 1, struct.pack("<I", 8)), ResolutionUnit=(3, 1, b"\2\0\0\0")),
    "outside": exif(6, XResolution=(5, 1, b"\xff\xff\xff\x7f"), Make=(2, 0xFFFFFFFF, b"\xff\xff\xff\xff")),
    "no such type": exif(6, Make=(77, 3, b"abcd")),
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_damaged_exif_turns_the_photo_all_the_same(tmp_path: Path, suffix: str, kind: str) -> None:
    """Orientation 6: what is stored as the left side is the top."""
    pixels = np.zeros((16, 16), np.uint8)
    pixels[:, :8] = 255
    options = {"lossless": True} if suffix == "webp" else {}
    if suffix == "jpg":  # Pillow looks for the resolution in EXIF only where the JFIF header has none
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
        plain = buffer.getvalue()
        block = ODD[kind]
        header = b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
        assert plain[2:4] == b"\xff\xe0"
        (tmp_path / "0.jpg").write_bytes(plain[:2] + header + plain[20:])
    else:
        write(tmp_path, Image.fromarray(pixels), suffix=suffix, exif=ODD[kind], **options)
    found = read([tmp_path / f"0.{suffix}"])[0]["train"][0]
    assert (found[:7] > 240).all() and (found[9:] < 15).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_every_orientation(tmp_path: Path, suffix: str, orientation: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    block = Image.Exif()
    block[ExifTags.Base.Orientation] = orientation
    [path] = write(tmp_path, Image.fromarray(pixels), suffix=suffix, exif=block)
    with Image.open(path) as image:
        np.testing.assert_array_equal(read([path])[0]["train"][0], ImageOps.exif_transpose(image))


def test_a_png_with_damaged_metadata_is_read(tmp_path: Path) -> None:
    """Checksums of text and EXIF are wrong; that of the pixels must be right."""
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    [path] = write(tmp_path, Image.fromarray(pixels), exif=exif(1), dpi=(72, 72))
    whole = path.read_bytes()
    for name in (b"eXIf", b"pHYs"):
        at = whole.index(name) + 4
        path.write_bytes(whole[:at] + b"\x55" + whole[at + 1 :])
        np.testing.assert_array_equal(read([path])[0]["train"][0], pixels)
    at = whole.index(b"IDAT") + 8
    path.write_bytes(whole[:at] + b"\x55" + whole[at + 1 :])
    with pytest.raises(BuildError, match=r"0\.png: cannot be read as an image"):
        read([path])


def compressed_png(width: int, height: int) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.png", b"", "(it is empty)"),
        ("b.jpg", b"\xff\xd8\xff", "it is a JPEG that is damaged or of a sort that is not read; save it anew"),
        ("h.jpg", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "ftypheic\\x00\\x00\\x00\\x00', as none of BMP, GIF, JPEG"),
        ("c.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "it begins with b'%!PS-Adobe-3.0 E'"),
        ("d.png", compressed_png(50_000, 50_000), "exceeds limit"),
        ("e.png", compressed_png(100, 100), "truncated"),
    ],
)
def test_what_cannot_be_read_is_named_in_a_line(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BuildError, match=re.escape(told)) as caught:
        read([tmp_path / name])
    message = str(caught.value)
    assert message.startswith(str(tmp_path / name)) and len(message) < 500 and "\n" not in message


def test_truncated_files_of_every_format_are_refused(tmp_path: Path) -> None:
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8))
    for suffix in ("jpg", "png", "webp", "gif", "tif", "bmp", "ppm"):
        [path] = write(tmp_path, photo, suffix=suffix)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(BuildError, match=rf"0\.{suffix}: cannot be read as an image"):
            read([path])


def test_what_the_square_leaves_out_and_what_is_enlarged_is_told(tmp_path: Path) -> None:
    images = [Image.new("L", size, 9) for size in ((64, 64), (64, 64), (130, 64), (30, 30), (100, 64))]
    _, cautions = read(write(tmp_path, *images))
    assert cautions == (
        "Only the square in the middle is read, which is less than half of the image: 1 of 5 (2.png)",
        "Images were enlarged twice or more, to 64x64 pixels: 1 of 5 (3.png)",
    )


def test_what_libtiff_says_is_told_of_the_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It writes to the process's stderr, and goes on after some damage."""
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8))
    [path] = write(tmp_path, picture, suffix="tif", compression="jpeg")
    whole = path.read_bytes()
    assert read([path])[1] == ()
    at = whole.rindex(b"\xff\xda") + 100
    path.write_bytes(whole[:at] + b"\xff\x02" + whole[at + 2 :])  # a marker among the pixels that JPEG does not have
    assert read([path])[1] == (
        "TIFFs were read of which libtiff says that they are damaged, so parts may be wrong: 1 of 1 (0.tif)",
    )
    path.write_bytes(whole.replace(b"\xff\xda", b"\xff\x02"))
    with pytest.raises(BuildError, match=r"0\.tif: cannot be read as an image \(.*JPEGLib: .*\); replace or remove it"):
        read([path])
    assert capfd.readouterr().err == ""
