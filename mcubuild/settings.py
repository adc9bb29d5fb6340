"""What every TOML model has in common: unknown keys refused, values fixed, errors in one readable message."""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import tomli
from pydantic import BaseModel, ConfigDict, ValidationError

from mcubuild.errors import BuildError


class Settings(BaseModel):
    """Base of all models that are read from TOML."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


Model = TypeVar("Model", bound=Settings)


def read_toml(path: Path, model: type[Model], extra: Mapping[str, Any] | None = None) -> Model:
    """The validated content of a TOML file.

    Args:
        path: the file.
        model: what it must contain.
        extra: values that do not stand in the file (its name, say).

    Raises:
        BuildError: the file is missing, is not TOML, or breaks the model; all problems in one message.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BuildError(f"{path}: cannot be read ({error.strerror}).") from None
    try:
        values = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise BuildError(f"{path}: not valid TOML: {error}.") from None
    try:
        return model.model_validate({**values, **(extra or {})})
    except ValidationError as error:
        problems = [_describe(problem, model, text) for problem in error.errors()]
        raise BuildError("\n".join(f"{path}:{problem}" for problem in problems)) from None


def _describe(problem: Any, model: type[Settings], text: str) -> str:
    location = [str(part) for part in problem["loc"]]
    key = ".".join(location)
    line = _line_of(location, text) if location else None
    where = f"{line}: {key}" if line else f" {key or 'the whole file'}"
    if problem["type"] == "extra_forbidden":
        allowed = sorted(_fields_at(location[:-1], model))
        close = difflib.get_close_matches(location[-1], allowed, n=1)
        remedy = f"did you mean {close[0]!r}?" if close else "remove it."
        return f"{where}: unknown key; allowed here: {', '.join(allowed)}; {remedy}"
    if problem["type"] == "missing":
        return f"{where}: missing; add it."
    message = problem["msg"].removeprefix("Value error, ")
    found = "" if "found" in message else f" (found {problem['input']!r})"
    return f"{where}: {message}{found}."


def _fields_at(location: list[str], model: type[Settings]) -> set[str]:
    """Names of the keys allowed in the table at ``location``; numbers in it index arrays of tables."""
    for part in location:
        field = model.model_fields.get(part)
        if field is None:
            continue
        candidates = [field.annotation, *getattr(field.annotation, "__args__", ())]
        for candidate in candidates:
            if isinstance(candidate, type) and issubclass(candidate, Settings):
                model = candidate
                break
    return set(model.model_fields)


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
