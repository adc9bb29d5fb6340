"""Six activities as an accelerometer on the hip might see them, made up: for tests of tables and windows."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 50
"""Hz."""
CHANNELS = ("ax", "ay", "az")
"""In g."""
_MOVES = {  # steps a second, swing in g, share of the second harmonic, tilt in radians
    "lie": (0.25, 0.01, 0.0, 1.5),
    "sit": (0.25, 0.01, 0.0, 0.6),
    "stand": (0.25, 0.02, 0.0, 0.0),
    "stairs": (1.6, 0.35, 0.9, 0.15),
    "walk": (1.9, 0.35, 0.3, 0.0),
    "run": (2.8, 1.1, 0.4, 0.1),
}
CLASSES = tuple(sorted(_MOVES))


def records(subjects: int, seconds: int, seed: int = 0) -> Iterator[tuple[str, str, NDArray[np.float64]]]:
    """Subject, activity and values (rows, 3) in g: everyone has a pace, a strength and a way of wearing the sensor."""
    rng = np.random.default_rng(seed)
    time = np.arange(seconds * RATE) / RATE
    for subject in range(subjects):
        pace, strength = rng.normal(1, 0.08), rng.normal(1, 0.2)
        worn = rng.normal(0, 0.15, 2)
        for activity, (steps, swing, harmonic, tilt) in _MOVES.items():
            phase = (
                2 * np.pi * (steps * pace * time + rng.random() + 0.05 * np.cumsum(rng.standard_normal(len(time))) / 10)
            )
            bounce = strength * swing * (np.sin(phase) + harmonic * np.sin(2 * phase + 1))
            sway = strength * swing * 0.5 * np.sin(phase / 2)
            tilt_x, tilt_y = tilt + worn[0] + rng.normal(0, 0.1), worn[1]
            gravity = np.array([np.sin(tilt_x), np.cos(tilt_x) * np.sin(tilt_y), np.cos(tilt_x) * np.cos(tilt_y)])
            values = gravity + np.stack([0.5 * bounce, sway, bounce], axis=1)
            yield f"s{subject}", activity, values + 0.03 * rng.standard_normal(values.shape)


def write_csv(folder: Path, subjects: int = 6, seconds: int = 40) -> Path:
    """A table a subject, one activity after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(subjects):
        (folder / f"s{number}.csv").write_text("subject,activity,ax,ay,az\n")
    for subject, activity, values in records(subjects, seconds):
        with (folder / f"{subject}.csv").open("a") as file:
            file.writelines(f"{subject},{activity},{x:.4f},{y:.4f},{z:.4f}\n" for x, y, z in values.tolist())
    return folder


def write_npz(path: Path, subjects: int = 6, seconds: int = 40, window: int = 64) -> Path:
    """Windows behind each other, with classes and groups."""
    x, y, groups = [], [], []
    for subject, activity, values in records(subjects, seconds):
        for start in range(0, len(values) - window + 1, window):
            x.append(values[start : start + window].round(4))
            y.append(activity)
            groups.append(subject)
    np.savez(path, x=np.array(x, np.float32), y=np.array(y), groups=np.array(groups), channels=np.array(CHANNELS))
    return path
