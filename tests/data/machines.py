"""Recordings of a fan: its hum, and what a worn bearing or a loose screw adds."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.data.wavs import wav

RATE = 8000


def fan(rng: np.random.Generator, seconds: float = 1.0, fault: str | None = None) -> NDArray[np.float64]:
    """A hum of 120 Hz that differs a little from day to day, air, and perhaps a ``fault``: ``bearing`` or ``screw``."""
    time = np.arange(round(seconds * RATE)) / RATE
    speed = 120 * (1 + rng.uniform(-0.03, 0.03))
    sound = sum(rng.uniform(0.7, 1) / k * np.sin(2 * np.pi * (k * speed * time + rng.random())) for k in range(1, 8))
    sound = 0.1 * np.asarray(sound) + 0.02 * rng.normal(size=len(time))
    if fault == "bearing":
        ring = np.exp(-np.arange(80) / 12) * np.sin(2 * np.pi * 2600 * np.arange(80) / RATE)
        knocks = np.zeros(len(time))
        knocks[:: RATE // 31] = 1
        sound = sound + 0.15 * np.convolve(knocks, ring)[: len(time)]
    elif fault == "screw":
        sound = sound + 0.05 * np.sin(2 * np.pi * 1500 * time) * (rng.random() + np.sin(2 * np.pi * 3 * time))
    return np.asarray(sound, np.float64)


def write_machine(folder: Path, train: int = 30, test: int = 12, seconds: float = 1.0) -> Path:
    """``train/*.wav``, ``test/normal/*.wav`` and ``test/anomalous/*.wav``."""
    rng = np.random.default_rng(0)
    for part, count, faults in (
        ("train", train, (None,)),
        ("test/normal", test, (None,)),
        ("test/anomalous", test, ("bearing", "screw")),
    ):
        (folder / part).mkdir(parents=True)
        for number in range(count):
            content = wav(fan(rng, seconds, faults[number % len(faults)]), RATE)
            (folder / part / f"{number:02d}.wav").write_bytes(content)
    return folder
