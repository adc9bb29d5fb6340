"""Random damage to the bytes of a file, and what refusals of it owe to the user."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from mcubuild.errors import BuildError
from tests.trials.trial import WrongError

_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def mutate(content: bytes, generator: Random) -> bytes:
    """``content`` with bytes changed, cut off, doubled or taken out."""
    data = bytearray(content)
    for _ in range(generator.choice((1, 1, 1, 2, 4, 16))):
        if not data:
            break
        # Headers decide more than what follows.
        end = generator.choice((min(64, len(data)), len(data), len(data)))
        at = generator.randrange(end)
        match generator.randrange(7):
            case 0:
                data[at] ^= 1 << generator.randrange(8)
            case 1:
                data[at] = generator.randrange(256)
            case 2:
                width = generator.choice((1, 2, 4))
                value = generator.choice(_EXTREMES) & (256**width - 1)
                data[at : at + width] = value.to_bytes(width, generator.choice(("little", "big")))
            case 3:
                del data[at:]
            case 4:
                del data[at : at + generator.randrange(1, 32)]
            case 5:
                data[at:at] = data[generator.randrange(len(data)) :][: generator.randrange(1, 32)]
            case _:
                data[at : at + 8] = generator.randbytes(8)
    return bytes(data)


def scribbled(content: bytes, places: range, generator: Random) -> bytes:
    """``content`` with some of the bytes in ``places`` changed, nothing moved."""
    data = bytearray(content)
    for _ in range(generator.choice((1, 1, 2, 4, 16))):
        at = generator.choice(places)
        data[at] = generator.choice((generator.randrange(256), 0, 0xFF, data[at] ^ 1 << generator.randrange(8)))
    return bytes(data)


@contextmanager
def accepted() -> Iterator[None]:
    """Damage to what nothing depends on costs no file: a refusal inside is wrong."""
    try:
        yield
    except BuildError as error:
        raise WrongError(f"refused for what does not matter: {error}") from None


@contextmanager
def named(path: Path) -> Iterator[None]:
    """A refusal inside names the file ``path``, in one line."""
    try:
        yield
    except BuildError as error:
        if str(path) not in str(error) or "\n" in str(error):
            raise WrongError(f"the message does not name the file in one line: {error}") from None
        raise
