"""A folder of the user's pictures with Pascal VOC's XML files."""

from pathlib import Path
from typing import TYPE_CHECKING

from mcubuild.data.kinds.base import Found, Kind
from mcubuild.data.sources import folder_of

if TYPE_CHECKING:
    from mcubuild.spec.datasets.voc_folder import VocFolderSettings

_LISTS = "ImageSets/Main"


def _listed(folder: Path) -> dict[str, str] | None:
    """The split of each picture, by the lists, which have its name, or its path, without a suffix; None without lists.

    Raises:
        BuildError: a picture is in two lists, or a list cannot be read.
    """
    from mcubuild.data.annotated import key
    from mcubuild.data.kinds.image_folder import CONTENT
    from mcubuild.errors import BuildError, reading

    found = dict[str, str]()
    for split in ("train", "val", "test"):
        path = folder / _LISTS / f"{split}.txt"
        if path.is_file():
            with reading(path, "a list of pictures"):
                lines = path.read_text(encoding="utf-8-sig").splitlines()
            for name in filter(None, map(str.strip, lines)):
                stem = key(name) if name.lower().endswith(CONTENT.suffixes) else name
                if found.setdefault(stem, split) != split:
                    raise BuildError(
                        f"{path}: {name} is in the list of the split {found[stem]!r}, too; remove it from one."
                    )
    return found or None


def _find(settings: "VocFolderSettings", root: Path) -> Found:
    from functools import partial

    from mcubuild.data.annotated import Pictures, by_key, key, labels_below, pictures_below, split_of
    from mcubuild.data.voc import read_voc

    folder = root / settings.path
    images = pictures_below(folder)
    labels = by_key(labels_below(folder, ".xml"))
    by_key(images)
    lists = _listed(folder)
    pictures = Pictures()
    pairs = []
    for name, file in images.items():
        split = split_of(name)
        if lists is not None:
            split = lists.get(key(name), lists.get(Path(name).stem))
            if split is None:
                pictures.findings.add(f"Pictures that no list in {_LISTS} has were left out", name)
                continue
        pairs.append((file, labels.get(key(name)), split))
    used = {key(name) for name in images}
    for one, label in labels.items():
        if one not in used:
            pictures.findings.add("Label files without a picture were left alone", label.name)
    pictures.read(pairs, partial(read_voc, first=0))
    return pictures.found(settings, str(folder), {"val": settings.val_fraction, "test": settings.test_fraction})


KIND = Kind("images", folder_of, _find)
