"""ImageNet: photos of a thousand things, or of some of them."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from mcubuild.spec.datasets.base import HoldoutSettings, ImageSettings
from mcubuild.spec.outline import MAX_RESOLUTION, Outline

CLASSES = 1000


class ImagenetSettings(HoldoutSettings, ImageSettings):
    """The 1,281,167 photos of ILSVRC2012 to train with; the official validation images are the test split.

    Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, IJCV 2015.
    """

    usual_holdout: ClassVar[int] = 10_000

    kind: Literal["imagenet"]
    """``path`` has the official archives ``ILSVRC2012_img_train.tar``, ``ILSVRC2012_img_val.tar`` and
    ``ILSVRC2012_devkit_t12.tar.gz``, which stay packed, or what is in them: a folder, or a tar, a class in ``train``,
    and ``val`` likewise, or as one folder with the devkit; or the folders that Kaggle has, with
    ``LOC_val_solution.csv``."""
    classes: Annotated[int, Field(ge=2, le=CLASSES)] | str = CLASSES
    """How many classes, drawn by ``class_draw``: 100 is an ImageNet-100. Or a file, relative to the spec, with a class
    a line: ``n01440764``."""
    class_draw: int = Field(default=0, ge=0)
    """Which classes these are: another number draws others."""

    def outline(self) -> Outline | None:
        """Colour images of so many classes; a file of classes must be read first."""
        if isinstance(self.classes, str):
            return None
        return Outline(self.tasks[0], self.classes, 3, self.max_resolution or MAX_RESOLUTION)

    @model_validator(mode="after")
    def _draws_classes(self) -> "ImagenetSettings":
        if self.class_draw and (isinstance(self.classes, str) or self.classes == CLASSES):
            raise ValueError(
                f"found class_draw = {self.class_draw} without a number of classes to draw: add classes = 100"
            )
        return self


SETTINGS = ImagenetSettings
