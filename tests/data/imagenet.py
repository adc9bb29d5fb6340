"""A data set in the layouts of ILSVRC2012, small enough to be made anywhere."""

import io
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

NAMES = ("n01440764", "n01443537", "n01484850", "n02110185", "n03792782")
NUMBERS = (449, 442, 432, 3, 60)
"""Of the classes, in no order of their names, as in the devkit."""
DEVKIT = "ILSVRC2012_devkit_t12"
TRUTH = "ILSVRC2012_validation_ground_truth.txt"
Images = Mapping[str, Mapping[str, bytes]]
"""Content of the images by class and name."""


def photo(number: int, mode: str = "RGB") -> bytes:
    """A JPEG that no other number gives."""
    small = np.random.default_rng(number).integers(0, 256, (6, 7, 3), np.uint8)
    content = io.BytesIO()
    Image.fromarray(small).resize((48, 40), Image.Resampling.BICUBIC).convert(mode).save(content, "JPEG")
    return content.getvalue()


def invented(train: int = 8, val: int = 3, names: Iterable[str] = NAMES) -> tuple[Images, Images]:
    """So many training and validation images a class."""
    names = list(names)
    learned = {
        name: {f"{name}_{number}.JPEG": photo(1000 * place + number) for number in range(train)}
        for place, name in enumerate(names)
    }
    tested: dict[str, dict[str, bytes]] = {name: {} for name in names}
    for number in range(val * len(names)):
        of = names[number * 7 % len(names)]
        tested[of][f"ILSVRC2012_val_{number + 1:08}.JPEG"] = photo(100_000 + number)
    return learned, tested


def tar(files: Mapping[str, bytes]) -> bytes:
    """An archive of these files."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return content.getvalue()


def devkit(tested: Images, numbers: Mapping[str, int]) -> dict[str, bytes]:
    """The two files of the devkit that matter."""
    of = {image: name for name, images in tested.items() for image in images}
    fields = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("num_children", "O")]
    rows = [(number, name, f"thing, {name}", 0) for name, number in numbers.items()]
    rows.append((max(numbers.values()) + 1, "n00001740", "entity", len(rows)))
    content = io.BytesIO()
    savemat(content, {"synsets": np.array(rows, fields).reshape(-1, 1)})
    truth = "".join(f"{numbers[of[image]]}\n" for image in sorted(of))
    return {TRUTH: truth.encode(), "meta.mat": content.getvalue()}


def write_archives(folder: Path, learned: Images, tested: Images, numbers: Mapping[str, int] | None = None) -> Path:
    """The three official archives in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    outer = tar({f"{name}.tar": tar(images) for name, images in learned.items()})
    (folder / "ILSVRC2012_img_train.tar").write_bytes(outer)
    flat = {image: data for images in tested.values() for image, data in images.items()}
    (folder / "ILSVRC2012_img_val.tar").write_bytes(tar(dict(sorted(flat.items()))))
    with tarfile.open(folder / f"{DEVKIT}.tar.gz", "w:gz") as archive:
        for name, data in devkit(tested, numbers or dict(zip(NAMES, NUMBERS, strict=True))).items():
            entry = tarfile.TarInfo(f"{DEVKIT}/data/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return folder


def write_folders(folder: Path, images: Images) -> Path:
    """A folder a class."""
    for name, files in images.items():
        (folder / name).mkdir(parents=True)
        for image, data in files.items():
            (folder / name / image).write_bytes(data)
    return folder
