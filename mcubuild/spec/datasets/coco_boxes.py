"""Pictures with boxes in a JSON file, as COCO has them."""

from typing import Literal

from mcubuild.spec.datasets.base import BoxFolderSettings


class CocoBoxesSettings(BoxFolderSettings):
    """Pictures with COCO's ``instances``: your own, as Roboflow and CVAT write them, or COCO itself."""

    kind: Literal["coco_boxes"]
    """A JSON file a split, with the split's name in its own or in its folder's, or one for all; pictures lie anywhere
    below ``path``. Both may be in zip archives there. Without ``test``, COCO's own ``val2017`` is the test split."""


SETTINGS = CocoBoxesSettings
