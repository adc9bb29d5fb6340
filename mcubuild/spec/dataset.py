"""[dataset]: where the samples come from and how they are split."""

import json
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from mcubuild.quantities import Hertz, Seconds
from mcubuild.settings import Settings
from mcubuild.spec.pattern import compile_pattern

FOLDERS: Final = ("image_folder", "audio_folder")
"""Kinds that are folders of the user's files."""
_KINDS: Final = {
    **dict.fromkeys(("path", "pattern", "group", "val", "test"), FOLDERS),
    **dict.fromkeys(("subject", "mirror"), ("image_folder",)),
    **dict.fromkeys(("sample_rate", "duration", "window", "features"), ("audio_folder",)),
}
"""The kinds that a key is for, where it is not for all."""


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Globs = Annotated[
    tuple[str, ...],
    BeforeValidator(_listed, json_schema_input_type=str | list[str]),
    Field(min_length=1),
]
"""Patterns of the shell (``*``, ``?``, ``[0-4]``), of which one must fit; one may stand without a list."""


class DatasetSettings(Settings):
    """A data set. ``dataset = "digits"`` is short for a table with that ``kind`` alone."""

    kind: Literal["digits", "image_folder", "audio_folder"]
    """``digits``: the 8x8 digits that scikit-learn ships. ``image_folder``, ``audio_folder``: your images or WAVs."""
    path: str | None = None
    """Folder with the files, relative to the spec: ``<class>/*`` or ``{train,val,test}/<class>/*``, unless a pattern
    says otherwise. The splits may be called ``training``, ``validation``, ``valid``, ``dev``, ``testing``, too."""
    pattern: str | None = None
    """Where a file below ``path`` has its class, and more: ``{class}_{speaker}_{n}.wav``, ``{class}/{speaker}_*``."""
    group: str | None = None
    """Field of the pattern whose samples stay together when a split is drawn: with ``speaker``, no voice that is
    trained with is in the validation split."""
    val: Globs | None = None
    """Files of the validation split, as patterns of their path below ``path``, where ``*`` crosses slashes."""
    test: Globs | None = None
    """Files of the test split, likewise: ``*_[0-4].wav``."""
    val_fraction: float = Field(default=0.15, gt=0, lt=0.5)
    """Share of the training samples that is held out for the search, where no ``val`` split is given."""
    test_fraction: float = Field(default=0.2, gt=0, lt=0.5)
    """Share of all samples that is held out for the report, where no ``test`` split is given."""
    samples: int | None = Field(default=None, ge=2)
    """Most samples of a class to train with and validate by, for quick trials on a part of the data; default: all. The
    test split stays whole, and fewer samples are a part of more."""
    draw: int = Field(default=0, ge=0)
    """Which of a class's samples these are: another number takes others."""
    max_resolution: int | None = Field(default=None, ge=8, le=512)
    """Largest input side that a network may take. Images: in pixels; default: the images' own, 224 at the most;
    those below 32 pixels may be enlarged to that, up to fourfold. Audio: frames and mel bands of the spectrogram;
    default: 48."""
    subject: Literal["photos", "drawings"] | None = None
    """Images: what training varies: of ``photos`` place, size, light and colour, of ``drawings`` (digits, signs, icons)
    place, size and slant. Default: as the training images look."""
    mirror: bool | None = None
    """Images: whether training may swap left and right. Default: in photos, unless mirrored ones are recognised worse
    by what was learned from the others, as signs and arrows are."""
    sample_rate: Hertz | None = Field(default=None, ge=1000, le=192_000)
    """Audio: rate that all recordings are brought to; default: their median, at most 16 kHz."""
    duration: Seconds | None = Field(default=None, gt=0, le=60)
    """Audio: length of the network's input. Shorter recordings are padded with silence on both sides, of longer ones
    the middle is taken. Default: 95 % of the training recordings are not longer."""
    window: Seconds | None = Field(default=None, gt=0, le=1)
    """Audio: length of the piece that a frame is computed from; default: 30 ms, or as much more as frames would leave
    gaps. The distance of the frames follows from the duration."""
    features: Literal["log_mel", "mfcc"] = "log_mel"
    """Audio: the picture that a network sees: energies in mel bands, or their cosine transform."""

    @property
    def task(self) -> str:
        """The task that the data set is for."""
        return "audio_classification" if self.kind == "audio_folder" else "image_classification"

    @field_validator("pattern")
    @classmethod
    def _has_fields(cls, value: str | None) -> str | None:
        if value is not None:
            compile_pattern(value)
        return value

    @model_validator(mode="after")
    def _keys_belong_to_the_kind(self) -> "DatasetSettings":
        if self.kind in FOLDERS and self.path is None:
            raise ValueError(f'found no path; kind "{self.kind}" needs the folder with the files: path = "../files"')
        for key, kinds in _KINDS.items():
            value = getattr(self, key)
            if self.kind not in kinds and value != type(self).model_fields[key].default:
                shown = json.dumps(value) if isinstance(value, str | bool) else value
                listed = " or ".join(f'"{kind}"' for kind in kinds)
                raise ValueError(
                    f'found {key} = {shown} with kind "{self.kind}"; remove it, or set the kind to {listed}'
                )
        return self

    @model_validator(mode="after")
    def _draws_from_more(self) -> "DatasetSettings":
        if self.draw and self.samples is None:
            raise ValueError(f"found draw = {self.draw} without samples, which it draws: add samples = 100")
        return self

    @model_validator(mode="after")
    def _group_is_a_field(self) -> "DatasetSettings":
        fields = [] if self.pattern is None else list(compile_pattern(self.pattern).groupindex)
        if self.group is not None and self.group not in fields:
            raise ValueError(
                f"found group = {self.group!r}, which is no field of the pattern; "
                + (f"allowed here: {', '.join(fields)}" if fields else 'add one: pattern = "{class}_{speaker}_{n}.wav"')
            )
        return self
