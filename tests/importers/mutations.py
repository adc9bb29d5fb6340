"""Files that are damaged at random."""

from collections.abc import Iterator

import numpy as np

HOSTILE = (0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x40000000, 0x10000, 0xFFFFFFF0)


def mutations(data: bytes, rng: np.random.Generator, count: int) -> Iterator[bytes]:
    """Cut, flipped, overwritten by hostile numbers, with parts moved."""
    for _ in range(count):
        broken = bytearray(data)
        for _ in range(int(rng.integers(1, 4))):
            if len(broken) <= 8:
                break
            at = int(rng.integers(0, len(broken) - 8))
            match int(rng.integers(0, 5)):
                case 0:
                    broken[at] ^= 1 << int(rng.integers(0, 8))
                case 1:
                    broken[at] = int(rng.integers(0, 256))
                case 2:
                    at -= at % 4
                    broken[at : at + 4] = int(rng.choice(HOSTILE)).to_bytes(4, "little")
                case 3:
                    other = int(rng.integers(0, len(broken) - 8))
                    broken[at : at + 8] = broken[other : other + 8]
                case _:
                    del broken[at:]
        yield bytes(broken)
