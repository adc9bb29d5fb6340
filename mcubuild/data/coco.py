"""COCO's annotations: which objects are in its images, and how large (https://cocodataset.org/#format-data)."""

import difflib
from collections.abc import Sequence
from typing import Literal

import msgspec

from mcubuild.data.files import DAMAGES, File
from mcubuild.errors import BuildError, shown


class _Image(msgspec.Struct):
    id: int
    file_name: str
    width: int
    height: int


class _Category(msgspec.Struct):
    id: int
    name: str


class _Annotation(msgspec.Struct):
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    """Left, top, width and height, in pixels."""
    area: float | None = None
    """Of the outline, in pixels; many tools leave it out."""
    iscrowd: int = 0
    """1 for a box around many that are not told apart."""


class Instances(msgspec.Struct):
    """A file ``instances_*.json``, as far as it matters here; outlines and licences are skipped unread."""

    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


def read_instances(file: File) -> Instances:
    """The annotations in ``file``.

    Raises:
        BuildError: it is damaged, something else, or contradicts itself.
    """
    try:
        with file.open() as content:
            found = msgspec.json.decode(content.read(), type=Instances)
    except (*DAMAGES, msgspec.DecodeError) as error:
        raise BuildError(f"{file}: cannot be read as COCO's instances ({error}); get it again.") from None
    if not found.images:
        raise BuildError(f"{file}: lists no images; get it again.")
    known = {image.id for image in found.images}
    odd = next((image for image in found.images if image.width < 1 or image.height < 1), None)
    if odd is not None:
        raise BuildError(f"{file}: {shown(odd.file_name)} has {odd.width}x{odd.height} pixels; get the file again.")
    if len(known) < len(found.images) or len({image.file_name for image in found.images}) < len(found.images):
        raise BuildError(f"{file}: two of its images have the same id or name; get the file again.")
    strange = next((one.image_id for one in found.annotations if one.image_id not in known), None)
    if strange is not None:
        raise BuildError(f"{file}: has an annotation of an image {strange}, which it does not list; get it again.")
    categories = {category.id for category in found.categories}
    unknown = next((one.category_id for one in found.annotations if one.category_id not in categories), None)
    if unknown is not None:
        raise BuildError(f"{file}: has an annotation of a category {unknown}, which it does not list; get it again.")
    return found


def images_with(
    instances: Instances, classes: Sequence[str], rule: Literal["area", "box"], threshold: float, file: File
) -> set[int]:
    """The ids of the images with an object of one of the ``classes`` that is larger than a share of the image.

    Args:
        instances: all images and objects.
        classes: names of categories.
        rule: whether the area of an object's outline or that of its box counts.
        threshold: share of the image that it must exceed.
        file: where ``instances`` come from, for messages.

    Raises:
        BuildError: there is no such category, or an area is missing.
    """
    ids = {category.name: category.id for category in instances.categories}
    for name in classes:
        if name not in ids:
            close = difflib.get_close_matches(name, ids, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(sorted(ids))}."
            raise BuildError(f"dataset.classes: found {name!r}, which is no class in {file}; {hint}")
    wanted = {ids[name] for name in classes}
    pixels = {image.id: image.width * image.height for image in instances.images}
    found = set[int]()
    for one in instances.annotations:
        if one.category_id in wanted:
            area = one.area if rule == "area" else one.bbox[2] * one.bbox[3]
            if area is None:
                raise BuildError(f'{file}: an annotation of image {one.image_id} has no area; write rule = "box".')
            if area / pixels[one.image_id] > threshold:
                found.add(one.image_id)
    return found
