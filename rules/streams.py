"""Where doit writes to: streams that neither a character nor a reader that has gone can break."""

import io
import os
import signal
import sys
from types import TracebackType
from typing import TextIO

from mcubuild.errors import BuildError

INTERRUPTED = "interrupted. The same command goes on from the last checkpoint."


class _Raw(io.FileIO):
    """A stream of this process; what nobody reads any more is dropped, as what is built matters more than its lines."""

    def write(self, data: memoryview) -> int:  # type: ignore[override]
        try:
            return super().write(data)
        except OSError:
            with open(os.devnull, "wb", buffering=0) as nowhere:  # noqa: PTH123
                os.dup2(nowhere.fileno(), self.fileno())
            return data.nbytes


def set_up(lists: bool) -> TextIO:
    """Make stdout and stderr safe; the new stdout.

    Args:
        lists: doit writes its own list, which it does to the stdout that it found, and ends when nobody reads on.

    Raises:
        BuildError: there is nothing to write the list to.
    """
    closed = sys.stdout is None
    for number in range(3):  # else the next file to be opened would be taken for a stream
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout, sys.stderr = _safe(sys.stdout, 1), _safe(sys.stderr, 2)
    sys.excepthook = _quiet_interrupt
    if lists:
        if closed:
            raise BuildError("stdout is closed, so there is nowhere to write to.")
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    return sys.stdout


def _safe(stream: TextIO | None, number: int) -> TextIO:
    errors = "backslashreplace"
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors=errors)
    raw = io.BufferedWriter(_Raw(number, "w", closefd=False))  # type: ignore[type-var]
    encoding = "utf-8" if stream is None else stream.encoding
    return io.TextIOWrapper(raw, encoding=encoding, errors=errors, line_buffering=True)


def _quiet_interrupt(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """What Python shows of an error that ends it: of Ctrl-C, which doit does not handle, one line."""
    if issubclass(kind, KeyboardInterrupt):
        print(f"\nERROR: {INTERRUPTED}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)
