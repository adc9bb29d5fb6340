"""mcubuild: from a TOML deployment spec to measured microcontroller firmware."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The folder that Python finds mcubuild in: its checkout, or where it is installed."""
