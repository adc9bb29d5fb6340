"""The JSON schemas of specs and boards, for editors that complete and check TOML."""

import json
from typing import Any

from mcubuild.board import Board
from mcubuild.settings import Settings
from mcubuild.spec.spec import SpecFile


def _schema(model: type[Settings], title: str) -> dict[str, Any]:
    described = model.model_json_schema(mode="validation")
    described["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    described["title"] = title
    # The name is the file's stem and stands in no file.
    del described["properties"]["name"]
    described["required"].remove("name")
    return described


def _text(described: dict[str, Any]) -> str:
    return json.dumps(described, indent=2, sort_keys=True) + "\n"


def spec_schema() -> str:
    """JSON schema (draft 2020-12) of ``specs/*.toml``, as text."""
    described = _schema(SpecFile, "mcubuild deployment spec")
    # One .npy file is short for a list of one.
    for key in ("inputs", "outputs"):
        described["$defs"]["ModelSettings"]["properties"][key]["anyOf"].insert(0, {"type": "string"})
    return _text(described)


def board_schema() -> str:
    """JSON schema (draft 2020-12) of ``boards/*.toml``, as text."""
    described = _schema(Board, "mcubuild board")
    del described["properties"]["clock_code"]  # the content of a file that clock_setup names
    return _text(described)
