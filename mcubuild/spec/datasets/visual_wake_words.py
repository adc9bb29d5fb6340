"""Visual Wake Words: whether a person is in the picture."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from mcubuild.spec.datasets.base import HoldoutSettings, ImageSettings
from mcubuild.spec.outline import MAX_RESOLUTION, Outline


class VisualWakeWordsSettings(HoldoutSettings, ImageSettings):
    """COCO's images with two labels: whether something of a class is to be seen at more than a least size.

    Chowdhery et al., Visual Wake Words Dataset, arXiv 1906.05721.
    """

    usual_holdout: ClassVar[int] = 5000

    kind: Literal["visual_wake_words"]
    """``path`` has COCO's archives, or what is in them: ``train2017.zip`` or the folder ``train2017``, likewise
    ``val2017``, and ``annotations_trainval2017.zip`` or ``annotations/instances_{train,val}2017.json``."""
    year: Literal[2014, 2017] = 2017
    """Of COCO: 2017 has 118,287 images to train with and 5000 to test, 2014 has 82,783 and 40,504 of the same."""
    classes: tuple[str, ...] = Field(default=("person",), min_length=1)
    """COCO's classes of which one must be there for the label 1: ``["car", "dog"]``."""
    rule: Literal["area", "box"] = "area"
    """What counts as an object's size: its outline's ``area``, as in the published data set, or that of its box."""
    threshold: float = Field(default=0.005, ge=0, lt=1)
    """Share of the picture that an object must exceed."""
    minival: str | None = None
    """File with the ids of the test images, a number a line, relative to the spec: the published split of 2014, where
    all other images, of val2014, too, are there to train with. Default: COCO's own, with val to test."""

    def outline(self) -> Outline:
        """Two classes of colour images."""
        return Outline(self.tasks[0], 2, 3, self.max_resolution or MAX_RESOLUTION)

    @model_validator(mode="after")
    def _minival_is_of_2014(self) -> "VisualWakeWordsSettings":
        if self.minival is not None and self.year != 2014:
            raise ValueError("found minival with year = 2017, whose val has 5000 images already: add year = 2014")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"found classes = {list(self.classes)}, of which one is there twice; remove that")
        return self


SETTINGS = VisualWakeWordsSettings
