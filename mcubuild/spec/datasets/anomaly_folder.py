"""Recordings of a machine as it should sound, and of some that do not."""

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from mcubuild.quantities import Hertz, Seconds
from mcubuild.spec.datasets.base import FilesSettings, Task


class AnomalyFolderSettings(FilesSettings):
    """A folder with ``train/`` of normal WAV files and ``test/`` of both: ``test/normal/*``, ``test/anomalous/*``."""

    tasks: ClassVar[tuple[Task, ...]] = ("anomaly_detection",)

    kind: Literal["anomaly_folder"]
    """``normal`` or ``anomalous`` is what a folder's or a file's name begins with (``anomaly_id_01``, ``abnormal``), as
    in DCASE, ToyADMOS and MIMII; all of ``train/`` is normal. ``val/`` may have both, too."""
    path: str = Field(min_length=1)
    """Folder with ``train`` and ``test``, relative to the spec."""
    sample_rate: Hertz | None = Field(default=None, ge=1000, le=192_000)
    """Rate that all recordings are brought to; default: the training recordings' median, at most 16 kHz."""
    window: Seconds = Field(default=0.064, gt=0, le=1)
    """Length of the piece that a frame is computed from."""
    hop: Seconds = Field(default=0.032, gt=0, le=1)
    """From the start of a frame to that of the next one."""
    bands: int = Field(default=128, ge=8, le=256)
    """Mel bands of a frame."""
    frames: int = Field(default=5, ge=2, le=64)
    """Frames that the network sees at a time."""
    step: int | None = Field(default=None, ge=1)
    """Frames from one such window to the next; default: as many as a window has. All windows of a recording count
    for its score."""

    @model_validator(mode="before")
    @classmethod
    def _has_a_path(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("path") is None:
            raise ValueError('found no path; kind "anomaly_folder" needs the folder with the files: path = "../files"')
        return values

    @model_validator(mode="after")
    def _frames_are_the_length(self) -> "AnomalyFolderSettings":
        if self.max_resolution is not None:
            raise ValueError(
                f"found max_resolution = {self.max_resolution}; a network sees whole windows: write frames = "
                f"{min(64, self.max_resolution)}"
            )
        return self


SETTINGS = AnomalyFolderSettings
