"""Image files without their metadata: no pixel depends on it, but readers refuse whole files for it."""

from collections.abc import Iterator

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
"""What the files begin with."""
_SCAN = 0xDA
"""Code of the JPEG segment that pixels begin with."""
_APART = (0xE1, 0xE2, 0xFE)
"""Codes of JPEG segments with EXIF or XMP, with colour profiles or an index of further images, with comments."""


def without_metadata(content: bytes) -> tuple[bytes, bytes]:
    """A JPEG or PNG file without its metadata, and its EXIF block, or an empty one; other files as they are."""
    kept, exif = [], b""
    for part, metadata, is_exif in _parts(content):
        if not metadata:
            kept.append(part)
        elif is_exif is not None:
            exif = is_exif
    return b"".join(kept), exif


def _parts(content: bytes) -> Iterator[tuple[bytes, bool, bytes | None]]:
    """The parts of a file in turn: bytes, whether these are metadata, and which EXIF block is in them."""
    if content.startswith(_PNG):
        yield _PNG, False, None
        yield from _chunks(content)
    elif content.startswith(_JPEG):
        yield _JPEG, False, None
        yield from _segments(content)
    else:
        yield content, False, None


def _chunks(content: bytes) -> Iterator[tuple[bytes, bool, bytes | None]]:
    """Of PNG: size, name, what follows, checksum (PNG specification, section 5.3).

    Names of what can be left out begin with a small letter; transparency is among them, but no metadata.
    """
    at = len(_PNG)
    while at < len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")
        name = content[at + 4 : at + 8]
        exif = content[at + 8 : end - 4] if name == b"eXIf" else None
        yield content[at:end], name[:1].islower() and name != b"tRNS", exif
        at = end


def _segments(content: bytes) -> Iterator[tuple[bytes, bool, bytes | None]]:
    """Of JPEG: FF, code, size (with itself), what follows (ITU-T T.81, section B.1.1)."""
    at = len(_JPEG)
    while at + 4 <= len(content) and content[at] == 0xFF and content[at + 1] != _SCAN:
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        exif = content[at + 4 : end] if content[at + 4 : at + 8] == b"Exif" else None
        yield content[at:end], content[at + 1] in _APART, exif
        at = end
    yield content[at:], False, None
