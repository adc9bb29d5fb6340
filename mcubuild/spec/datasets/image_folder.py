"""Images of the user."""

from typing import Literal

from mcubuild.spec.datasets.base import FolderSettings, ImageSettings


class ImageFolderSettings(FolderSettings, ImageSettings):
    """A folder of your images."""

    kind: Literal["image_folder"]
    """A folder a class, or names with the class in them."""


SETTINGS = ImageFolderSettings
