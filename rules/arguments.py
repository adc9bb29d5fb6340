"""What the command line asks for: tasks, and variables that they have."""

import difflib
import sys
from collections.abc import Collection

from doit.cmd_base import DodoTaskLoader
from doit.cmd_run import Run
from doit.cmdparse import CmdOption, CmdParse, CmdParseError
from doit.doit_cmd import DoitMain

from mcubuild.errors import BuildError, shown
from rules.options import OPTIONS, SPEC, options_of

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
    told = words[:1] == [Run.get_name()]
    kind = _DOITS[words.pop(0)] if words and words[0] in _DOITS else Run
    options = (*getattr(kind, "base_options", ()), *DodoTaskLoader.cmd_options, *kind.cmd_options)
    try:
        found: list[str] = CmdParse([CmdOption(option) for option in options]).parse(words)[1]
    except CmdParseError:  # which doit tells
        return []
    if told and not found:  # doit run: the firmware, as doit's own word for that is not needed
        return [Run.get_name()]
    return found if kind is not _DOITS["help"] else []


def names_spec() -> bool:
    """Whether the command line names a task of one spec, such as ``search:quickstart``."""
    return any(":" in word for word in asked_for())


def needs_specs() -> bool:
    """Whether specs matter for what is asked for; where they do not, they need not even be valid."""
    commands = [word.partition(":")[0] for word in asked_for()]
    return not commands or any(SPEC in options_of(command) for command in commands)


def check_variables() -> None:
    """Refuse variables that nothing asked for reads: they would be ignored in silence.

    Raises:
        BuildError: names the variable, those that are allowed, and the nearest.
    """
    commands = list(dict.fromkeys(word.partition(":")[0] for word in asked_for()))
    allowed = list(dict.fromkeys(option.name for command in commands or [""] for option in options_of(command)))
    given = [word.partition("=")[0] for word in sys.argv[1:] if _is_variable(word)]
    for name in given:
        if name not in allowed:
            raise BuildError(_unknown_variable(name, allowed, " ".join(["doit", *commands])))
        if given.count(name) > 1:
            remedy = "; write spec=a.toml,b.toml for several" if name == "spec" else ""
            raise BuildError(f"{name}= stands there {given.count(name)} times, and one alone would count{remedy}.")
    for option in {option for command in commands for option in options_of(command) if option.name in given}:
        option.check()


def _unknown_variable(name: str, allowed: Collection[str], asked: str) -> str:
    told = f"{name}=: {asked} has no such variable; allowed: {', '.join(f'{one}=' for one in allowed) or 'none'}"
    if close := difflib.get_close_matches(name, allowed, n=1):
        return f"{told}; did you mean {close[0]}=?"
    pairs = [(option.name, command) for command, options in OPTIONS.items() for option in options if option != SPEC]
    own = dict(reversed(pairs))
    return f"{told}; {name}= belongs to doit {own[name]}." if name in own else f"{told}."


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
