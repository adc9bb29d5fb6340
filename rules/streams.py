"""Where doit writes to: streams that neither a character nor a reader that has gone can break."""

import io
import os
import signal
import sys
from functools import cache
from threading import Timer
from types import TracebackType
from typing import TextIO

from mcubuild.errors import BuildError

INTERRUPTED = "interrupted. The same command goes on from the last checkpoint."
_AGAIN = 0.05
"""Seconds until an interrupt that was dropped comes once more: the callback is over then."""


class _Raw(io.FileIO):
    """A stream of this process; what nobody reads any more is dropped, as what is built matters more than its lines."""

    def write(self, data: memoryview) -> int:  # type: ignore[override]
        try:
            return super().write(data)
        except OSError as error:
            with open(os.devnull, "wb", buffering=0) as nowhere:  # noqa: PTH123
                os.dup2(nowhere.fileno(), self.fileno())
            self._lost(error)
            return data.nbytes

    def _lost(self, error: OSError) -> None:
        pass


class _RawList(_Raw):
    """Where a list is written to, which is all that its command does: there it matters."""

    def _lost(self, error: OSError) -> None:
        print(f"ERROR: stdout cannot be written ({error.strerror}); make room, or write elsewhere.", file=sys.stderr)
        raise SystemExit(3)


@cache
def set_up(lists: bool) -> TextIO:
    """Make stdout and stderr safe, once; the new stdout.

    Args:
        lists: all that the command does is to write: it ends when nobody reads on, or when there is no room.

    Raises:
        BuildError: there is nothing to write the list to.
    """
    closed = sys.stdout is None
    for number in range(3):  # else the next file to be opened would be taken for a stream
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stderr = _safe(sys.stderr, _Raw(2, "w", closefd=False))
    sys.stdout = _safe(sys.stdout, (_RawList if lists else _Raw)(1, "w", closefd=False))
    sys.excepthook = _quiet_interrupt
    sys.unraisablehook = _interrupt_again
    if lists:
        if closed:
            raise BuildError("stdout is closed, so there is nowhere to write to.")
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    return sys.stdout


def _safe(stream: TextIO | None, raw: _Raw) -> TextIO:
    encoding = "utf-8" if stream is None else stream.encoding
    buffer = io.BufferedWriter(raw)  # type: ignore[type-var]
    return io.TextIOWrapper(buffer, encoding=encoding, errors="backslashreplace", line_buffering=True)


def _quiet_interrupt(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """What Python shows of an error that ends it: of Ctrl-C, which doit does not handle, one line."""
    if issubclass(kind, KeyboardInterrupt):
        print(f"\nERROR: {INTERRUPTED}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


def _interrupt_again(unraisable: "sys.UnraisableHookArgs") -> None:
    """Ctrl-C that meets a callback, whose errors Python drops, comes once more; all else is shown as ever."""
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
    else:
        again = Timer(_AGAIN, os.kill, (os.getpid(), signal.SIGINT))
        again.daemon = True
        again.start()
