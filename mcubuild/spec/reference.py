"""docs/reference/: every key of specs and boards as pages, from the JSON schemas that editors use."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mcubuild.spec.schema import board_schema, spec_schema

Schema = Mapping[str, Any]

_LIMITS = {
    **dict.fromkeys(("minimum", "ge"), "≥"),
    **dict.fromkeys(("exclusiveMinimum", "gt"), ">"),
    **dict.fromkeys(("maximum", "le"), "≤"),
    **dict.fromkeys(("exclusiveMaximum", "lt"), "<"),
}
_NOUNS = {"string": "text", "boolean": "`true`, `false`", "integer": "whole number", "number": "number"}
_WRITTEN = "Written by `doit schema` from the models that validate the files: what is not listed is refused."


def spec_page() -> str:
    """All keys of ``specs/*.toml``, in Markdown: the file's own first, then its tables and the kinds of data sets."""
    described: Schema = json.loads(spec_schema())
    definitions: Schema = described["$defs"]
    own, tables = {}, {}
    for key, value in described["properties"].items():
        name = _definition(value)
        if name is None:
            own[key] = value
        else:
            tables[key] = definitions[name]
    kinds = {one["properties"]["kind"]["const"]: one for one in definitions.values() if "kind" in one["properties"]}
    lines = [
        "# Spec reference",
        "",
        f"{_WRITTEN} Sizes are in `kB` or `MB` (1 kB = 1024 B), times in `ms`, `s` or `fps`, energies in `mJ`. A spec "
        "is `specs/<name>.toml`. Editors that know TOML schemas (Even Better TOML, taplo) complete and check it "
        "by the first line `#:schema ../docs/spec.schema.json`: [spec.schema.json](../spec.schema.json).",
        "",
        "## Top level",
        "",
        *_table(own),
    ]
    for key, table in tables.items():
        lines += ["", f"## [{key}]", "", _text(table["description"]), "", *_table(table["properties"])]
    lines += ["", "## Data sets", "", 'Keys of `dataset = { kind = "..." }`.']
    for kind, table in sorted(kinds.items()):
        keys = {key: value for key, value in table["properties"].items() if key != "kind"}
        lines += ["", f'### kind = "{kind}"', "", _text(table["description"]), "", *_table(keys)]
    return "\n".join(lines) + "\n"


def board_page() -> str:
    """All keys of ``boards/*.toml``, in Markdown."""
    described: Schema = json.loads(board_schema())
    definitions: Schema = described["$defs"]
    required, tables = set(described["required"]), ("cache", "desk", "memory")
    lines = [
        "# Board reference",
        "",
        f"{_WRITTEN} A board is `boards/<name>.toml`; [Boards](../boards.md) tells how to write one. The schema for "
        "editors is [board.schema.json](../board.schema.json).",
        "",
        "## Top level",
        "",
        *_table({key: value for key, value in described["properties"].items() if key not in tables}, required),
    ]
    titles = {
        "Cache": "cache = { ... }",
        "Desk": "desk = { ... }",
        "Led": "[desk.led]",
        "RegisterBits": "desk.led.setup",
    }
    for name, title in {**titles, "Memory": "[[memory]]"}.items():
        table = definitions[name]
        keys = _table(table["properties"], set(table.get("required", ())))
        lines += ["", f"## {title}", "", _text(table["description"]), "", *keys]
    return "\n".join(lines) + "\n"


def _definition(value: Schema) -> str | None:
    """The table that a key stands for; None where it is a value, or one of several tables."""
    options = [option for option in value.get("anyOf", (value,)) if "$ref" in option]
    return options[0]["$ref"].rpartition("/")[2] if len(options) == 1 else None


def _table(keys: Schema, required: set[str] | None = None) -> Iterator[str]:
    if not keys:
        yield "No keys besides."
        return
    yield "| key | value | default | meaning |"
    yield "|---|---|---|---|"
    for key, value in keys.items():
        needed = key in required if required is not None else "default" not in value
        default = "**required**" if needed else _default(value.get("default"))
        yield f"| `{key}` | {_allowed(value)} | {default} | {_text(value.get('description', ''))} |"


def _default(value: Any) -> str:
    return "" if value is None or isinstance(value, dict) else f"`{json.dumps(value)}`"


def _allowed(value: Schema) -> str:
    """What may stand behind the key, in words."""
    if "anyOf" in value:
        limits = _limits(value)
        options = [_allowed(option) for option in value["anyOf"] if option.get("type") != "null"]
        return " or ".join(dict.fromkeys(filter(None, options))) + limits
    if "oneOf" in value:
        return "a table with its `kind`, [below](#data-sets)"
    if "enum" in value:
        return ", ".join(f"`{json.dumps(one)}`" for one in value["enum"])
    if "const" in value:
        return f"`{json.dumps(value['const'])}`"
    if value.get("type") == "array":
        return f"list of {_allowed(value['items'])}" if "items" in value else "list"
    return _NOUNS.get(value.get("type", ""), "") + _limits(value)


def _limits(value: Schema) -> str:
    found = []
    for key, sign in _LIMITS.items():
        if (limit := value.get(key)) is not None:
            found.append(f"{sign} {limit:,.0f}" if limit % 1 == 0 else f"{sign} {limit}")
    return f" ({', '.join(found)})" if found else ""


def _text(description: str) -> str:
    """A docstring as a cell: reStructuredText's code becomes Markdown's."""
    return " ".join(description.split()).replace("``", "`").replace("|", "\\|")
