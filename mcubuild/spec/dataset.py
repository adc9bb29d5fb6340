"""[dataset]: where the samples come from and how they are split."""

from typing import Literal

from pydantic import Field, model_validator

from mcubuild.settings import Settings


class DatasetSettings(Settings):
    """A data set. ``dataset = "digits"`` is short for a table with that ``kind`` alone."""

    kind: Literal["digits", "image_folder"]
    """``digits``: the 8x8 digits that scikit-learn ships. ``image_folder``: one folder of images a class."""
    path: str | None = None
    """Folder of an ``image_folder``, relative to the spec; either ``<class>/*`` or ``{train,val,test}/<class>/*``."""
    val_fraction: float = Field(default=0.15, gt=0, lt=0.5)
    """Share of the training samples that is held out for the search, where no ``val`` split is given."""
    test_fraction: float = Field(default=0.2, gt=0, lt=0.5)
    """Share of all samples that is held out for the report, where no ``test`` split is given."""
    max_resolution: int | None = Field(default=None, ge=8, le=512)
    """Largest input side in pixels that a network may take; default: 224, or four times the images' side if smaller."""

    @model_validator(mode="after")
    def _path_belongs_to_folders(self) -> "DatasetSettings":
        if self.kind == "image_folder" and self.path is None:
            raise ValueError('found no path; kind "image_folder" needs the folder with the images: path = "../photos"')
        if self.kind == "digits" and self.path is not None:
            raise ValueError(f'found path = "{self.path}"; "digits" comes with mcubuild: remove it, or set the kind')
        return self
