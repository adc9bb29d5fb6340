"""Handwritten digits."""

from typing import Literal

from mcubuild.spec.datasets.base import UndividedSettings


class DigitsSettings(UndividedSettings):
    """The 8x8 digits that scikit-learn ships."""

    kind: Literal["digits"]
    """1797 pictures of ten classes."""


SETTINGS = DigitsSettings
