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

from pydantic import BeforeValidator, Discriminator, Tag

from mcubuild.errors import shown
from mcubuild.spec.datasets.base import DatasetSettings

KINDS: Final[Mapping[str, type[DatasetSettings]]] = {
    name: import_module(f"{__name__}.{name}").SETTINGS
    for name in sorted(module.name for module in iter_modules(__path__) if module.name != "base")
}
"""The keys of each kind, by its name."""


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
