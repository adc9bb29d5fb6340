"""A folder of the user's images."""

from pathlib import Path
from typing import TYPE_CHECKING

from mcubuild.data.kinds.base import Found, Kind
from mcubuild.data.sources import Content, find_in_folder, folder_of

if TYPE_CHECKING:
    from mcubuild.spec.datasets.image_folder import ImageFolderSettings

CONTENT = Content(
    "images",
    (".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"),
    "magick photo.heic photo.jpg",
)


def _find(settings: "ImageFolderSettings", root: Path) -> Found:
    from mcubuild.data.samples import Images

    return find_in_folder(settings, root, CONTENT, lambda files: Images(files, settings))


KIND = Kind("images", folder_of, _find)
