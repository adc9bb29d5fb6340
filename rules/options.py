"""The variables of the command line, ``name=value``: declared, checked before anything runs, told by ``doit help``."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from doit import get_var

from mcubuild.cores import names as core_names
from mcubuild.errors import BuildError, shown
from mcubuild.export.formats import names


@dataclass(frozen=True)
class Option:
    """A variable."""

    name: str
    takes: str
    """What stands behind the ``=``, for the help."""
    doc: str
    default: str | None = None

    @property
    def given(self) -> str | None:
        """What the command line says, or the default."""
        text: str | None = get_var(self.name, self.default)
        return text

    @property
    def words(self) -> list[str]:
        """The words between commas."""
        return [word for word in (self.given or "").split(",") if word]

    def check(self) -> None:
        """Refuse what the variable does not take.

        Raises:
            BuildError: the command line says such a thing.
        """


@dataclass(frozen=True)
class Choice(Option):
    """One of a few words, which ``takes`` lists between bars."""

    @property
    def chosen(self) -> str | None:
        """The word.

        Raises:
            BuildError: it is none of them.
        """
        text, allowed = self.given, self.takes.split("|")
        if text is not None and text not in allowed:
            ways = " or ".join(f"{self.name}={word}" for word in allowed)
            raise BuildError(f"{self.name}={text}: there is no such {self.name} here; write {ways}.")
        return text

    def check(self) -> None:
        """See Option."""
        _ = self.chosen


@dataclass(frozen=True)
class Choices(Option):
    """Some of a few words, which ``takes`` lists between bars; ``all`` is all others."""

    @property
    def chosen(self) -> tuple[str, ...]:
        """The words, each once.

        Raises:
            BuildError: one is none of them, or there is none.
        """
        *allowed, every = self.takes.split("|")
        words = tuple(dict.fromkeys(self.words))
        if words == (every,):
            return tuple(allowed)
        if not words or (wrong := [word for word in words if word not in allowed]):
            found = shown(wrong[0]) if words else ""
            raise BuildError(
                f"{self.name}={found}: there is no such {self.name}; allowed: {', '.join(allowed)}, {every}."
            )
        return words

    def check(self) -> None:
        """See Option."""
        _ = self.chosen


@dataclass(frozen=True)
class Count(Option):
    """A whole number."""

    least: int = 1

    @property
    def number(self) -> int:
        """The number.

        Raises:
            BuildError: it is none, below ``least``, or has ten digits or more.
        """
        text = self.given or ""
        if not (text.isascii() and text.isdecimal() and len(text) < 10) or int(text) < self.least:
            told = f"must be a whole number, at least {self.least}; such as {self.name}={self.default}."
            raise BuildError(f"{self.name}={text}: {told}")
        return int(text)

    def check(self) -> None:
        """See Option."""
        _ = self.number


@dataclass(frozen=True)
class Share(Option):
    """A share, such as 5%."""

    @property
    def share(self) -> float:
        """0.05 of 5%.

        Raises:
            BuildError: it is none from 0 % to 1000 %.
        """
        text = self.given or ""
        try:
            found = float(text[:-1]) / 100 if text.endswith("%") else float(text)
            if 0 <= found <= 10:
                return found
        except ValueError:
            pass
        raise BuildError(f"{self.name}={shown(text)}: must be a share, such as {self.name}={self.default}.")

    def check(self) -> None:
        """See Option."""
        _ = self.share


_KEY = r"[A-Za-z_][\w.]*"
SPEC = Option("spec", "FILE[,FILE...]", "specs by name, path or pattern; all of specs/ without it")
SET = Option("set", "KEY=VALUE[,KEY=VALUE...]", "keys of the spec that count instead of the file's, this time alone")
ARCHS = Option("archs", "NAME[,NAME...]", "published networks to compare with; none for no one, where a curve is drawn")
SEEDS = Count("seeds", "N", "searches with other seeds", "3", least=3)
TRAININGS = Count("trainings", "N", "trainings of each network, for mean and spread", "1")
MODELS = Option("models", "FOLDER", "also the .tflite files in it")
CURVE = Option("curve", "NETWORK", "cycles against memory of one network instead of the tables")
ERRORS = Count("latency", "N", "how far estimates of cycles are off, by N networks a board and kind; kept", "50")
TOOLCHAIN = Choice("toolchain", "zig|gcc", "the compiler", "zig")
WIDTHS = Option("widths", "BITS[,BITS...]", "of weights (8, 4, mixed), or of activations, too (4x4)", "8,4,4x4,mixed")
CORE = Choice("core", "|".join(core_names()), "the core whose kernels are measured")
KERNELS = Option("kernels", "KIND[,KIND...]", "these alone, and what they have costs in common with; all without it")
SIZES = Option("sizes", "N[,N...]", "samples a class to learn from; all: what there is", "20,60,200,600,all")
DRAWS = Count("draws", "N", "times that each size is drawn", "5")
OF = Choice("of", "ablation|baselines|bits|curve", "the builds that this command compares, instead of the spec's own")
A = Option("a", "BUILD", "the build before, or a folder with a report.json")
B = Option("b", "BUILD", "the build after, likewise")
SIZE = Option("size", "SIZE", "what the store may have, in kB, MB or GB", "5GB")
NETWORKS = Count("networks", "N", "to build and run", "50")
FIGURE = Choice("figure", "3|12", "which figure of the paper", "3")
SAMPLES = Count("samples", "N", "networks a search space, at least 10; of figure 12 fewer", "1000", least=10)
FORMAT = Choices("format", "|".join([*names(), "all"]), "formats, with commas between them", "bin,hex")
TABLE = Choice("table", "accuracy", "a table of networks instead of a figure")
BASE = Option("base", "COMMIT", "the branch or commit that is compared with", "origin/main")
SLOWER = Share("slower", "SHARE", "latency that may be lost", "5%")
LARGER = Share("larger", "SHARE", "SRAM, and Flash, that may be lost", "1%")
LINKS = Option(
    "links", "URL", "where reports will be published, as <URL>/<build>/report.html, for links in the comment"
)
BY = Choice("by", "pyocd|openocd|probe-rs|st-flash|dfu-util|uf2", "what writes the flash; else the first that is there")
ON = Choice("on", "emulator|qemu|gdb|pyocd|port", "what runs the firmware; the emulator, or the board at port=")
PORT = Option("port", "DEVICE", "serial port of the board, such as /dev/ttyACM0, or host:port; of on=gdb its server")
OVER = Choice("over", "semihosting|rtt|uart", "how bytes get there; uart to a port=, semihosting elsewhere")
WRITE = Choice("write", "yes|no", "whether the board at port= gets the firmware first, or has it", "yes")
TRIED = Count("samples", "N", "test samples to answer", "10")

_FORESEEN = (SPEC, SET, OF, ARCHS, SEEDS, TRAININGS, WIDTHS, SIZES, DRAWS)
OPTIONS: Mapping[str, tuple[Option, ...]] = {
    "baselines": (SPEC, ARCHS, SEEDS, TRAININGS),
    "bits": (SPEC, SET, WIDTHS),
    "bench": (MODELS, CURVE, ERRORS, WIDTHS, TOOLCHAIN),
    "calibrate": (CORE, KERNELS),
    "changed": (BASE, SLOWER, LARGER, LINKS),
    "curve": (SPEC, SIZES, DRAWS, ARCHS),
    "diff": (A, B),
    "export": (SPEC, SET, FORMAT),
    "flash": (SPEC, SET, BY),
    "gc": (SIZE,),
    "index": (),
    "latency": (SPEC, NETWORKS),
    "paper": (FIGURE, SAMPLES, TABLE),
    "plan": _FORESEEN,
    "run": (SPEC, SET, ON, PORT, OVER, WRITE, TRIED),
    "schema": (),
    "verify": (),
    "why": _FORESEEN,
}
"""Of each command; those that are not listed have ``spec`` and ``set``."""


def options_of(command: str) -> tuple[Option, ...]:
    """The variables that ``command`` reads."""
    return OPTIONS.get(command, (SPEC, SET))


def usage(command: str) -> str:
    """They in short, for lists of commands."""
    return " ".join(f"[{option.name}={option.takes}]" for option in options_of(command) if option not in (SPEC, SET))


def lines(command: str) -> Iterator[str]:
    """They at length, a line each."""
    for option in options_of(command):
        default = "" if option.default is None else f" ({option.default})"
        yield f"  {option.name}={option.takes}  {option.doc}{default}"


def help_of(command: Any, pos_args: list[str]) -> bool:
    """What ``doit help <task>`` shows; takes the place of what doit has for that.

    Args:
        command: doit's, which has loaded the tasks.
        pos_args: of the command line, the name of a task.

    Returns:
        Whether there is such a task.
    """
    task = next((task for task in command.task_list if task.name == pos_args[0]), None)
    if task is None:
        return False
    print(f"{task.name}  {task.doc}", *lines(task.name.partition(":")[0]), sep="\n")
    return True


def changes() -> dict[str, str]:
    """Keys of specs and their values of this command alone: ``set=budget.latency=100ms,bits=4``.

    Raises:
        BuildError: that is not what ``set=`` says.
    """
    found = dict[str, str]()
    for change in re.split(rf",(?={_KEY}=)", SET.given or ""):
        key, _, value = change.partition("=")
        if change and not (re.fullmatch(_KEY, key) and value):
            raise BuildError(f"set={shown(change)}: must be a key of the spec and its value: set=budget.latency=100ms.")
        if change:
            found[key] = value
    return found
