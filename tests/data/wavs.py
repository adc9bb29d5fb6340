"""WAV files as other programs write them, byte by byte."""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PCM, FLOAT, A_LAW, MU_LAW = 1, 3, 6, 7


def wav(
    sound: NDArray[np.float64],
    rate: int = 8000,
    bits: int = 16,
    form: int = PCM,
    extra: bytes = b"",
    piped: bool = False,
) -> bytes:
    """A RIFF file of samples (N,) or (N, channels), -1 ... 1; ``extra``: chunks in front of the data.

    Of ``A_LAW`` and ``MU_LAW`` only the header is right. ``piped``: as by a program that did not know the sizes yet.
    """
    channels = 1 if sound.ndim == 1 else sound.shape[1]
    block = channels * bits // 8
    data = _encoded(np.atleast_1d(sound), bits, form)
    header = struct.pack("<4sIHHIIHH", b"fmt ", 16, form, channels, rate, rate * block, block, bits)
    body = b"WAVE" + header + extra + struct.pack("<4sI", b"data", 0xFFFFFFFF if piped else len(data)) + data
    return struct.pack("<4sI", b"RIFF", 0xFFFFFFFF if piped else len(body)) + body


def _encoded(sound: NDArray[np.float64], bits: int, form: int) -> bytes:
    if form == FLOAT:
        return sound.astype(f"<f{bits // 8}").tobytes()
    if bits == 8:
        return np.clip(np.round(128 + 127 * sound), 0, 255).astype(np.uint8).tobytes()
    whole = np.round(sound * (2 ** (bits - 1) - 1)).astype("<i8")
    lowest: NDArray[np.uint8] = whole.reshape(-1, 1).view(np.uint8)[:, : bits // 8]
    return lowest.tobytes()


def tone(frequency: float, seconds: float = 0.3, rate: int = 8000, level: float = 0.5) -> NDArray[np.float64]:
    """A sine with soft ends."""
    time = np.arange(round(seconds * rate)) / rate
    ends = np.minimum(1, np.minimum(time, time[-1] - time) / 0.02)
    sound: NDArray[np.float64] = level * ends * np.sin(2 * np.pi * frequency * time)
    return sound


def write_tones(folder: Path, count: int = 12, names: tuple[str, ...] = ("low", "mid", "high")) -> Path:
    """``<class>_<speaker>_<n>.wav``: tones of 300, 900 and 2700 Hz that differ a little; three speakers."""
    folder.mkdir(parents=True, exist_ok=True)
    for label, name in enumerate(names):
        for number in range(count):
            sound = tone(300 * 3**label * (1 + 0.02 * number), 0.25 + 0.01 * number)
            (folder / f"{name}_{'abc'[number % 3]}_{number}.wav").write_bytes(wav(sound))
    return folder
