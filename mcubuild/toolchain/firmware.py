"""The C around the network: start-up code, clock set-up, main and the linker script, from templates.

It stands in a folder of its own, ``firmware``, inside the network's, which compiles without it into any other firmware:
what depends on the board is here and what depends on the network there, but for the arena's size.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mcubuild.artifacts import read_artifact
from mcubuild.artifacts.plan import PLAN, Planned
from mcubuild.cores.core import core_of
from mcubuild.engine.emit.naming import PREFIX, file_name
from mcubuild.errors import BuildError
from mcubuild.escape import Text, add_filters
from mcubuild.project import folders
from mcubuild.toolchain.placement import ALIGNMENT, Constant, place

if TYPE_CHECKING:
    from mcubuild.board import Board

TEMPLATES = "kernels_templates/firmware"
LIBC = f"{TEMPLATES}/libc"

STATIC_BYTES = ALIGNMENT
"""RAM of the firmware's own variables (cycle count and clock), rounded up so that the arena follows without a gap."""

FOLDER = "firmware"
"""Where the firmware's own files are, inside the folder of the network's C."""

SOURCES = ("startup.c", "clock.c", "main.c")
"""The firmware's own C files."""

Wire = Literal["semihosting", "rtt", "uart"]

_PLL_STEPS = {"stm32f4": (1, 50, 180), "stm32f7": (1, 50, 216), "stm32h7": (8, 96, 480)}
"""MHz: step, lowest and highest core clock that clock_<...>.c.j2 can set."""


def generate(board: "Board", stack: int, out: Path, prefix: str = PREFIX, serve: Wire | None = None) -> None:
    """Write firmware/startup.c, clock.c (the board's own if it has one), main.c and linker.ld.

    Args:
        board: the board.
        stack: bytes to reserve for the stack, a multiple of 32.
        out: the folder with the network's C, of which the header is read.
        prefix: of the network's C.
        serve: what main answers samples over; None: it runs the network for ever, for whoever measures that.

    Raises:
        BuildError: the header is missing or does not give the size of the arena, or the board's clock is out of reach.
    """
    from mcubuild.toolchain.boot import second_stage

    generate_linker_script(board, stack, out, prefix)
    values = {
        "board": _printed(board),
        "header": file_name("model.h", prefix),
        "prefix": prefix,
        "PREFIX": prefix.upper(),
        "alignment": ALIGNMENT,
        "mhz": _megahertz(board) if board.clock_setup in _PLL_STEPS else None,
        "cycle_counter": core_of(board.core).cycle_counter,
        "core_caches": core_of(board.core).caches and board.cache.data > 0,
        "second_stage": second_stage() if board.boot == "rp2040" else None,
        "wire": serve,
        "baud": board.desk.baud if board.desk else None,
        "led": board.desk.led if board.desk else None,
    }
    for name in SOURCES:
        _render(name, values, out, template="serve.c" if serve and name == "main.c" else name)
    if board.clock_code is not None:
        (out / FOLDER / "clock.c").write_text(board.clock_code, encoding="utf-8", newline="")


def generate_linker_script(board: "Board", stack: int, out: Path, prefix: str = PREFIX) -> None:
    """Write firmware/linker.ld; the C does not depend on where things lie.

    Args:
        board: its memories.
        stack: bytes to reserve for the stack, a multiple of 32.
        out: the folder with the network's C, of which the header is read, and plan.json if it is there.
        prefix: of the network's C.

    Raises:
        BuildError: the header is missing or does not give the size of the arena.
    """
    arena = arena_bytes(out / file_name("model.h", prefix), prefix)
    placement = place(board, stack + STATIC_BYTES, arena, _constants(out / PLAN))
    values = {"board": _printed(board), "alignment": ALIGNMENT, "stack": stack, "placement": placement}
    _render("linker.ld", values, out)


def _printed(board: "Board") -> "Board":
    """``board`` for templates: free text in it is the user's."""
    return board.model_copy(update={"title": Text(board.title), "source": Text(board.source)})


def _render(name: str, values: dict[str, Any], out: Path, template: str | None = None) -> None:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders(TEMPLATES)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    add_filters(environment)
    (out / FOLDER).mkdir(exist_ok=True)
    (out / FOLDER / name).write_text(
        environment.get_template(f"{template or name}.j2").render(values), encoding="utf-8"
    )


def _megahertz(board: "Board") -> int:
    """The core clock, where the board's PLL can reach it from the internal oscillator."""
    assert board.clock_setup is not None
    step, lowest, highest = _PLL_STEPS[board.clock_setup]
    megahertz, rest = divmod(board.clock, 1_000_000)
    if rest or megahertz % step or not lowest <= megahertz <= highest:
        raise BuildError(
            f"boards/{board.name}.toml: clock: found {board.clock} Hz; clock_setup = {board.clock_setup!r} reaches "
            f"{lowest} to {highest} MHz in steps of {step} MHz."
        )
    return megahertz


def _constants(plan: Path) -> list[Constant]:
    """What the memory plan says of the layers' constants; nothing without one."""
    if not plan.exists():
        return []
    layers = read_artifact(plan, Planned).layers
    return [Constant(one.constants, one.weights_bytes, one.constants_reads) for one in layers if one.constants]


def arena_bytes(header: Path, prefix: str) -> int:
    """The value of MODEL_ARENA_BYTES in ``header``, with ``prefix`` for MODEL.

    Raises:
        BuildError: the header is missing or does not define it as a number.
    """
    try:
        text = header.read_text(encoding="utf-8")
    except OSError as error:
        raise BuildError(f"{header}: cannot be read ({error.strerror}); generate the network's C first.") from None
    name = f"{prefix.upper()}_ARENA_BYTES"
    match = re.search(rf"^#define\s+{name}\s+(\d+)\b", text, re.MULTILINE)
    if match is None:
        raise BuildError(f"{header}: {name} is not defined as a plain number; generate the C again.")
    return int(match[1])
