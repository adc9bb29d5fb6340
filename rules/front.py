"""The command ``mcubuild``: doit's tasks in shorter words, from anywhere in a project.

``mcubuild build quickstart`` is ``doit build spec=quickstart``; what stands behind a command are specs, and
``name=value`` is handed on. Nothing heavy is imported here: help is to come at once.
"""

import argparse
import difflib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mcubuild.errors import BuildError, shown
from mcubuild.tasks import ROOMS

_BUILDS = ("diff",)
"""Commands with the names of two builds behind them."""
_DOITS = ("list", "info", "clean", "forget")
"""Commands that are doit's own, with its options and tasks."""
_ALONE = ("gc", "verify", "schema", "paper", "bench", "calibrate", "changed", "index")
"""Commands that no spec has a part in."""
COMMANDS: Mapping[str, tuple[str, str]] = {
    "new": ("a folder for a project of your own, by five questions", "new my-project --task image_classification"),
    "build": ("firmware and report of specs, judged against their budgets", "build 'specs/kws_*.toml' -n 2"),
    "plan": ("what a build would run, for how long, and what the store has", "plan quickstart"),
    "why": ("why each stage would run: fields, files, artifacts", "why quickstart set budget.latency=9ms"),
    "graph": ("the stages and what a build would do about each, as a picture in Mermaid", "graph quickstart"),
    "list": ("the tasks; --all: with those of every spec", "list --all"),
    "diff": ("what changed between two builds", "diff quickstart tiny"),
    "index": ("all builds of the project in one page, with charts", "index"),
    "changed": ("build what differs from a branch, and compare: for pull requests", "changed base=origin/main"),
    "data": ("samples of a spec's data set, counted and shown; public data is fetched", "data vww_f412"),
    "forecast": ("how long a build takes on this machine, from the first training on", "forecast quickstart"),
    "space": ("the search spaces of a spec, ranked", "space quickstart"),
    "latency": ("how far estimates of cycles are off in a spec's search space", "latency quickstart networks=20"),
    "throughput": ("how fast the super network of a spec trains on this machine", "throughput quickstart"),
    "baselines": ("the searched network of a spec beside published ones", "baselines quickstart seeds=3"),
    "curve": ("accuracy and time against the number of samples", "curve quickstart sizes=20,60,all"),
    "bits": ("accuracy, memory and time with 8, 4 and mixed bits", "bits quickstart widths=8,4,4x4,mixed"),
    "ablation": ("what each optimisation is worth to the network of a spec", "ablation quickstart"),
    "bench": ("speed and memory beside other engines", "bench models=../models"),
    "calibrate": ("what kernels cost on a core, by emulated runs", "calibrate core=cortex-m4 kernels=pool_dsp"),
    "paper": ("MCUNet's figures of search spaces and networks, and what comes out here", "paper table=accuracy"),
    "export": ("firmware and network of specs in formats of other tools", "export quickstart format=tflite"),
    "flash": ("the firmware of a spec to the flash of a board that is connected", "flash quickstart"),
    "run": ("test samples answered by the firmware, in an emulator or on a board", "run quickstart port=/dev/ttyACM0"),
    "schema": ("JSON schemas of specs, boards and reports, for editors", "schema"),
    "gc": ("remove what was longest unused from the store, but for what this project needs", "gc size=5GB"),
    "verify": ("hash everything in the store again; what is damaged is removed", "verify"),
    "completion": ("completion of words in a shell: bash, zsh or fish", "completion bash"),
    "info": ("what a task depends on", "info search:quickstart"),
    "clean": ("remove artifacts from build/; the store keeps them", "clean"),
    "forget": ("ask the store about everything again", "forget"),
}
"""What each does, and an example."""


def _parser() -> argparse.ArgumentParser:
    examples = "\n".join(f"  mcubuild {example}" for _, example in list(COMMANDS.values())[:6])
    parser = argparse.ArgumentParser(
        prog="mcubuild",
        description="From a TOML deployment spec to measured microcontroller firmware.",
        epilog=f"examples:\n{examples}\n\nmcubuild COMMAND --help tells more; a stage is a command, too: search:NAME.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (help_, example) in COMMANDS.items():
        command = commands.add_parser(
            name, help=help_, description=f"{help_}.", epilog=f"example: mcubuild {example}", allow_abbrev=False
        )
        if name == "new":
            command.add_argument("folder", help="where to; nothing in it is overwritten")
            command.add_argument("--spec", default="first", help="name of the first spec (first)")
            for key, what in _QUESTIONS.items():
                command.add_argument(f"--{key}", help=what)
        elif name == "completion":
            command.add_argument("shell", help='eval "$(mcubuild completion bash)" in ~/.bashrc')
        elif name in _BUILDS:
            command.add_argument("builds", nargs=2, metavar="BUILD", help="a build, or a folder with a report.json")
        elif name not in _DOITS:
            command.add_argument("words", nargs="*", metavar="SPEC | NAME=VALUE", help="specs by name, path or pattern")
            command.add_argument("-n", metavar="N", help="stages of several specs in N processes")
    return parser


_QUESTIONS: Mapping[str, str] = {
    "task": ", ".join(ROOMS),
    "data": "digits, another kind of data set, or a folder with one folder a class",
    "board": "a board's name",
    "limits": "such as 'sram=128kB flash=512kB latency=5ms'",
    "bits": "of the weights: 8, 4 or mixed",
}


def translated(arguments: Sequence[str]) -> list[str]:
    """The words behind ``doit`` that mean what ``arguments``, those behind ``mcubuild``, do.

    Raises:
        BuildError: there is no such command.
        SystemExit: argparse has shown help, or told what is wrong.
    """
    command = arguments[0] if arguments else ""
    if command.partition(":")[1] and not command.startswith("-"):
        return [*arguments]
    if command and not command.startswith("-") and command not in COMMANDS:
        close = difflib.get_close_matches(command, COMMANDS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"commands are: {', '.join(COMMANDS)}."
        raise BuildError(f"{shown(command)}: there is no such command; {hint}")
    if command in _DOITS and not {"-h", "--help"} & {*arguments}:
        return [*arguments]
    found = _parser().parse_args(arguments)
    if command in _BUILDS:
        return [command, *(f"{side}={build}" for side, build in zip("ab", found.builds, strict=True))]
    words = found.words
    changed = words[words.index("set") + 1 :] if "set" in words else []
    words = words[: len(words) - len(changed) - 1] if "set" in words else words
    if "set" in found.words and not (changed and all("=" in word for word in changed)):
        raise BuildError("set: behind it stand keys and values alone, such as set budget.latency=100ms bits=4.")
    specs = [word for word in words if "=" not in word]
    if specs and command in _ALONE:
        raise BuildError(f"{shown(specs[0])}: mcubuild {command} takes no spec; remove it.")
    variables = [word for word in words if "=" in word]
    if changed:
        variables.append(f"set={','.join(changed)}")
    named = [f"spec={','.join(specs)}"] if specs else []
    return [*(["-n", found.n] if found.n else []), command, *named, *variables]


def _new(arguments: Sequence[str]) -> None:
    from rules.commands.new import ask, create

    found = _parser().parse_args(arguments)
    folder = Path(found.folder)
    answers = ask({key: getattr(found, key) for key in _QUESTIONS})
    for name in create(folder, answers, found.spec):
        print(f"  {folder / name}")
    here = "" if folder.resolve() == Path.cwd() else f"cd {folder} && "
    print(f"next: {here}mcubuild plan, then mcubuild build")


def _complete(arguments: Sequence[str]) -> None:
    from rules.commands.completion import Known, answer

    shell, *words = arguments
    [group] = (action for action in _parser()._actions if isinstance(action, argparse._SubParsersAction))
    flags = {
        name: {flag: action.help or "" for action in command._actions for flag in action.option_strings}
        for name, command in group.choices.items()
    }
    known = Known({name: told for name, (told, _) in COMMANDS.items()}, flags, _above(Path.cwd()))
    sys.stdout.write(answer(shell, words, known))


def _above(folder: Path) -> Path | None:
    return next((one for one in (folder, *folder.parents) if (one / "dodo.py").is_file()), None)


def project_of(folder: Path) -> Path:
    """The project that ``folder`` is or lies in: the folder with a dodo.py.

    Raises:
        BuildError: neither this folder nor one above has one.
    """
    found = _above(folder)
    if found is None:
        raise BuildError(f"{folder}: found no dodo.py, here or above, so no project; make one: mcubuild new NAME.")
    return found


def main() -> int:
    """Run the command line; the exit code is doit's: 0, 1 where something failed, 3 where nothing was begun."""
    try:
        if sys.argv[1:2] == ["new"] and not {"-h", "--help"} & {*sys.argv}:
            _new(sys.argv[1:])
            return 0
        if sys.argv[1:2] == ["completion"] and sys.argv[2:] not in ([], ["-h"], ["--help"]):
            _complete(sys.argv[2:])
            return 0
        words = translated(sys.argv[1:])
        project_of(Path.cwd())
    except BuildError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    sys.argv[1:] = words
    from doit.doit_cmd import DoitMain

    from rules.loader import Loader

    code: int = DoitMain(Loader(), extra_config={"GLOBAL": {"seek_file": True}}).run(words)
    return code


if __name__ == "__main__":
    sys.exit(main())
