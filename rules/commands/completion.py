"""Completion of ``mcubuild`` in shells: ``mcubuild completion bash`` prints what they read.

A shell hands every word so far to ``mcubuild completion <shell> WORD...``, which answers with what may stand in the
place of the last one: commands, specs and options are those of the project, and of this version, at that moment.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcubuild.errors import BuildError, shown
from rules.options import SET, SPEC, A, B, Option, options_of

SCRIPTS: Mapping[str, str] = {
    # COMP_WORDS is of no use: bash also cuts at = and :, and replaces only what stands behind them, "$2".
    "bash": r"""_mcubuild() {
    local line=${COMP_LINE:0:COMP_POINT} kept
    local -a words
    read -ra words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    kept=${words[${#words[@]}-1]%"$2"}
    local IFS=$'\n'
    COMPREPLY=($("$1" completion bash "${words[@]:1}" 2>/dev/null))
    COMPREPLY=("${COMPREPLY[@]#"$kept"}")
}
complete -o nospace -F _mcubuild mcubuild
""",
    "zsh": r"""#compdef mcubuild
_mcubuild() {
    local line
    local -a whole open
    for line in "${(@f)$(mcubuild completion zsh "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        [[ ${line%%:*} == *[=,] ]] && open+=("$line") || whole+=("$line")
    done
    _describe mcubuild whole -- open -S ''
}
compdef _mcubuild mcubuild
""",
    "fish": r"""complete -c mcubuild -f -a '(mcubuild completion fish (commandline -opc)[2..] (commandline -ct))'
""",
}
"""What each shell reads once."""

_OF_TASKS = ("info", "clean", "forget")
_OF_NOTHING = ("new", "list")
"""Commands behind which no spec stands."""


@dataclass(frozen=True)
class Known:
    """What words may be of."""

    commands: Mapping[str, str]
    """What each does."""
    flags: Mapping[str, Mapping[str, str]]
    """Of each command."""
    project: Path | None
    """The folder with the dodo.py."""

    @property
    def specs(self) -> list[str]:
        """Names of the project's specs."""
        return sorted(path.stem for path in self.project.glob("specs/[!.]*.toml")) if self.project else []

    @property
    def builds(self) -> list[str]:
        """Names of the builds that have a report."""
        return sorted(path.parent.name for path in self.project.glob("build/*/report.json")) if self.project else []


def answer(shell: str, words: Sequence[str], known: Known) -> str:
    """The script of a shell, or, in its form, what may stand in the place of the last of ``words``.

    Args:
        shell: one of ``SCRIPTS``.
        words: those behind ``mcubuild``; none for the script.
        known: what there is.

    Raises:
        BuildError: there is no such shell.
    """
    if shell not in SCRIPTS:
        raise BuildError(f"{shown(shell)}: no completion for this shell; write one of {', '.join(SCRIPTS)}.")
    if not words:
        return SCRIPTS[shell]
    found = {word: told for word, told in _candidates(words, known) if word.startswith(words[-1])}
    if shell == "bash":  # it shows the words alone, and is told where a space follows
        return "".join(f"{word}{'' if word[-1] in '=,' else ' '}\n" for word in found)
    if shell == "zsh":
        return "".join(f"{word.replace(':', chr(92) + ':')}:{told}\n" for word, told in found.items())
    return "".join(f"{word}\t{told}\n" for word, told in found.items())


def _candidates(words: Sequence[str], known: Known) -> Iterator[tuple[str, str]]:
    """Words that may stand in the place of the last one, and what each is; not all begin as it does."""
    command, partial = words[0], words[-1]
    if ":" in partial:  # a stage of a spec
        yield from ((f"{partial.partition(':')[0]}:{spec}", "a spec") for spec in known.specs)
    elif len(words) == 1:
        yield from known.commands.items()
    elif partial.startswith("-"):
        yield from known.flags.get(command, {}).items()
    elif "set" in words[1:-1]:  # behind it stand keys of the spec
        return
    elif "=" in partial:
        name, _, value = partial.partition("=")
        before = f"{name}={value[: value.rfind(',') + 1]}"
        for option in options_of(command):
            if option.name == name:
                yield from ((f"{before}{one}", option.doc) for one in _values(option, known))
    elif command == "completion":
        yield from ((shell, "a shell") for shell in SCRIPTS)
    elif command in _OF_TASKS:
        yield from ((f"build:{spec}", "a task") for spec in known.specs)
    elif A in options_of(command):
        yield from ((build, "a build") for build in known.builds)
    elif command not in _OF_NOTHING:
        yield from _of_command(command, known)


def _of_command(command: str, known: Known) -> Iterator[tuple[str, str]]:
    """Specs and variables."""
    for option in options_of(command):
        if option == SPEC:
            yield from ((spec, "a spec") for spec in known.specs)
        elif option == SET:
            yield "set", option.doc
        else:
            yield f"{option.name}=", option.doc


def _values(option: Option, known: Known) -> Sequence[str]:
    if option in (A, B):
        return known.builds
    return option.takes.split("|") if "|" in option.takes else ()
