"""mcubuild: from a TOML deployment spec to measured microcontroller firmware."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rules.api import build as build

ROOT = Path(__file__).resolve().parent.parent
"""The folder that Python finds mcubuild in: its checkout, or where it is installed."""


def __getattr__(name: str) -> Any:
    """``build``, imported when it is asked for: what it takes is above this package."""
    if name == "build":
        return import_module("rules.api").build
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
