"""Compilers: which there are, and from a folder of C to firmware or to a library for this machine."""

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mcubuild.errors import BuildError
from mcubuild.lifeline import tied
from mcubuild.progress import bar
from mcubuild.project import folders
from mcubuild.toolchain import sizes
from mcubuild.toolchain.environment import environment
from mcubuild.toolchain.firmware import FOLDER, LIBC, SOURCES
from mcubuild.toolchain.target import ToolchainName, target_flags

if TYPE_CHECKING:
    from mcubuild.board import Board
    from mcubuild.spec.firmware import FirmwareSettings

# -ffp-contract=off: floating point gives the same bits with and without a fused multiply-add.
_FLAGS = ("-std=c99", "-g", "-ffp-contract=off", "-fno-strict-aliasing")
_FIRMWARE_FLAGS = (
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-common",
    "-fno-stack-protector",
    "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables",
    "-fomit-frame-pointer",
)
# -fhosted: else a memcpy of four bytes is a call.
_ZIG_FLAGS = ("-fno-sanitize=undefined", "-fhosted")
_OVERFLOW = re.compile(r"will not fit in region|overflowed by")


@dataclass(frozen=True)
class Toolchain:
    """A C compiler for Cortex-M."""

    name: ToolchainName
    identity: str
    """Name and version; two toolchains with one identity give the same bytes."""
    command: tuple[str, ...]
    """How to call the compiler."""
    prefixes: tuple[tuple[str, str], ...]
    """Folders of the toolchain and what stands for them in the debug information."""


@cache
def find(name: ToolchainName) -> Toolchain:
    """The toolchain called ``name``.

    Raises:
        BuildError: it is not installed; the message says what was looked for and how to install it.
    """
    return _find_zig() if name == "zig" else _find_gcc()


def _find_zig() -> Toolchain:
    found = importlib.util.find_spec("ziglang")
    if found is None or found.origin is None:
        raise BuildError(
            "firmware.toolchain: 'zig' is not installed (looked for the Python package 'ziglang'); "
            "install it: pip install 'ziglang>=0.15,<0.18'."
        )
    folder = Path(found.origin).parent
    version = importlib.metadata.version("ziglang")
    return Toolchain("zig", f"zig cc {version}", (str(folder / "zig"), "cc"), ((str(folder), "/zig"),))


def _find_gcc() -> Toolchain:
    path = shutil.which("arm-none-eabi-gcc")
    if path is None:
        raise BuildError(
            "firmware.toolchain: 'gcc' is not installed (looked for arm-none-eabi-gcc on the PATH); install it "
            '(Debian: apt install gcc-arm-none-eabi libnewlib-arm-none-eabi) or use toolchain = "zig".'
        )
    version = _run([path, "--version"], Path.cwd()).splitlines()[0]
    return Toolchain("gcc", version, (path,), ())


def link(c_folder: Path, board: "Board", settings: "FirmwareSettings", out: Path) -> None:
    """Compile the network and the firmware around it, link them, and write firmware.elf, .bin, .map and sizes.json.

    The bytes depend on the C, the board, the settings and the toolchain only, not on where the folders are.

    Args:
        c_folder: the network's C, every .c and .S, and in a folder ``firmware`` what is around it.
        board: the board.
        settings: compiler and flags.
        out: folder to write to.

    Raises:
        BuildError: the compiler is missing or refuses the code, or the firmware does not fit the board's memories.
    """
    toolchain = find(settings.toolchain)
    script = c_folder / FOLDER / "linker.ld"
    own = [Path(FOLDER) / name for name in SOURCES]
    network = [Path(path.name) for pattern in ("*.c", "*.S") for path in c_folder.glob(pattern)]
    sources = sorted([*own, *network])
    elf = out / "firmware.elf"
    with tempfile.TemporaryDirectory() as scratch, bar("firmware", len(sources) + 1) as progress:
        objects = []
        for source in sources:
            objects.append(Path(scratch) / f"{source.stem}.o")
            _run(_compile_command(toolchain, board, settings, c_folder, source, objects[-1]), c_folder)
            progress.advance()
        try:
            _run(_link_command(toolchain, board, objects, script, elf), c_folder)
        except BuildError as error:
            if not _OVERFLOW.search(str(error)):
                raise
            roomy, too_large = Path(scratch) / "roomy.ld", Path(scratch) / "too_large.elf"
            limits = re.compile(r"LENGTH = \d+")
            roomy.write_text(limits.sub(f"LENGTH = {sizes.ROOM}", script.read_text("utf-8")), encoding="utf-8")
            _run(_link_command(toolchain, board, objects, roomy, too_large), c_folder)
            raise BuildError(*sizes.overflow(too_large, board)) from None
        progress.advance()
    sizes.write(elf, board, settings.stack, toolchain.identity, out)


def _compile_command(
    toolchain: Toolchain, board: "Board", settings: "FirmwareSettings", c_folder: Path, source: Path, target: Path
) -> list[str]:
    optimize = "Os" if source.name in SOURCES else settings.optimize  # start-up code runs once
    flags = [*target_flags(toolchain.name, board), f"-{optimize}", *_FLAGS, *_FIRMWARE_FLAGS, "-I."]
    if toolchain.name == "zig":
        flags += [*_ZIG_FLAGS, *libc_flags()]
    templates = [(str(folder.resolve()), "/templates") for folder in folders("kernels_templates")]
    prefixes = [*toolchain.prefixes, (str(c_folder.resolve()), "."), *templates]
    flags += [f"-ffile-prefix-map={folder}={name}" for folder, name in prefixes]
    return [*toolchain.command, *flags, "-c", str(source), "-o", str(target)]


def libc_flags() -> list[str]:
    """Where a compiler without a C library finds the few headers that the generated C includes."""
    return [flag for folder in folders(LIBC) for flag in ("-isystem", str(folder.resolve()))]


def _link_command(
    toolchain: Toolchain, board: "Board", objects: Sequence[Path], script: Path, target: Path
) -> list[str]:
    # -T is an argument of its own, as -Wl splits at commas, which a path may have.
    # Always -O2: with -Os zig would strip the symbols and choose memcpy and memset that go byte by byte.
    flags = [*target_flags(toolchain.name, board), "-O2", "-T", str(script.resolve()), "-Wl,--gc-sections"]
    if toolchain.name == "gcc":
        flags += ["-nostartfiles", "-Wl,--build-id=none"]
    else:
        flags += ["-Wl,-e,Reset_Handler", "-Wl,-z,max-page-size=32"]
    return [*toolchain.command, *flags, *map(str, objects), "-o", str(target.resolve())]


def host_library(c_folder: Path, out: Path, flags: Sequence[str] = (), toolchain: ToolchainName = "zig") -> Path:
    """The network as a shared library for this machine, to be called with ctypes.

    Args:
        c_folder: holds model.c, model.h and weights.c.
        out: folder to write model.so to.
        flags: more flags for the compiler (sanitizers, warnings).
        toolchain: ``zig``, or ``gcc`` for the ``cc`` of this machine.

    Raises:
        BuildError: the compiler is missing or refuses the code.
    """
    command = find("zig").command if toolchain == "zig" else (_host_compiler(),)
    library = (out / "model.so").resolve()
    sources = ["model.c", "weights.c"]
    _run([*command, "-O2", *_FLAGS, "-shared", "-fPIC", *flags, *sources, "-o", str(library)], c_folder)
    return library


def _host_compiler() -> str:
    path = shutil.which("cc")
    if path is None:
        raise BuildError("this machine has no C compiler (looked for cc on the PATH); install one or use zig.")
    return path


def _run(command: Sequence[str], folder: Path) -> str:
    # zig's global cache keeps the compilers' library; what is compiled of files is not to come from an earlier run.
    with tempfile.TemporaryDirectory() as cache:
        result = subprocess.run(
            command,
            cwd=folder,
            env=environment(ZIG_LOCAL_CACHE_DIR=cache),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            preexec_fn=tied(),
        )
    if result.returncode != 0:
        raise BuildError(
            f"{folder}: {Path(command[0]).name} ended with {result.returncode}:",
            *result.stderr.expandtabs(4).strip().split("\n"),
            f"The command was: {' '.join(command)}",
        )
    return result.stdout
