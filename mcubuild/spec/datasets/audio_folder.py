"""Recordings of the user."""

from typing import Literal

from mcubuild.spec.datasets.base import AudioSettings, FolderSettings


class AudioFolderSettings(FolderSettings, AudioSettings):
    """A folder of your WAV files."""

    kind: Literal["audio_folder"]
    """A folder a class, or names with the class in them."""


SETTINGS = AudioFolderSettings
