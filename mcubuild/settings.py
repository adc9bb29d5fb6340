"""What every TOML model has in common: unknown keys refused, values fixed, errors in one readable message."""

import codecs
import difflib
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
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
    return validated([read_source(path)], model, extra, changes)


@dataclass(frozen=True)
class Source:
    """A TOML file as it was read."""

    path: Path
    text: str
    values: dict[str, Any]

    def has(self, location: Sequence[str]) -> bool:
        """Whether it says anything of the key at ``location``."""
        found: Any = self.values
        for part in location:
            if isinstance(found, list) and part.isdigit():
                found = found[int(part)] if int(part) < len(found) else None
            elif isinstance(found, dict) and part in found:
                found = found[part]
            else:
                return False
        return True

    def place(self, location: Sequence[str]) -> str:
        """The file and, where the key at ``location`` stands in it, the line: ``specs/a.toml:3``."""
        line = _line_of([*location], self.text) if location else None
        return f"{self.path}:{line}" if line else str(self.path)


def read_source(path: Path) -> Source:
    """The TOML file ``path``.

    Raises:
        BuildError: it is missing, or no TOML.
    """
    text = _text(path)
    with reading(path, "TOML"):
        return Source(path, text, tomli.loads(text))


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """``below`` with what ``above`` says: table by table, but for tables of another kind, which replace each other."""
    found = dict(below)
    for key, value in above.items():
        known = found.get(key)
        if isinstance(known, dict) and isinstance(value, dict) and value.get("kind") in (None, known.get("kind")):
            value = merged(known, value)
        found[key] = value
    return found


def validated(
    sources: Sequence[Source],
    model: type[Model],
    extra: Mapping[str, Any] | None = None,
    changes: Mapping[str, str] | None = None,
    chosen: Mapping[str, Any] | None = None,
    origin: str = "",
    written: type[Settings] | None = None,
) -> Model:
    """What ``sources`` say together, the last one above all others; arguments as for ``read_toml``.

    Args:
        sources: at least one; messages name the one that a key stands in.
        model: what they must contain together.
        extra: values that stand in none.
        changes: values that count instead of theirs.
        chosen: likewise, by dotted keys, of which ``origin`` is to tell where they stand.
        origin: such a place.
        written: the model whose keys messages tell, if these are more than those of ``model``.

    Raises:
        BuildError: they break the model; all problems in one message.
    """
    values: dict[str, Any] = {}
    for source in sources:
        values = merged(values, source.values)
    changes, chosen = changes or {}, chosen or {}
    for key, value in chosen.items():
        put(values, key, value, origin)
    for key, text in changes.items():
        put(values, key, _meant(text), f"set={key}={text}")
    try:
        return model.model_validate({**values, **(extra or {})})
    except ValidationError as error:
        told = [_placed(problem, sources, written or model, changes, {*chosen}, origin) for problem in _own(error)]
        raise BuildError(*told) from None


def _own(error: ValidationError) -> list[Any]:
    """The problems in ``error``, without those of lists that are too short because parts of them are not valid."""
    found = error.errors()
    inside = {problem["loc"][:depth] for problem in found for depth in range(len(problem["loc"]))}
    return [problem for problem in found if problem["type"] != "too_short" or problem["loc"] not in inside]


def _placed(
    problem: Any,
    sources: Sequence[Source],
    model: type[Settings],
    changes: Mapping[str, str],
    chosen: Set[str],
    origin: str,
) -> str:
    """What is wrong, of the file and its line, or of the change that brought it."""
    dotted = ".".join(map(str, problem["loc"]))
    for key, value in changes.items():
        if f"{dotted}.".startswith(f"{key}."):
            return f"set={key}={value}:{_describe(problem, model, '')}"
    for key in chosen:
        if f"{dotted}.".startswith(f"{key}."):
            return f"{origin}:{_describe(problem, model, '')}"
    location, _ = _followed([str(part) for part in problem["loc"]], model)
    source = holder(sources, location)
    return f"{source.path}:{_describe(problem, model, source.text)}"


def holder(sources: Sequence[Source], location: Sequence[str]) -> Source:
    """The topmost of ``sources`` with the key at ``location``, or else with the table around it, or the last."""
    for depth in range(len(location), 0, -1):
        for source in reversed(sources):
            if source.has(location[:depth]):
                return source
    return sources[-1]


def _meant(text: str) -> Any:
    """A value as TOML, or as bare text."""
    try:
        found = tomli.loads(f"value = {text}")
    except tomli.TOMLDecodeError:
        return text
    return found["value"] if found.keys() == {"value"} else text


def put(values: dict[str, Any], key: str, value: Any, origin: str = "") -> None:
    """Let ``value`` be that of the dotted ``key``; ``origin`` tells messages who wants that.

    Raises:
        BuildError: something on the way to it is no table.
    """
    *tables, last = key.split(".")
    for name in tables:
        inner = values.get(name, {})
        if not isinstance(inner, dict):
            raise BuildError(f"{origin or key}: {name} is no table there, but {shown(inner)}; set {name} whole.")
        values[name] = dict(inner)
        values = values[name]
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
