"""The exceptions whose messages are meant for the user, and how these show what was found."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST = 500
"""Characters that no message reaches."""
_SHOWN = 80


def shortened(text: str, longest: int) -> str:
    """``text``, without its middle if it has more than ``longest`` characters: beginning and end tell the most."""
    if len(text) <= longest:
        return text
    head = (longest - 5) * 2 // 3
    return f"{text[:head]} ... {text[head + 5 - longest :]}"


def printable(text: str) -> str:
    """``text`` in one line: control characters, line breaks and marks that reorder text stand there escaped."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def tell(text: str) -> None:
    """Show the user, in a line, what the build does about something: it goes on."""
    print(f"  {printable(text)}", file=sys.stderr, flush=True)


def shown(value: object) -> str:
    """``value`` as messages quote it: in one line, and shortened in the middle."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, a table nested without end
        text = f"a huge {type(value).__name__}"
    return shortened(text, _SHOWN)


class BuildError(Exception):
    """A problem that the user can act on.

    The message stands alone: it names the file, key or layer, what was found, what is allowed and what to do.
    It is shown without a traceback; every other exception is a defect of mcubuild and is shown with one.
    Each argument is one line, whatever names and values of others are in it.
    """

    def __init__(self, *lines: str) -> None:
        super().__init__(*map(printable, lines))

    def __str__(self) -> str:
        return shortened("\n".join(self.args), LONGEST - 1)

    def of(self, what: str) -> "BuildError":
        """The same, told of ``what`` it was found in."""
        return BuildError(f"{what}: {self.args[0]}", *self.args[1:])


class NothingFitsError(BuildError):
    """No network, of those that may be chosen, is within the budget."""


@contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Whatever goes wrong inside is told of the user's file ``path``, which should be a ``kind``.

    Readers of formats raise what they please on damaged files: a list of their exceptions is never complete.

    Raises:
        BuildError: names the file and what the reader said; one that is raised inside stays as it is.
    """
    try:
        yield
    except BuildError:
        raise
    except OSError as error:
        raise BuildError(f"{path}: cannot be read ({error.strerror or error}).") from None
    except Exception as error:
        said = shortened(" ".join(str(error).split()), 3 * _SHOWN) or type(error).__name__
        raise BuildError(f"{path}: not valid {kind}: {said}.") from None


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """What the system says against writing below ``folder``, in one line.

    Raises:
        BuildError: names the folder and the remedy.
    """
    try:
        yield
    except OSError as error:
        raise BuildError(
            f"{error.filename or folder}: cannot be written ({error.strerror}); results go to {folder}/, which must be "
            f"a folder with write permission on a disk with room."
        ) from None
