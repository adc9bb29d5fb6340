"""A board behind a debug probe that is plugged in here, by pyOCD's Python API (an optional dependency).

Source: pyOCD's "Python API examples", and the docstrings of pyOCD 0.46 (ConnectHelper, FileProgrammer, Target).
"""

import contextlib
import time
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from mcubuild.board import Board
from mcubuild.errors import BuildError
from mcubuild.escape import shell_word
from mcubuild.measure.elf import Firmware

if TYPE_CHECKING:
    from pyocd.core.session import Session

_GO_ON = 'set runner = "emulator" to do without a board'
_CACHEABLE = 0x08  # HPROT[3] of AMBA AHB: the access looks into the data cache, so that debugger and core agree


class ProbeTarget:
    """The Target behind a debug probe."""

    silicon = True

    def __init__(self, session: "Session"):
        """Halt the core of an open session."""
        core = session.target.selected_core
        self._session, self._core = session, core
        self._breakpoints: set[int] = set()
        self.description = f"{session.target.part_number} behind {session.probe.description}"
        core.ap.hprot |= _CACHEABLE
        core.halt()

    def load(self, firmware: Firmware) -> None:
        """See Target. pyOCD leaves pages alone that hold what they should."""
        from pyocd.flash.file_programmer import FileProgrammer

        with _explained("flash cannot be written"):
            FileProgrammer(self._session, chip_erase="sector").program(str(firmware.path), file_format="elf")
        for segment in firmware.segments:
            if self.read(segment.address, len(segment.data)) != segment.data:
                raise BuildError(
                    f"pyocd runner: {len(segment.data)} bytes at 0x{segment.address:08x} read back other than written; "
                    "is it the board that the firmware was built for, and is its flash unprotected?"
                )

    def reset(self, firmware: Firmware) -> None:
        """See Target."""
        with _explained("the core cannot be reset"):
            self._core.reset_and_halt()

    def read(self, address: int, size: int) -> bytes:
        """See Target."""
        with _explained(f"{size} bytes at 0x{address:08x} cannot be read"):
            return bytes(self._core.read_memory_block8(address, size))

    def write(self, address: int, data: bytes) -> None:
        """See Target."""
        with _explained(f"{len(data)} bytes at 0x{address:08x} cannot be written"):
            self._core.write_memory_block8(address, list(data))

    def register(self, name: str) -> int:
        """See Target."""
        with _explained(f"{name} cannot be read"):
            return int(self._core.read_core_register_raw(name))

    def set_register(self, name: str, value: int) -> None:
        """See Target."""
        with _explained(f"{name} cannot be changed"):
            self._core.write_core_register_raw(name, value)

    def run_to(self, addresses: Collection[int], seconds: float) -> int | None:
        """See Target."""
        from pyocd.core.target import Target

        with _explained("the core does not run"):
            for address in self._breakpoints - set(addresses):
                self._core.remove_breakpoint(address)
            for address in set(addresses) - self._breakpoints:
                if not self._core.set_breakpoint(address, Target.BreakpointType.HW):
                    raise BuildError(f"pyocd runner: no breakpoint can be set at 0x{address:08x}; are all in use?")
            self._breakpoints = set(addresses)
            self._core.resume()
            deadline = time.monotonic() + seconds
            while not self._core.is_halted():
                if time.monotonic() > deadline:
                    self._core.halt()
                    return None
                time.sleep(0.001)  # each look goes over USB: that it takes a while is no loss
        return self.register("pc") & ~1

    def close(self) -> None:
        """See Target; the session is closed by the one who opened it, and then resumes the core."""
        with contextlib.suppress(BuildError), _explained("breakpoints cannot be removed"):
            for address in self._breakpoints:
                self._core.remove_breakpoint(address)


@contextlib.contextmanager
def attached(board: Board) -> Iterator[ProbeTarget]:
    """The board behind the one probe that is plugged in, halted; it runs on when the context ends.

    Raises:
        BuildError: pyOCD is not installed, does not know the board, or finds no probe, or several.
    """
    try:
        from pyocd.core.helpers import ConnectHelper
        from pyocd.core.session import Session
    except ImportError:
        raise BuildError(
            "pyocd runner: the Python package pyocd is not installed; install it (pip install 'mcubuild[probe]', or "
            f"pip install 'pyocd>=0.36'), or {_GO_ON}."
        ) from None
    if board.pyocd_target is None:
        raise BuildError(
            f"pyocd runner: boards/{board.name}.toml does not say what pyOCD calls the chip; add "
            f'pyocd_target = "..." (pyocd list --targets shows names, pyocd pack find {board.name} parts), or {_GO_ON}.'
        )
    with _explained("no probe can be used"):
        probes: list[Any] = ConnectHelper.get_all_connected_probes(blocking=False)
    if len(probes) != 1:
        found = ", ".join(f"{probe.description} ({probe.unique_id})" for probe in probes) or "none"
        raise BuildError(
            f"pyocd runner: one debug probe must be plugged in (looked on USB for CMSIS-DAP, ST-LINK, J-Link and "
            f"PicoProbe); found {found}. Check cable and permissions (udev rules), or {_GO_ON}."
        )
    options = {"target_override": board.pyocd_target, "hide_programming_progress": True, "resume_on_disconnect": True}
    hint = (
        f"is the board supplied and connected, and does pyOCD know {board.pyocd_target!r}? If not: "
        f"pyocd pack install {shell_word(board.pyocd_target)}"
    )
    with _explained("the board cannot be reached", hint):
        session = Session(probes[0], options=options)
        session.open()
    try:
        target = ProbeTarget(session)
        try:
            yield target
        finally:
            target.close()
    finally:
        session.close()


@contextlib.contextmanager
def _explained(what: str, hint: str = "check the probe's cable and the board's supply") -> Iterator[None]:
    """Errors of pyOCD as messages to the user."""
    from pyocd.core.exceptions import Error

    try:
        yield
    except Error as error:
        raise BuildError(f"pyocd runner: {what} ({error}); {hint}.") from None
