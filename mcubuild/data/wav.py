"""WAV files, as recorders, phones and programs write them.

A RIFF file is a list of chunks: four letters, the size of what follows, and that, padded to an even size (IBM and
Microsoft, Multimedia Programming Interface and Data Specifications 1.0, 1991). ``fmt `` says what ``data`` means.
"""

import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mcubuild.data.damage import DamagedError
from mcubuild.data.files import DAMAGES, File

_ORDERS = {b"RIFF": "<", b"RF64": "<", b"BW64": "<", b"RIFX": ">"}
"""Byte order by a file's first letters. RF64 and BW64 have long sizes elsewhere (EBU Tech 3306, ITU-R BS.2088)."""
_PCM, _FLOAT, _A_LAW, _MU_LAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_OTHERS = {2: "ADPCM", 6: "ALAW", 7: "MULAW", 17: "IMA ADPCM", 49: "GSM", 80: "MPEG", 85: "MP3", 255: "AAC"}
"""Compressed sound that one meets, by code."""
_UNKNOWN = 0x7FFF0000
"""Sizes from here on stand for "not known yet" where a program wrote to a pipe: FFFFFFFF, or a bit less than 2 GB."""
_RATES = (50, 1_000_000)
"""Hz; bats are recorded with half of the largest. What is beyond comes from a damaged header, and would take for ever,
or more memory than there is."""

_LARGEST = 2.0**32
"""Float sample: some programs write integers as such."""


def read_channels(file: File) -> tuple[int, NDArray[np.float64]]:
    """Sampling rate in Hz and samples (N, channels), -1 ... 1, of a WAV file.

    It has PCM of up to 32 bits, float, A-law or mu-law. A file whose sizes say that they were not known when it was
    written (to a pipe) is read to its end.

    Raises:
        DamagedError: the file cannot be read, is cut off, or holds no sound.
    """
    try:
        with file.open() as content:
            rate, samples = _decoded(content.read())
    except (*DAMAGES, ValueError, struct.error) as error:
        reason = "its header is cut off" if isinstance(error, struct.error) else error
        raise DamagedError(file, f"cannot be read as a WAV file ({reason})") from None
    if not len(samples) or not (np.abs(samples) <= _LARGEST).all():
        told = "some of its samples are no numbers, or absurd ones" if len(samples) else "it has no samples"
        raise DamagedError(file, f"holds no sound ({told})")
    return rate, samples


def _decoded(content: bytes) -> tuple[int, NDArray[np.float64]]:
    order = _ORDERS.get(content[:4])
    if order is None or content[8:12] != b"WAVE":
        raise ValueError(f"it begins with {content[:4]!r}, not with 'RIFF' and 'WAVE'" if content else "it is empty")
    form: tuple[int, int, int, int] | None = None
    for name, start, size in _chunks(content, order):
        if name == b"fmt ":
            form = _form(content[start : start + size], order)
        elif name == b"data":
            if form is None:
                raise ValueError("it has sound before it says which sort")
            code, channels, rate, width = form
            frame = channels * width
            data = content[start : start + size - size % frame]
            return rate, _numbers(data, code, width, order).reshape(-1, channels)
    raise ValueError("it has no chunk 'data'")


def _chunks(content: bytes, order: str) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and size in bytes of each chunk; the size of one that goes to the end of the file is known here."""
    start = 12
    long_size = None
    while start + 8 <= len(content):
        name, size = struct.unpack(f"{order}4sI", content[start : start + 8])
        start += 8
        left = len(content) - start
        if name == b"ds64":
            long_size = struct.unpack(f"{order}Q", content[start + 8 : start + 16])[0]
        elif name == b"data":
            if size == 0xFFFFFFFF and long_size is not None:
                size = long_size
            elif (size >= _UNKNOWN and size > left) or (size == 0 and not _is_chunk(content[start:], order)):
                size = left
        if size > left:
            raise ValueError(f"it is cut off: EOF after {left} of {size} bytes of its chunk {name!r}")
        yield name, start, size
        start += size
        # Some programs forget the padding; no chunk's name begins with a zero.
        start += size % 2 and content[start : start + 1] == b"\0"


def _is_chunk(content: bytes, order: str) -> bool:
    """Whether ``content`` is other chunks than sound: it begins with a name in letters, and a size that it has."""
    name = content[:4]
    return name.isascii() and name.strip().isalnum() and 8 + struct.unpack(f"{order}I", content[4:8])[0] <= len(content)


def _form(chunk: bytes, order: str) -> tuple[int, int, int, int]:
    """Code, channels, rate in Hz and bytes of a sample."""
    code, channels, rate, _, frame, bits = struct.unpack(f"{order}HHIIHH", chunk[:16])
    if code == _EXTENSIBLE:
        code = struct.unpack(f"{order}H", chunk[24:26])[0]
    if not channels or not _RATES[0] <= rate <= _RATES[1] or not frame or frame % channels:
        raise ValueError(f"its header says {channels} channels, {rate} Hz, {frame} bytes a frame")
    width = frame // channels
    if width not in {_PCM: (1, 2, 3, 4), _FLOAT: (4, 8), _A_LAW: (1,), _MU_LAW: (1,)}.get(code, ()):
        kind = _OTHERS.get(code, f"sound of the sort {code}") + f" with {bits} bits"
        raise ValueError(
            f"it has {kind}; PCM, float, A-law and mu-law can be read: ffmpeg -i in.wav -c:a pcm_s16le out.wav"
        )
    return code, channels, rate, width


def _numbers(data: bytes, code: int, width: int, order: str) -> NDArray[np.float64]:
    """The samples of all channels in turn, -1 ... 1."""
    if code == _FLOAT:
        with np.errstate(invalid="ignore"):  # signalling NaNs, which are refused like others
            return np.frombuffer(data, f"{order}f{width}").astype(np.float64)
    if code in (_A_LAW, _MU_LAW):
        return _expanded(code)[np.frombuffer(data, np.uint8)]
    if width == 1:
        return np.frombuffer(data, np.uint8) / 128.0 - 1
    # As the upper bytes of 32 bits, which is what the bits of a shorter sample are the upper ones of.
    wide = np.zeros((len(data) // width, 4), np.uint8)
    raw = np.frombuffer(data, np.uint8).reshape(-1, width)
    wide[:, 4 - width :] = raw if order == "<" else raw[:, ::-1]
    return wide.view("<i4")[:, 0] / 2.0**31


def _expanded(code: int) -> NDArray[np.float64]:
    """What the 256 bytes of A-law or mu-law stand for, -1 ... 1 (ITU-T G.711)."""
    byte = np.arange(256)
    if code == _MU_LAW:
        bits = ~byte & 0xFF
        size = ((2 * (bits & 15) + 33) << (bits >> 4 & 7)) - 33
        return np.where(bits & 0x80, -size, size) / 8192.0
    bits = byte ^ 0x55
    exponent = bits >> 4 & 7
    size = np.where(exponent == 0, 2 * (bits & 15) + 1, (2 * (bits & 15) + 33) << np.maximum(exponent - 1, 0))
    return np.where(bits & 0x80, size, -size) / 4096.0
