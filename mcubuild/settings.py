"""What every TOML model has in common: unknown keys refused, values fixed, errors in one readable message."""

import codecs
import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import tomli
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from mcubuild.errors import BuildError, reading, shown


class Settings(BaseModel):
    """Base of all models that are read from TOML."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _means_what_it_says(cls, value: Any, info: ValidationInfo) -> Any:
        """``true`` is no number, though Python counts with it, and no name or path has a NUL."""
        kinds = _kinds(cls.model_fields[str(info.field_name)].annotation)
        for part in value if isinstance(value, list | tuple) else (value,):
            if isinstance(part, bool) and bool not in kinds:
                raise ValueError(f"found {str(part).lower()}, which is for switches; this is none")
            if isinstance(part, str) and "\0" in part:
                raise ValueError(f"found {shown(part)}, with a NUL; remove that")
        return value


Model = TypeVar("Model", bound=Settings)


def _kinds(annotation: Any) -> tuple[Any, ...]:
    """A type, or those of a union."""
    return (annotation, *get_args(annotation))


def read_toml(
    path: Path, model: type[Model], extra: Mapping[str, Any] | None = None, changes: Mapping[str, str] | None = None
) -> Model:
    """The validated content of a TOML file.

    Args:
        path: the file.
        model: what it must contain.
        extra: values that do not stand in the file (its name, say).
        changes: values, as TOML or as bare text, that count instead of the file's, by dotted keys.

    Raises:
        BuildError: the file is missing, is not TOML, or breaks the model; all problems in one message.
    """
    text = _text(path)
    with reading(path, "TOML"):
        values = tomli.loads(text)
    changes = changes or {}
    for key, value in changes.items():
        _set(values, key, value)
    try:
        return model.model_validate({**values, **(extra or {})})
    except ValidationError as error:
        raise BuildError(*(_placed(problem, path, model, text, changes) for problem in error.errors())) from None


def _placed(problem: Any, path: Path, model: type[Settings], text: str, changes: Mapping[str, str]) -> str:
    """What is wrong, of the file and its line, or of the change that brought it."""
    dotted = ".".join(map(str, problem["loc"]))
    for key, value in changes.items():
        if f"{dotted}.".startswith(f"{key}."):
            return f"set={key}={value}:{_describe(problem, model, '')}"
    return f"{path}:{_describe(problem, model, text)}"


def _set(values: dict[str, Any], key: str, text: str) -> None:
    """Let ``text`` be the value of the dotted ``key``.

    Raises:
        BuildError: something on the way to it is no table.
    """
    try:
        found = tomli.loads(f"value = {text}")
        value = found["value"] if found.keys() == {"value"} else text
    except tomli.TOMLDecodeError:
        value = text
    *tables, last = key.split(".")
    for name in tables:
        values = values.setdefault(name, {})
        if not isinstance(values, dict):
            raise BuildError(f"set={key}={text}: {name} is no table there, but {shown(values)}; set {name} whole.")
    values[last] = value


def _text(path: Path) -> str:
    """What is written in ``path``, with or without a byte order mark.

    Raises:
        BuildError: it is no file, or not in UTF-8.
    """
    with reading(path, "TOML"):
        if path.exists() and not path.is_file():  # reading a pipe would wait for ever
            raise BuildError(f"{path}: not a file.")
        data = path.read_bytes()
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in data
    try:
        text = data.decode("utf-8")
        place = data.find(b"\0")
    except UnicodeDecodeError as error:
        place = error.start
    if place >= 0:
        line = data.count(b"\n", 0, place) + 1
        like = ", as in UTF-16" if wide else ""
        raise BuildError(
            f"{path}:{line}: found the byte 0x{data[place]:02x} at offset {place}{like}; TOML is written in UTF-8: "
            f"save the file with that encoding."
        )
    return re.sub("\r\n?", "\n", text.removeprefix("\ufeff"))


def _describe(problem: Any, model: type[Settings], text: str) -> str:
    location, table = _followed([str(part) for part in problem["loc"]], model)
    key = ".".join(part if part.isprintable() and len(part) < 60 else shown(part) for part in location)
    line = _line_of(location, text) if location else None
    where = f"{line}: {key}" if line else f" {key or 'the whole file'}"
    if problem["type"] == "extra_forbidden":
        allowed = sorted(table.model_fields)
        close = difflib.get_close_matches(location[-1], allowed, n=1)
        remedy = f"did you mean {close[0]!r}?" if close else "remove it."
        return f"{where}: unknown key; allowed here: {', '.join(allowed)}; {remedy}"
    if problem["type"] == "missing":
        return f"{where}: missing; add it."
    message = problem["msg"].removeprefix("Value error, ")
    found = "" if "found" in message else f" (found {shown(problem['input'])})"
    return f"{where}: {message}{found}."


def _followed(location: list[str], model: type[Settings]) -> tuple[list[str], type[Settings]]:
    """The location as it stands in the file, and the model of the table that its last part is, or should be, a key of.

    Numbers in a location index arrays of tables; where tables are of several kinds, pydantic adds the kind.
    """
    kept, kinds = list[str](), list[type[Settings]]()
    for part in location:
        if len(kinds) > 1:
            model = next(kind for kind in kinds if part in get_args(kind.model_fields["kind"].annotation))
            kinds = []
            continue
        if kinds:
            model, kinds = kinds[0], []
        kept.append(part)
        if not part.isdigit() and part in model.model_fields:
            kinds = _models(model.model_fields[part].annotation)
    return kept, model


def _models(annotation: Any) -> list[type[Settings]]:
    """The models that a key may hold, be they in a list or a choice."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _line_of(location: list[str], text: str) -> int | None:
    """The 1-based line where the key at ``location`` stands, for editors that jump to ``file:line``."""
    section = ""
    wanted = ".".join(part for part in location[:-1] if not part.isdigit())
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line)
        if header:
            section = header[1]
            if section == ".".join(location):
                return number
        elif section == wanted and re.match(rf"\s*[\"']?{re.escape(location[-1])}[\"']?\s*=", line):
            return number
    return None
