"""Keys that kinds of data sets have in common."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from mcubuild.errors import BuildError
from mcubuild.quantities import Hertz, Seconds
from mcubuild.settings import Settings
from mcubuild.spec.outline import Outline
from mcubuild.spec.pattern import compile_pattern


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Globs = Annotated[
    tuple[str, ...],
    BeforeValidator(_listed, json_schema_input_type=str | list[str]),
    Field(min_length=1),
]
"""Patterns of the shell (``*``, ``?``, ``[0-4]``), of which one must fit; one may stand without a list."""


Task = Literal[
    "image_classification", "object_detection", "audio_classification", "sensor_classification", "anomaly_detection"
]
"""What a network does. Sensors' samples are windows of values, one or more at a time: an accelerometer's, say."""


class DatasetSettings(Settings):
    """Keys of every kind."""

    tasks: ClassVar[tuple[Task, ...]] = ("image_classification",)
    """What the data set is for; where that is more than one thing, the samples tell."""

    kind: str
    """Each kind says what it is."""
    val_fraction: float = Field(default=0.15, gt=0, lt=0.5)
    """Share of the training samples that is held out for the search, where no ``val`` split is given."""
    samples: int | None = Field(default=None, ge=2)
    """Most samples of a class to train with and validate by, for quick trials on a part of the data; default: all. The
    test split stays whole, and fewer samples are a part of more."""
    draw: int = Field(default=0, ge=0)
    """Which of a class's samples these are: another number takes others."""
    max_resolution: int | None = Field(default=None, ge=8, le=512)
    """Largest input side that a network may take. Images: in pixels; default: the images' own, 224 at the most;
    those below 32 pixels may be enlarged to that, up to fourfold. Audio: frames and mel bands of the spectrogram;
    default: 48. Sensors: values of a window in time; default: all."""

    def outline(self) -> Outline | None:
        """What networks for the data set depend on, where these keys alone say it."""
        return None

    @model_validator(mode="after")
    def _draws_from_more(self) -> "DatasetSettings":
        if self.draw and self.samples is None:
            raise ValueError(f"found draw = {self.draw} without samples, which it draws: add samples = 100")
        return self


class UndividedSettings(DatasetSettings):
    """Keys of kinds that come without a test split, or may."""

    test_fraction: float = Field(default=0.2, gt=0, lt=0.5)
    """Share of all samples that is held out for the report, where no ``test`` split is given."""


class FolderSettings(UndividedSettings):
    """Keys of kinds that are folders of the user's files."""

    path: str
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

    @model_validator(mode="before")
    @classmethod
    def _has_a_path(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("path") is None:
            raise ValueError(
                f'found no path; kind "{values.get("kind")}" needs the folder with the files: path = "../files"'
            )
        return values

    @field_validator("pattern")
    @classmethod
    def _has_fields(cls, value: str | None) -> str | None:
        if value is not None:
            compile_pattern(value)
        return value

    @model_validator(mode="after")
    def _group_is_a_field(self) -> "FolderSettings":
        fields = [] if self.pattern is None else list(compile_pattern(self.pattern).groupindex)
        if self.group is not None and self.group not in fields:
            raise ValueError(
                f"found group = {self.group!r}, which is no field of the pattern; "
                + (f"allowed here: {', '.join(fields)}" if fields else 'add one: pattern = "{class}_{speaker}_{n}.wav"')
            )
        return self


class PublicSettings(DatasetSettings):
    """Keys of kinds that everybody can get, with a test split of their own."""

    path: str | None = None
    """Folder with the archives, or with what is in them, relative to the spec; default: a folder of this kind's name in
    ``$MCUBUILD_DATA``, or in ``mcubuild/data`` of the user's cache."""


class HoldoutSettings(PublicSettings):
    """Keys of those that have no validation split."""

    usual_holdout: ClassVar[int]
    """What ``holdout`` is where there are samples enough."""

    holdout: int | None = Field(default=None, ge=2)
    """Training samples that are held out for the search, of each class in proportion. Default: as many as the papers
    hold out, but at most ``val_fraction`` of them."""

    def held_out(self, count: int) -> int:
        """How many of ``count`` training samples are held out.

        Raises:
            BuildError: ``holdout`` leaves less than half of them.
        """
        if self.holdout is None:
            return max(1, min(self.usual_holdout, round(self.val_fraction * count)))
        if 2 * self.holdout > count:
            raise BuildError(
                f"dataset.holdout: found {self.holdout} of {count} training samples; at most half can be held out."
            )
        return self.holdout


class VariedSettings(DatasetSettings):
    """Keys of kinds whose samples are pictures that training may vary in more than one way."""

    subject: Literal["photos", "drawings"] | None = None
    """Images: what training varies: of ``photos`` place, size, light and colour, of ``drawings`` (digits, signs, icons)
    place, size and slant. Default: as the training images look."""
    mirror: bool | None = None
    """Images: whether training may swap left and right. Default: in photos, unless mirrored ones are recognised worse
    by what was learned from the others, as signs and arrows are."""


class FilesSettings(DatasetSettings):
    """Keys of kinds whose samples may be damaged, one by one."""

    corrupt: float = Field(default=0.01, ge=0, le=0.5)
    """Share of the images or recordings that may be damaged, and of the windows that lack values: so many are left out,
    and told. Where more are, nothing is built."""


class ImageSettings(FilesSettings, VariedSettings):
    """Keys of kinds whose samples are image files."""


class BoxSettings(ImageSettings):
    """Keys of kinds whose samples are image files with boxes around what is in them."""

    tasks: ClassVar[tuple[Task, ...]] = ("object_detection",)

    classes: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Classes to be found; boxes of others are left out, and told. Default: all that there are."""

    @field_validator("classes")
    @classmethod
    def _classes_differ(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is not None and len(set(value)) < len(value):
            raise ValueError(f"found classes = {list(value)}, of which one is there twice; remove that")
        return value


class BoxFolderSettings(UndividedSettings, BoxSettings):
    """Keys of kinds that are folders of the user's pictures and label files."""

    path: str
    """Folder with pictures and labels, relative to the spec."""
    pattern: str | None = None
    """What the path of a picture below ``path`` tells: ``{slide}_*.jpg``, ``images/{camera}/*``."""
    group: str | None = None
    """Field of the pattern whose pictures stay together when a split is drawn: with ``camera``, no background that is
    trained with is in the validation split."""
    val: Globs | None = None
    """Pictures of the validation split, as patterns of their path below ``path``, where ``*`` crosses slashes."""
    test: Globs | None = None
    """Pictures of the test split, likewise: ``*_[0-4].jpg``."""

    @model_validator(mode="after")
    def _group_is_a_field(self) -> "BoxFolderSettings":
        fields = [] if self.pattern is None else list(compile_pattern(self.pattern, classes=False).groupindex)
        if self.group is not None and self.group not in fields:
            raise ValueError(
                f"found group = {self.group!r}, which is no field of the pattern; "
                + (f"allowed here: {', '.join(fields)}" if fields else 'add one: pattern = "{slide}_*.jpg"')
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _has_a_path(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("path") is None:
            raise ValueError(
                f'found no path; kind "{values.get("kind")}" needs the folder with the files: path = "../files"'
            )
        return values


class AudioSettings(FilesSettings):
    """Keys of kinds whose samples are recordings."""

    tasks: ClassVar[tuple[Task, ...]] = ("audio_classification",)

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
