"""What may befall a file."""

import os
import random
from collections.abc import Callable
from pathlib import Path

from mcubuild.files import discard


def flip(path: Path, seed: int) -> None:
    """Change a bit somewhere; an empty file gets one."""
    content, rng = bytearray(path.read_bytes() or b"\0"), random.Random(seed)
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def _instead(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        discard(path)
        make(path)

    return damage


def _grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def _halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _link(path: Path) -> None:
    """The right bytes, but elsewhere."""
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def _clear(path: Path) -> None:
    """What a disk gives that lost the blocks."""
    path.write_bytes(bytes(path.stat().st_size))


DAMAGES: dict[str, Callable[[Path], None]] = {
    **{f"flipped bit {seed}": (lambda path, seed=seed: flip(path, seed)) for seed in range(3)},  # type: ignore[misc]
    "truncated": _halve,
    "grown": _grow,
    "zeros": _clear,
    "empty": lambda path: os.truncate(path, 0),
    "sparse": lambda path: os.truncate(path, 1 << 40),
    "folder": _instead(lambda path: (path / "inner").mkdir(parents=True)),
    "pipe": _instead(os.mkfifo),
    "link": _link,
    "link in a circle": _instead(lambda path: path.symlink_to(path.name)),
    "link that leads nowhere": _instead(lambda path: path.symlink_to("nowhere")),
    "link to a device": _instead(lambda path: path.symlink_to("/dev/zero")),
}
"""By name: each damages the file at a path, or puts something else there."""
