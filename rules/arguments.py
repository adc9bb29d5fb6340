"""What the command line asks for: tasks, and variables of commands, ``name=value``."""

import difflib
import re
import sys
from collections.abc import Collection, Mapping

from doit import get_var
from doit.cmd_base import DodoTaskLoader
from doit.cmd_run import Run
from doit.cmdparse import CmdOption, CmdParse, CmdParseError
from doit.doit_cmd import DoitMain

from mcubuild.errors import BuildError, shown

VARIABLES: Mapping[str, tuple[str, ...]] = {
    "baselines": ("spec", "archs", "seeds", "trainings"),
    "bench": ("models", "curve", "latency", "toolchain"),
    "curve": ("spec", "sizes", "draws", "archs"),
    "diff": ("a", "b"),
    "export": ("spec", "set", "to"),
    "gc": ("size",),
    "latency": ("spec", "networks"),
    "paper": ("figure", "samples", "table"),
    "schema": (),
    "verify": (),
}
"""The variables of each command; those that are not listed have ``spec`` alone."""
_SPEC = ("spec", "set")
_KEY = r"[A-Za-z_][\w.]*"
_DOITS = {kind.get_name(): kind for kind in DoitMain.DOIT_CMDS}
"""doit's own commands: list, info, clean, ..."""


def _is_variable(word: str) -> bool:
    return "=" in word and not word.startswith("-")


def lists() -> bool:
    """Whether a command of doit's own is asked for, such as list or clean, that runs no task."""
    if sys.argv[1:2] in (["--help"], ["--version"]):
        return True
    words = [word for word in sys.argv[1:] if not word.startswith("-") and not _is_variable(word)]
    return bool(words) and words[0] in _DOITS and words[0] != "run"


def asked_for() -> list[str]:
    """The tasks, or files that tasks make, which the command line names."""
    words = [word for word in sys.argv[1:] if not _is_variable(word)]
    kind = _DOITS[words.pop(0)] if words and words[0] in _DOITS else Run
    options = (*getattr(kind, "base_options", ()), *DodoTaskLoader.cmd_options, *kind.cmd_options)
    try:
        found: list[str] = CmdParse([CmdOption(option) for option in options]).parse(words)[1]
    except CmdParseError:  # which doit tells
        return []
    return found if kind is not _DOITS["help"] else []


def names_spec() -> bool:
    """Whether the command line names a task of one spec, such as ``search:quickstart``."""
    return any(":" in word for word in asked_for())


def needs_specs() -> bool:
    """Whether specs matter for what is asked for; where they do not, they need not even be valid."""
    commands = [word.partition(":")[0] for word in asked_for()]
    return not commands or any("spec" in VARIABLES.get(command, _SPEC) for command in commands)


def check_variables() -> None:
    """Refuse variables that nothing asked for reads: they would be ignored in silence.

    Raises:
        BuildError: names the variable, those that are allowed, and the nearest.
    """
    commands = list(dict.fromkeys(word.partition(":")[0] for word in asked_for()))
    allowed = list(dict.fromkeys(name for command in commands or [""] for name in VARIABLES.get(command, _SPEC)))
    given = [word.partition("=")[0] for word in sys.argv[1:] if _is_variable(word)]
    for name in given:
        if name not in allowed:
            raise BuildError(_unknown_variable(name, allowed, " ".join(["doit", *commands])))
        if given.count(name) > 1:
            remedy = "; write spec=a.toml,b.toml for several" if name == "spec" else ""
            raise BuildError(f"{name}= stands there {given.count(name)} times, and one alone would count{remedy}.")


def _unknown_variable(name: str, allowed: Collection[str], asked: str) -> str:
    told = f"{name}=: {asked} has no such variable; allowed: {', '.join(f'{one}=' for one in allowed) or 'none'}"
    if close := difflib.get_close_matches(name, allowed, n=1):
        return f"{told}; did you mean {close[0]}=?"
    owner = next((command for command, names in VARIABLES.items() if name in names and name not in _SPEC), None)
    return f"{told}; {name}= belongs to doit {owner}." if owner else f"{told}."


def check_tasks(tasks: Collection[str], files: Collection[str]) -> None:
    """Refuse what is neither one of the ``tasks`` nor one of the ``files`` that they make.

    Raises:
        BuildError: names the nearest task.
    """
    for word in asked_for():
        if word in tasks or word in files or "*" in word:
            continue
        if word.startswith("-"):
            raise BuildError(f"{word}: options stand before the names of tasks: doit {word} ... {asked_for()[0]}.")
        close = difflib.get_close_matches(word, [*tasks, *_DOITS], n=1)
        hint = f"did you mean {close[0]}?" if close else "`doit list` shows the tasks, `doit help` the commands."
        raise BuildError(f"{shown(word)}: there is no such task, nor a file that a task makes; {hint}")


def changes() -> dict[str, str]:
    """Keys of specs and their values of this command alone: ``set=budget.latency=100ms,bits=4``.

    Raises:
        BuildError: that is not what ``set=`` says.
    """
    found = dict[str, str]()
    for change in re.split(rf",(?={_KEY}=)", get_var("set") or ""):
        key, _, value = change.partition("=")
        if change and not (re.fullmatch(_KEY, key) and value):
            raise BuildError(f"set={shown(change)}: must be a key of the spec and its value: set=budget.latency=100ms.")
        if change:
            found[key] = value
    return found


def whole_number(name: str, default: int, least: int = 1) -> int:
    """The whole number ``<name>=...``.

    Raises:
        BuildError: it is none, below ``least``, or has ten digits or more.
    """
    text = get_var(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 10) or int(text) < least:
        raise BuildError(f"{name}={text}: must be a whole number, at least {least}; such as {name}={default}.")
    return int(text)
