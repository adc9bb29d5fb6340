"""A folder of the user's WAV files."""

from pathlib import Path
from typing import TYPE_CHECKING

from mcubuild.data.kinds.base import Found, Kind
from mcubuild.data.sources import Content, find_in_folder, folder_of

if TYPE_CHECKING:
    from mcubuild.spec.datasets.audio_folder import AudioFolderSettings

CONTENT = Content("WAV files", (".wav",), "ffmpeg -i sound.mp3 sound.wav")


def _find(settings: "AudioFolderSettings", root: Path) -> Found:
    from mcubuild.data.samples import Recordings

    return find_in_folder(settings, root, CONTENT, lambda files: Recordings(files, settings))


KIND = Kind("recordings", folder_of, _find)
