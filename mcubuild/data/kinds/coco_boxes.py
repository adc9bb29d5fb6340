"""Pictures with COCO's annotations in JSON files."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from mcubuild.data.kinds.base import Found, Kind
from mcubuild.data.sources import SPLITS, folder_of

if TYPE_CHECKING:
    from mcubuild.data.files import File
    from mcubuild.spec.datasets.coco_boxes import CocoBoxesSettings


def _listings(folder: Path) -> dict[str, "File"]:
    """The JSON files with boxes: COCO has others beside them, of outlines, captions and key points.

    Raises:
        BuildError: there are none.
    """
    from mcubuild.data.annotated import labels_below
    from mcubuild.errors import BuildError

    found = labels_below(folder, ".json", zips=True)
    for wanted in ("instances_", "_annotations.coco"):
        chosen = {name: file for name, file in found.items() if PurePosixPath(name).name.startswith(wanted)}
        if chosen:
            return chosen
    if not found:
        raise BuildError(
            f"{folder}: found no JSON file; COCO's annotations are called instances_train.json, for example."
        )
    return found


def _split_of(name: str) -> str | None:
    """By a listing's name, or by a folder's: ``instances_val.json``, ``valid/_annotations.coco.json``."""
    path = PurePosixPath(name)
    words = [path.stem.rpartition("_")[2].rstrip("0123456789"), *(part.lower() for part in path.parent.parts)]
    return next((split for word in words for split, aliases in SPLITS.items() if word.lower() in aliases), None)


def _places(listing: str, wanted: list[str], images: Mapping[str, "File"]) -> dict[str, "File"]:
    """The file of each name of an image in a listing: of several, the one that shares most of its folders with it, or
    lies in a folder that the listing is named after.
    """
    by_name: dict[str, list[str]] = {}
    for name in images:
        by_name.setdefault(PurePosixPath(name).name, []).append(name)
    path = PurePosixPath(listing)
    near = {*path.parent.parts, path.stem.rpartition("_")[2]}
    found = {}
    for name in wanted:
        asked = PurePosixPath(name.replace("\\", "/"))
        there = by_name.get(asked.name, [])
        if there:
            best = max(
                there,
                key=lambda one: (
                    f"/{one}".endswith(f"/{asked}"),
                    len(near & set(PurePosixPath(one).parent.parts)),
                    -len(one),
                ),
            )
            found[name] = images[best]
    return found


def _find(settings: "CocoBoxesSettings", root: Path) -> Found:
    import numpy as np

    from mcubuild.data.annotated import Pictures, pictures_below
    from mcubuild.data.annotations import Annotation
    from mcubuild.data.coco import read_instances
    from mcubuild.data.labelled import files_of
    from mcubuild.progress import bar

    folder = root / settings.path
    images = pictures_below(folder, zips=True)
    listings = _listings(folder)
    splits = {name: _split_of(name) for name in listings}
    if "test" not in splits.values():  # COCO's own test pictures have no labels that anybody may see
        official = [name for name in listings if PurePosixPath(name).stem in ("instances_val2014", "instances_val2017")]
        splits |= dict.fromkeys(official, "test")
    pictures = Pictures()
    ids: dict[str, int] = {}
    with bar("read annotations", len(listings)) as progress:
        for listing, file in listings.items():
            instances = read_instances(file)
            names = {category.id: category.name for category in instances.categories}
            own: dict[int, list[int]] = {image.id: [] for image in instances.images}
            for number, one in enumerate(instances.annotations):
                own[one.image_id].append(number)
                if (name := names.get(one.category_id)) is not None:
                    ids.setdefault(name, one.category_id)
            wanted = [image.file_name for image in instances.images]
            there = files_of(wanted, _places(listing, wanted, images), str(file), str(folder))
            for image, picture in zip(instances.images, there, strict=True):
                boxes = [instances.annotations[number] for number in own[image.id]]
                left, top, width, height = np.array([one.bbox for one in boxes], np.float64).reshape(-1, 4).T
                annotation = Annotation(
                    np.stack([top, left, top + height, left + width], axis=1),
                    tuple(names.get(one.category_id, f"number {one.category_id}") for one in boxes),
                    np.array([one.iscrowd == 1 for one in boxes], np.bool_),
                    (image.width, image.height),
                )
                pictures.add(picture, annotation, splits[listing])
            progress.advance()
    used = {str(file) for file in pictures.files}
    if unlisted := [name for name, file in images.items() if str(file) not in used]:
        pictures.findings.add_many("Pictures that no JSON file lists were left out", unlisted)
    listed = sorted(ids, key=lambda name: (ids[name], name))
    held_out = {"val": settings.val_fraction, "test": settings.test_fraction}
    return pictures.found(settings, str(folder), held_out, listed)


KIND = Kind("images", folder_of, _find)
