"""``mcubuild new``: the folder of a project with what belongs there, and a first spec that its answers make."""

import re
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from mcubuild.errors import BuildError, printable, shown, writing
from mcubuild.tasks import ROOMS

_TEMPLATES = Path(__file__).parents[1] / "project"
_FOLDERS: Mapping[str, str] = {
    "specs": "One TOML file a build; all keys are in docs/reference/spec.md of mcubuild.",
    "boards": "Boards of your own, boards/<name>.toml; they come before those of the same name that mcubuild brings.",
    "data": "Photos or recordings, a folder a class, which specs name: path = \"../data/photos\".",
}  # fmt: skip
_DIGITS = """
[space]
samples = 200            # of each search space, instead of 1000: the digits are small

[search]
population = 40
generations = 12
parents = 10
"""
"""What makes the build of the digits, the example, one of a minute or two."""


@dataclass(frozen=True)
class Answers:
    """What the first spec says."""

    task: str
    data: str
    """A kind of data set, or a folder, relative to the project."""
    board: str
    limits: str
    """``key=value`` of [budget], separated by commas or blanks; empty: the board's memories."""
    bits: str


DEFAULTS: Mapping[str, str] = {
    "task": "image_classification",
    "data": "digits",
    "board": "stm32f412",
    "limits": "latency=5ms",
    "bits": "8",
}
_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
_OTHER_DEFAULTS: Mapping[str, Mapping[str, str]] = {
    "audio_classification": {"data": "data/recordings", "limits": ""},
    "sensor_classification": {"data": "data/tables", "limits": ""},
    "object_detection": {"data": "data/pictures", "limits": ""},
    "anomaly_detection": {"data": "data/machine", "limits": ""},
}
"""By task."""
_FOLDERS_OF: Mapping[str, str] = {
    "image_classification": "image_folder",
    "audio_classification": "audio_folder",
    "sensor_classification": "csv",
    "object_detection": "yolo_folder",
    "anomaly_detection": "anomaly_folder",
}
"""What a folder is, by task,"""
_BOXES_IN: Mapping[str, str] = {".xml": "voc_folder", ".json": "coco_boxes"}
"""and where it has such files with boxes."""
_WINDOW = 128
"""Rows of a table that are a sample."""


def ask(given: Mapping[str, str | None]) -> Answers:
    """The answers: those that are ``given``, others from the terminal, where Enter takes the default.

    Without a terminal the defaults are taken.
    """
    from mcubuild.board import board_names

    questions = {
        "task": f"task ({', '.join(ROOMS)})",
        "data": "data: digits, or a folder (a folder a class, tables, pictures with boxes, train and test), or an .npz",
        "board": f"board ({', '.join(board_names())})",
        "limits": "limits, such as sram=128kB flash=512kB latency=5ms",
        "bits": "bits of the weights (8, 4, mixed)",
    }
    answers = dict[str, str]()
    for key, question in questions.items():
        default = _OTHER_DEFAULTS.get(answers.get("task", ""), DEFAULTS).get(key, DEFAULTS[key])
        answer = given.get(key)
        if answer is None and sys.stdin is not None and sys.stdin.isatty():
            try:
                answer = input(f"{question} [{default}]: ").strip() or default
            except EOFError:
                print()
        answers[key] = default if answer is None else answer.strip()
    return Answers(**answers)


def _kind(answers: Answers, folder: Path) -> str:
    """What the data is, if that is a path from the project in ``folder``."""
    if answers.data.endswith(".npz"):
        return "npz"
    if answers.task == "object_detection":
        there = {path.suffix.lower() for path in (folder / answers.data).rglob("*")}
        if found := [kind for suffix, kind in _BOXES_IN.items() if suffix in there]:
            return found[0]
    return _FOLDERS_OF.get(answers.task, "image_folder")


def _spec(answers: Answers, folder: Path) -> str:
    """The text of the first spec of the project in ``folder``."""
    from mcubuild.data.kinds import names

    if answers.data == "digits":
        dataset = '{ kind = "digits", val_fraction = 0.25 }   # the 8x8 digits that scikit-learn brings'
    elif answers.data in names():
        dataset = _quoted(answers.data)
    else:
        kind = _kind(answers, folder)
        window = f", window = {_WINDOW}" if kind == "csv" else ""
        path = answers.data if Path(answers.data).is_absolute() else f"../{answers.data}"
        dataset = f'{{ kind = "{kind}", path = {_quoted(path)}{window} }}'
    lines = [f"task = {_quoted(answers.task)}", f"dataset = {dataset}", f"board = {_quoted(answers.board)}"]
    lines += [f"bits = {answers.bits if answers.bits.isdecimal() else _quoted(answers.bits)}", "", "[budget]"]
    for limit in answers.limits.replace(",", " ").split():
        key, equals, value = limit.partition("=")
        if not (equals and key.isidentifier()):
            raise BuildError(f"limits: found {shown(limit)}; write such as sram=128kB flash=512kB latency=5ms.")
        lines.append(f"{key} = {_quoted(value)}")
    return "\n".join(lines) + "\n" + (_DIGITS if answers.data == "digits" else "")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{printable(escaped)}"'


def _files(answers: Answers, name: str, folder: Path) -> dict[str, str]:
    """All files of the project in ``folder``, by their places in it."""
    texts = {
        path.relative_to(_TEMPLATES).as_posix(): path.read_text("utf-8")
        for path in sorted(_TEMPLATES.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }
    texts["requirements.txt"] = texts["requirements.txt"].replace("{{ version }}", version("mcubuild"))
    texts |= {f"{folder}/README.md": f"{text}\n" for folder, text in _FOLDERS.items()}
    return texts | {f"specs/{name}.toml": _spec(answers, folder)}


def _check(spec: str, name: str, folder: Path) -> None:
    """The first spec is valid, by the boards that mcubuild brings.

    Raises:
        BuildError: it is not.
    """
    from mcubuild.spec.spec import read_spec

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / f"{name}.toml"
        path.write_text(spec, encoding="utf-8")
        try:
            read_spec(path)
        except BuildError as error:
            raise BuildError(str(error).replace(str(path), f"{folder / 'specs' / path.name}")) from None


def create(folder: Path, answers: Answers, spec: str) -> list[str]:
    """Make the project in ``folder``.

    Args:
        folder: a new or existing one.
        answers: for the first spec.
        spec: its name.

    Returns:
        The files, relative to the folder.

    Raises:
        BuildError: one of them is there already, an answer is not valid, or the folder cannot be written.
    """
    if not re.fullmatch(_NAME, spec):
        raise BuildError(f"--spec: found {shown(spec)}; a spec's name has letters, digits, _, . and - alone: first.")
    texts = _files(answers, spec, folder)
    if there := [name for name in texts if (folder / name).exists()]:
        raise BuildError(f"{folder / there[0]}: is there already, and nothing is overwritten; name another folder.")
    _check(texts[f"specs/{spec}.toml"], spec, folder)
    with writing(folder):
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    return list(texts)
