"""Pascal VOC: 20 kinds of things in photographs."""

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from mcubuild.spec.datasets.base import BoxSettings, HoldoutSettings
from mcubuild.spec.outline import MAX_RESOLUTION, Outline

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)


class PascalVocSettings(HoldoutSettings, BoxSettings):
    """Pascal VOC's photographs with boxes around objects of 20 classes.

    Everingham et al., The Pascal Visual Object Classes (VOC) Challenge, IJCV 2010.
    """

    usual_holdout: ClassVar[int] = 1000

    kind: Literal["pascal_voc"]
    """``path`` has ``VOC{trainval,test}_06-Nov-2007.tar`` and ``VOCtrainval_11-May-2012.tar``, or what is in these
    archives: the folder ``VOCdevkit``, or ``VOC2007`` and ``VOC2012``."""
    years: tuple[Literal[2007, 2012], ...] = Field(default=(2007, 2012), min_length=1)
    """Networks learn from ``trainval`` of these, and are tested by ``test`` of 2007; with 2012 alone, they learn from
    ``train``, and are tested by ``val``."""
    official_val: bool = False
    """Whether validation is by ``val`` of 2007, so that training has less than half of its pictures. Default: by
    ``holdout`` pictures drawn from those to train with."""

    def outline(self) -> Outline:
        """Colour images of as many classes as are to be found."""
        count = len(self.classes or CLASSES)
        return Outline(self.tasks[0], count, 3, self.max_resolution or MAX_RESOLUTION)

    @field_validator("classes")
    @classmethod
    def _of_the_twenty(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for name in value or ():
            if name not in CLASSES:
                raise ValueError(f"found {name!r} among classes; allowed: {', '.join(CLASSES)}")
        return value


SETTINGS = PascalVocSettings
