"""Speech Commands: single words."""

from typing import ClassVar, Final, Literal

from pydantic import Field, model_validator

from mcubuild.spec.datasets.base import AudioSettings, PublicSettings
from mcubuild.spec.outline import AUDIO_SIDE, Outline

WORDS: Final = (
    *("backward", "bed", "bird", "cat", "dog", "down", "eight", "five", "follow", "forward", "four", "go", "happy"),
    *("house", "learn", "left", "marvin", "nine", "no", "off", "on", "one", "right", "seven", "sheila", "six", "stop"),
    *("three", "tree", "two", "up", "visual", "wow", "yes", "zero"),
)
"""Of version 2 (arXiv 1804.03209, section 4)."""
_COMMANDS: Final = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
UNKNOWN: Final = "_unknown_"
SILENCE: Final = "_silence_"


class SpeechCommandsSettings(PublicSettings, AudioSettings):
    """One second each of 2,618 people who say one of 35 words, version 2.

    Warden, Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition, arXiv 1804.03209.
    """

    standard_words: ClassVar = {35: WORDS, 12: _COMMANDS}

    kind: Literal["speech_commands"]
    """``path`` has ``speech_commands_v0.02.tar.gz``, or the folders that are in it. Samples to validate and to test by
    are those of ``validation_list.txt`` and ``testing_list.txt``; where a list is missing, the published rule, a hash
    of the speaker, says the same. Recordings in ``_background_noise_`` are mixed into the training samples."""
    variant: Literal[35, 12] = 35
    """35: every word is a class. 12: yes, no, up, down, left, right, on, off, stop and go are; ``_unknown_`` has some
    of all other words and ``_silence_`` pieces of the background noise, each a tenth as many as those ten together."""
    words: tuple[str, ...] | None = Field(default=None, min_length=2)
    """Other words that are classes, instead of the variant's: folders of the archive, or of yours."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names by label."""
        words = self.words or self.standard_words[self.variant]
        return (*words, UNKNOWN, SILENCE) if self.variant == 12 else words

    def outline(self) -> Outline:
        """The classes of single spectrograms."""
        return Outline(self.tasks[0], len(self.classes), 1, self.max_resolution or AUDIO_SIDE)

    @model_validator(mode="after")
    def _words_differ(self) -> "SpeechCommandsSettings":
        for word in self.words or ():
            if word.startswith("_") or not word or "/" in word:
                raise ValueError(
                    f"found the word {word!r} in words; allowed are names of folders that hold a word each"
                )
        if self.words and len(set(self.words)) < len(self.words):
            raise ValueError(f"found words = {list(self.words)}, of which one is there twice; remove that")
        return self


SETTINGS = SpeechCommandsSettings
