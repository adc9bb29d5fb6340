"""Arrays of the user."""

from typing import ClassVar, Literal

from pydantic import Field

from mcubuild.spec.datasets.base import FilesSettings, Task, UndividedSettings, VariedSettings


class NpzSettings(UndividedSettings, FilesSettings, VariedSettings):
    """Samples in a file of NumPy arrays: images, or windows of a sensor's values."""

    tasks: ClassVar[tuple[Task, ...]] = ("image_classification", "sensor_classification")

    kind: Literal["npz"]
    """``x`` has images (N, H, W, 1 or 3) or windows (N, T, C) of integers or floats, ``y`` the classes (N,) as integers
    or strings. Splits may be given as ``x_train``, ``y_train``, ``x_val``, ``y_val``, ``x_test``, ``y_test``. Optional:
    ``groups`` (N,) (``groups_train``, ...), whose samples stay together when a split is drawn; ``classes``, names by
    label, and ``channels``, names of the values."""
    path: str = Field(min_length=1)
    """The .npz file, relative to the spec."""


SETTINGS = NpzSettings
