"""mcubuild: from a TOML deployment spec to measured microcontroller firmware."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The checkout: boards/, specs/ and kernels_templates/ are found relative to it."""
