"""Pictures of the user with boxes as labelImg and CVAT write them for Pascal VOC."""

from typing import Literal

from mcubuild.spec.datasets.base import BoxFolderSettings


class VocFolderSettings(BoxFolderSettings):
    """Your pictures, with an XML file for each that has boxes."""

    kind: Literal["voc_folder"]
    """XML files lie beside the pictures, or in a folder ``Annotations`` where they lie in ``JPEGImages`` or ``images``.
    Splits are folders (``train``, ``val``, ``test``) or lists (``ImageSets/Main/{train,val,test}.txt``), or drawn."""


SETTINGS = VocFolderSettings
