"""[dataset]: where the samples come from and how they are split; every module here has the keys of one kind.

A kind is two modules of its name: its keys here, a model as ``SETTINGS``, and its reader in ``mcubuild/data/kinds``.
"""

import difflib
import json
from collections.abc import Mapping
from functools import reduce
from importlib import import_module
from operator import or_
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Discriminator, Tag, create_model

from mcubuild.errors import BuildError, shown
from mcubuild.spec import own
from mcubuild.spec.datasets.base import DatasetSettings

_BROUGHT: Final[Mapping[str, type[DatasetSettings]]] = {
    name: import_module(f"{__name__}.{name}").SETTINGS
    for name in sorted(module.name for module in iter_modules(__path__) if module.name != "base")
}


def _own_keys(name: str) -> type[DatasetSettings]:
    """The keys of a kind that mcubuild does not bring.

    Raises:
        BuildError: there is something wrong with its module.
    """
    source = own.origin(name, packages=True)
    assert source is not None
    keys: Any = DatasetSettings
    settings = getattr(own.load(source), "settings", None)
    if settings is not None:
        with own.telling(source.file):
            keys = settings()
    if not (isinstance(keys, type) and issubclass(keys, DatasetSettings)):
        raise BuildError(
            f"{source.file}: settings() gave {shown(keys)}; it must be a class that inherits DatasetSettings, of "
            f"mcubuild.spec.datasets.base."
        )
    kind: Any = (Literal[name], ...)
    return create_model(keys.__name__, __base__=keys, __module__=keys.__module__, kind=kind)


def _own_kinds() -> tuple[dict[str, type[DatasetSettings]], dict[str, str]]:
    """The keys of each kind that mcubuild does not bring, and of those that cannot be read the reasons."""
    found, broken = dict[str, type[DatasetSettings]](), dict[str, str]()
    for name in sorted({*own.names(), *(own.packaged().keys() - _BROUGHT.keys())}):
        try:
            found[name] = _own_keys(name)
        except BuildError as error:
            found[name], broken[name] = DatasetSettings, str(error).rstrip(".")
    return found, broken


_OWN, _BROKEN = _own_kinds()
KINDS: Final[Mapping[str, type[DatasetSettings]]] = dict(sorted({**_BROUGHT, **_OWN}.items()))
"""The keys of each kind, by its name; the project's own counts instead of mcubuild's of the same name."""


def _of_a_kind(value: Any) -> Any:
    """The table that a name alone is short for; a kind, or a key, that does not belong here is told with what does."""
    table = {"kind": value} if isinstance(value, str) else value
    if not isinstance(table, dict):
        return table
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        allowed = ", ".join(f'"{name}"' for name in KINDS)
        close = difflib.get_close_matches(kind, KINDS, n=1) if isinstance(kind, str) else []
        found = "no kind" if kind is None else f"kind = {shown(kind)}"
        raise ValueError(f"found {found}; allowed: {allowed}" + (f'; did you mean "{close[0]}"?' if close else ""))
    if kind in _BROKEN:
        raise ValueError(f'found kind = "{kind}", which cannot be read: {_BROKEN[kind]}')
    for key in table:
        others = [f'"{name}"' for name, other in KINDS.items() if key in other.model_fields]
        if key not in KINDS[kind].model_fields and others:
            given = table[key]
            text = json.dumps(given) if isinstance(given, str | bool) else shown(given)
            raise ValueError(
                f'found {key} = {text} with kind "{kind}"; remove it, or set the kind to {" or ".join(others)}'
            )
    return table


def _kind(value: Any) -> Any:
    return value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)


if TYPE_CHECKING:
    Dataset = DatasetSettings
else:
    _Tables = Annotated[
        reduce(or_, (Annotated[model, Tag(name)] for name, model in KINDS.items())), Discriminator(_kind)
    ]
    Dataset = Annotated[_Tables, BeforeValidator(_of_a_kind, json_schema_input_type=Literal[tuple(KINDS)] | _Tables)]
"""A data set of any kind. ``dataset = "digits"`` is short for a table with that ``kind`` alone."""
