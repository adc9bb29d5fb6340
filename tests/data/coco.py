"""A data set in COCO's layout, small enough to be made anywhere."""

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIZE = (64, 48)
"""Width and height of most images."""
PIXELS = SIZE[0] * SIZE[1]
CATEGORIES = {1: "person", 3: "car", 18: "dog"}
TRAIN, VAL = 40, 20
Objects = list[tuple[int, float, float]]
"""Category, area of the outline and of the box, as shares of the image."""


def objects_of(number: int) -> Objects:
    """Of every four images, one has a person of either size, one a tiny person, one a person with a large box alone."""
    return [
        [(1, 0.2, 0.3), (3, 0.1, 0.1)],
        [(1, 0.004, 0.0045), (18, 0.05, 0.1)],
        [(1, 0.004, 0.006)],
        [],
    ][number % 4]


def image(number: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(number).integers(0, 256, (*SIZE[::-1], 3), np.uint8))


def write_coco(
    folder: Path,
    year: int = 2017,
    *,
    zipped: bool = False,
    objects: Callable[[int], Objects] = objects_of,
    images: Mapping[int, Image.Image] | None = None,
) -> Path:
    """Write images and annotations to ``folder``, those of some numbers as given in ``images``."""
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    for part, first, count in (("train", 0, TRAIN), ("val", 1000, VAL)):
        name, entries, annotations = f"{part}{year}", list[dict[str, Any]](), list[dict[str, Any]]()
        (folder / name).mkdir(exist_ok=True)
        for number in range(first, first + count):
            own = (images or {}).get(number, image(number))
            file = f"{number:012}.jpg"
            own.save(folder / name / file, "PNG" if own.mode in ("RGBA", "P", "I;16") else "JPEG")
            entries.append({"id": number, "file_name": file, "width": own.width, "height": own.height, "license": 3})
            for category, area, box in objects(number):
                pixels = own.width * own.height
                annotations.append(
                    {
                        "id": len(annotations),
                        "image_id": number,
                        "category_id": category,
                        "area": area * pixels,
                        "bbox": [1.5, 2.5, box * pixels / 10, 10.0],
                        "segmentation": [[1.0, 2.0, 3.0, 4.0]],
                        "iscrowd": 0,
                    }
                )
        categories = [{"supercategory": "any", "id": id, "name": name} for id, name in CATEGORIES.items()]
        content = {"info": {"year": 2014}, "images": entries, "annotations": annotations, "categories": categories}
        (folder / "annotations" / f"instances_{name}.json").write_text(json.dumps(content))
    if zipped:
        for name in (f"train{year}", f"val{year}", "annotations"):
            archive = f"annotations_trainval{year}" if name == "annotations" else name
            with zipfile.ZipFile(folder / f"{archive}.zip", "w") as target:
                for path in sorted((folder / name).iterdir()):
                    target.write(path, f"{name}/{path.name}")
                    path.unlink()
            (folder / name).rmdir()
    return folder
