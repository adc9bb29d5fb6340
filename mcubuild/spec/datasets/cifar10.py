"""CIFAR-10: small photos of ten things."""

from typing import ClassVar, Literal

from mcubuild.spec.datasets.base import HoldoutSettings, VariedSettings
from mcubuild.spec.outline import Outline


class Cifar10Settings(HoldoutSettings, VariedSettings):
    """Photos of 32x32 pixels, 50,000 to train with and 10,000 to test.

    Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
    """

    usual_holdout: ClassVar[int] = 5000

    kind: Literal["cifar10"]
    """``path`` has ``cifar-10-binary.tar.gz``, or the files ``*_batch*.bin`` that are in it."""

    def outline(self) -> Outline:
        """Ten classes of colour images."""
        return Outline(self.tasks[0], 10, 3, self.max_resolution or 32)


SETTINGS = Cifar10Settings
