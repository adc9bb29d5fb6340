"""Data sets with boxes, in the layouts in which tools write them."""

import json
import shutil
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from mcubuild.data.annotations import Annotation, Reader
from mcubuild.data.dataset import prepare
from mcubuild.data.inventory import read_inventory
from mcubuild.data.kinds import kind
from mcubuild.data.overview import read_overview
from mcubuild.data.splits import Split, read_index, read_split
from mcubuild.errors import BuildError
from mcubuild.report.data import lines, render
from mcubuild.spec.datasets import KINDS

WIDTH, HEIGHT = 60, 40
SPLITS = ("train", "val", "test")
Pixels = tuple[int, int, int, int]
"""Left, top, right, bottom."""


def boxes_of(number: int) -> list[tuple[str, Pixels]]:
    """A dark one, a bright one, or none, in picture ``number``: 30 of 4 in turn."""
    left, top = 5 + number % 7, 3 + number % 5
    dark, bright = ("dark", (left, top, left + 12, top + 10)), ("bright", (left + 20, top + 15, left + 40, top + 27))
    return [[dark], [bright], [dark, bright], []][number % 4]


def picture(path: Path, number: int, **saved: Any) -> Path:
    """The pixels that ``boxes_of`` tells of, on noise."""
    pixels = np.random.default_rng(number).integers(100, 156, (HEIGHT, WIDTH, 3), np.uint8)
    for name, (left, top, right, bottom) in boxes_of(number):
        pixels[top:bottom, left:right] = 0 if name == "dark" else 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **saved)
    return path


def xml(boxes: Sequence[tuple[str, Pixels]], first: int = 0, extra: str = "") -> str:
    objects = "".join(
        f"<object><name>{name}</name><difficult>0</difficult><bndbox><xmin>{left + first}</xmin>"
        f"<ymin>{top + first}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
        for name, (left, top, right, bottom) in boxes
    )
    size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"
    return f"<annotation>{size}{objects}{extra}</annotation>"


def yolo(boxes: Sequence[tuple[str, Pixels]]) -> str:
    return "".join(
        f"{['bright', 'dark'].index(name)} {(left + right) / 2 / WIDTH:.6f} {(top + bottom) / 2 / HEIGHT:.6f} "
        f"{(right - left) / WIDTH:.6f} {(bottom - top) / HEIGHT:.6f}\n"
        for name, (left, top, right, bottom) in boxes
    )


def coco(numbers: Sequence[int], folder: str = "") -> dict[str, Any]:
    annotations = [
        {"image_id": n, "category_id": 1 + (name == "dark"), "bbox": [le, to, ri - le, bo - to], "area": 1.0}
        for n in numbers
        for name, (le, to, ri, bo) in boxes_of(n)
    ]
    return {
        "images": [{"id": n, "file_name": f"{folder}{n:03}.png", "width": WIDTH, "height": HEIGHT} for n in numbers],
        "annotations": [{"id": at, "iscrowd": 0, **one} for at, one in enumerate(annotations)],
        "categories": [{"id": at, "name": name} for at, name in enumerate(["cells", "bright", "dark"])],
    }


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def thirds(count: int = 30) -> Mapping[str, list[int]]:
    return {"train": [*range(count - 10)], "val": [*range(count - 10, count - 5)], "test": [*range(count - 5, count)]}


def voc_beside(root: Path) -> None:
    for n in range(30):
        picture(root / f"{n:03}.png", n)
        if boxes_of(n):
            write(root / f"{n:03}.xml", xml(boxes_of(n)))


def voc_lists(root: Path) -> None:
    for split, numbers in thirds().items():
        for n in numbers:
            picture(root / "JPEGImages" / f"{n:03}.png", n)
            write(root / "Annotations" / f"{n:03}.xml", xml(boxes_of(n)))
        write(root / "ImageSets/Main" / f"{split}.txt", "".join(f"{n:03}\n" for n in numbers))


def yolo_labelimg(root: Path) -> None:
    for n in range(30):
        picture(root / f"{n:03}.png", n)
        if boxes_of(n):
            write(root / f"{n:03}.txt", yolo(boxes_of(n)))
    write(root / "classes.txt", "bright\ndark\n")


def yolo_roboflow(root: Path) -> None:
    for split, numbers in thirds().items():
        folder = "valid" if split == "val" else split
        for n in numbers:
            picture(root / folder / "images" / f"{n:03}.png", n)
            write(root / folder / "labels" / f"{n:03}.txt", yolo(boxes_of(n)))
    paths = "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n"
    write(root / "data.yaml", f"{paths}nc: 2\nnames: ['bright', 'dark']\n")


def yolo_ultralytics(root: Path) -> None:
    for split, numbers in thirds().items():
        for n in numbers:
            picture(root / "images" / split / f"{n:03}.png", n)
            write(root / "labels" / split / f"{n:03}.txt", yolo(boxes_of(n)))
    paths = "path: /somewhere/else\ntrain: images/train\nval: images/val\ntest: images/test\n"
    write(root / "own.yaml", f"{paths}names:\n  0: bright\n  1: dark\n")


def coco_roboflow(root: Path) -> None:
    for split, numbers in thirds().items():
        folder = "valid" if split == "val" else split
        for n in numbers:
            picture(root / folder / f"{n:03}.png", n)
        write(root / folder / "_annotations.coco.json", json.dumps(coco(numbers)))


def coco_cvat(root: Path) -> None:
    for n in range(30):
        picture(root / "images/default" / f"{n:03}.png", n)
    write(root / "annotations/instances_default.json", json.dumps(coco(range(30))))
    write(root / "annotations/person_keypoints_default.json", "{}")


def voc_cvat(root: Path) -> None:
    """Names with spaces and dots, in folders."""
    for split, numbers in thirds().items():
        names = {n: f"my camera/frame {n:03} v1.{n}" for n in numbers}
        for n, name in names.items():
            picture(root / "JPEGImages" / f"{name}.png", n)
            write(root / "Annotations" / f"{name}.xml", xml(boxes_of(n)))
        write(root / "ImageSets/Main" / f"{split}.txt", "".join(f"{name}\n" for name in names.values()))


def yolo_cvat(root: Path) -> None:
    write(root / "obj.names", "bright\ndark\n")
    for split, numbers in thirds().items():
        folder = f"obj_{'valid' if split == 'val' else split}_data"
        for n in numbers:
            picture(root / folder / f"a frame {n:03}.png", n)
            write(root / folder / f"a frame {n:03}.txt", yolo(boxes_of(n)))
        write(root / f"{split}.txt", "".join(f"data/{folder}/a frame {n:03}.png\n" for n in numbers))


def yolo_pose(root: Path) -> None:
    """Two key points of two numbers behind each box, which are no outline."""
    yolo_ultralytics(root)
    for path in (root / "labels").rglob("*.txt"):
        path.write_text(path.read_text().replace("\n", " 0.1 0.1 0.9 0.9\n"))
    with (root / "own.yaml").open("a") as file:
        file.write("kpt_shape: [2, 2]\n")


def zipped(path: Path, folder: Path) -> None:
    """``folder`` as an archive."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, f"{folder.name}/{file.relative_to(folder)}")
    shutil.rmtree(folder)


def coco_zips(root: Path) -> None:
    """As COCO comes: an archive a split, and one with all its annotations."""
    for part, numbers in (("train2017", [*range(25)]), ("val2017", [*range(25, 30)])):
        for n in numbers:
            picture(root / part / f"{n:03}.png", n)
        write(root / "annotations" / f"instances_{part}.json", json.dumps(coco(numbers)))
        write(root / "annotations" / f"captions_{part}.json", "{}")
        zipped(root / f"{part}.zip", root / part)
    zipped(root / "annotations_trainval2017.zip", root / "annotations")


LAYOUTS = {
    "voc_folder": (voc_beside, voc_lists, voc_cvat),
    "yolo_folder": (yolo_labelimg, yolo_roboflow, yolo_ultralytics, yolo_cvat, yolo_pose),
    "coco_boxes": (coco_roboflow, coco_cvat, coco_zips),
}


def prepared(name: str, root: Path, out: Path, **keys: Any) -> dict[str, Split]:
    settings = KINDS[name].model_validate({"kind": name, "path": "data", **keys})
    prepare(settings, root, 0, out, "object_detection")
    return {split: read_split(out / f"{split}.npz") for split in SPLITS}


@pytest.mark.parametrize(("name", "layout"), [(name, one) for name, all_of in LAYOUTS.items() for one in all_of])
def test_boxes_are_where_the_pixels_are(name: str, layout: Any, tmp_path: Path) -> None:
    layout(tmp_path / "data")
    splits = prepared(name, tmp_path, tmp_path / "out")
    index = read_index(tmp_path / "out/index.json")
    assert index.classes == ("bright", "dark")
    assert index.task == "object_detection"
    assert index.pictures is not None and index.pictures.whole
    assert sum(map(len, splits.values())) == 30
    if layout is coco_zips:
        assert len(splits["test"]) == 5
    elif layout not in (voc_beside, yolo_labelimg, coco_cvat):
        assert [len(splits[split]) for split in SPLITS] == [20, 5, 5]
    seen = 0
    for split in splits.values():
        assert split.x.shape[1:] == (WIDTH, WIDTH, 3)  # stretched
        assert split.boxes is not None and len(split.boxes) == len(split)
        for x, boxes in zip(split.x, split.boxes, strict=True):
            for label, corners in zip(boxes.classes, boxes.corners * WIDTH, strict=True):
                (top, left), (bottom, right) = np.ceil(corners[:2]).astype(int), np.floor(corners[2:]).astype(int)
                inside = x[top + 1 : bottom - 1, left + 1 : right - 1].mean()
                assert inside > 250 if index.classes[label] == "bright" else inside < 5
                seen += 1
    assert seen == sum(len(boxes_of(n)) for n in range(30))


def test_the_page_shows_boxes_and_counts(tmp_path: Path) -> None:
    yolo_roboflow(tmp_path / "data")
    prepared("yolo_folder", tmp_path, tmp_path / "out")
    out = tmp_path / "out"
    shown = read_overview(out / "overview.json", out / "overview.npz")
    assert shown.empty == {"train": 5, "val": 1, "test": 1}
    assert shown.counts["train"] == (10, 10)
    assert sum(shown.sizes) == 20
    assert {one.label for one in shown.examples} == {0, 1} and all(one.boxes for one in shown.examples)
    index, inventory = read_index(out / "index.json"), read_inventory(out / "inventory.json")
    page = render("own", index, inventory, shown)
    assert "How large are the boxes?" in page and "pictures without a box" in page
    assert any(line.split() == ["all", "boxes", "20", "5", "5"] for line in lines(index, inventory, shown))


def test_a_part_of_a_split_keeps_its_boxes(tmp_path: Path) -> None:
    yolo_roboflow(tmp_path / "data")
    train = prepared("yolo_folder", tmp_path, tmp_path / "out")["train"]
    part = train.part(np.array([3, 1]))
    assert train.boxes is not None and part.boxes is not None
    np.testing.assert_array_equal(part.boxes[1].corners, train.boxes[1].corners)


@pytest.mark.parametrize("packed", [True, False], ids=["archives", "folders"])
def test_pascal_voc(packed: bool, tmp_path: Path) -> None:
    """A miniature of both years: official test split, pixels counted from 1."""
    names = {"dark": "cat", "bright": "dog"}
    root = tmp_path / "data"
    for n in range(40):
        year = 2007 if n < 25 else 2012
        home = root / f"VOCdevkit/VOC{year}"
        picture(home / f"JPEGImages/{n:06}.jpg", n, quality=95)
        boxes = [(names[name], corners) for name, corners in boxes_of(n)]
        write(home / f"Annotations/{n:06}.xml", xml(boxes, first=1))
    parts = {(2007, "train"): range(10), (2007, "val"): range(10, 20), (2007, "trainval"): range(20)}
    parts |= {(2007, "test"): range(20, 25), (2012, "train"): range(25, 35), (2012, "val"): range(35, 40)}
    parts |= {(2012, "trainval"): range(25, 40)}
    for (year, part), numbers in parts.items():
        write(root / f"VOCdevkit/VOC{year}/ImageSets/Main/{part}.txt", "".join(f"{n:06}\n" for n in numbers))
    if packed:
        for archive, (year, numbers, lists) in {
            "VOCtrainval_06-Nov-2007.tar": (2007, range(20), ("train", "val", "trainval")),
            "VOCtest_06-Nov-2007.tar": (2007, range(20, 25), ("test",)),
            "VOCtrainval_11-May-2012.tar": (2012, range(25, 40), ("train", "val", "trainval")),
        }.items():
            with tarfile.open(root / archive, "w") as tar:
                members = [f"JPEGImages/{n:06}.jpg" for n in numbers] + [f"Annotations/{n:06}.xml" for n in numbers]
                for member in (*members, *(f"ImageSets/Main/{part}.txt" for part in lists)):
                    name = f"VOCdevkit/VOC{year}/{member}"
                    tar.add(root / name, name)
        (root / "VOCdevkit").rename(tmp_path / "elsewhere")
    splits = prepared("pascal_voc", tmp_path, tmp_path / "out")
    assert len(splits["test"]) == 5 and len(splits["train"]) + len(splits["val"]) == 35
    official = prepared("pascal_voc", tmp_path, tmp_path / "official", years=[2007], official_val=True)
    assert [len(official[split]) for split in SPLITS] == [10, 10, 5]
    assert official["test"].boxes is not None
    expected = [corners for n in range(20, 25) for _, corners in boxes_of(n)]
    got = official["test"].boxes.all.corners * np.array([HEIGHT, WIDTH] * 2)
    np.testing.assert_allclose(np.sort(got[:, [1, 0, 3, 2]], axis=0), np.sort(np.array(expected), axis=0), atol=1e-3)
    later = prepared("pascal_voc", tmp_path, tmp_path / "later", years=[2012])
    assert len(later["test"]) == 5
    (root / "VOCtest_06-Nov-2007.tar" if packed else root / "VOCdevkit/VOC2007/ImageSets/Main/test.txt").unlink()
    values = KINDS["pascal_voc"].model_validate({"kind": "pascal_voc", "path": "data"}).model_dump(mode="json")
    assert kind("pascal_voc").lacking(values, tmp_path) == ["VOCtest_06-Nov-2007.tar"]


def test_what_is_odd_is_told(tmp_path: Path) -> None:
    root = tmp_path / "data"
    voc_beside(root)
    odd = [
        ("dark", (50, 30, 80, 36)),
        ("bright", (10, 10, 10, 20)),
        ("strange", (1, 1, 9, 9)),
        ("dark", (70, 1, 80, 9)),
    ]
    write(root / "000.xml", xml(odd))
    write(root / "lonely.xml", xml([]))
    splits = prepared("voc_folder", tmp_path, tmp_path / "out", classes=["dark", "bright"])
    told = "\n".join(read_inventory(tmp_path / "out/inventory.json").cautions)
    assert "Boxes that reach beyond their picture were cut: 1 of" in told
    assert "Boxes without an area in their picture were left out: 2 of" in told
    assert "Boxes of classes that dataset.classes or the list of classes does not have were left out: 1 of" in told
    assert "Label files without a picture were left alone: 1 of" in told
    assert "Pictures without a box, taken as ones with nothing in them: 7 of 30" in told
    assert max(float(s.boxes.all.corners.max()) for s in splits.values() if s.boxes is not None) == 1


@pytest.mark.parametrize(
    "text, reason",
    [
        ("<annotation><object>", "cannot be read as XML"),
        ("<html/>", "is no annotation of Pascal VOC"),
        (xml([]).replace("</annotation>", "<object><name>dark</name></object></annotation>"), "has no bndbox/ymin"),
        (xml([("dark", (1, 1, 9, 9))]).replace("<xmin>1<", "<xmin>nan<"), "for bndbox/xmin; it must be a number"),
        (xml([("", (1, 1, 9, 9))]), "an object without a name"),
    ],
)
def test_damaged_xml(text: str, reason: str, tmp_path: Path) -> None:
    voc_beside(tmp_path / "data")
    write(tmp_path / "data/000.xml", text)
    with pytest.raises(BuildError, match=reason):
        prepared("voc_folder", tmp_path, tmp_path / "out")
    prepared("voc_folder", tmp_path, tmp_path / "out", corrupt=0.05)
    assert sum(read_inventory(tmp_path / "out/inventory.json").splits.values()) == 29
    assert "Label files that cannot be read were left out" in "".join(
        read_inventory(tmp_path / "out/inventory.json").cautions
    )


@pytest.mark.parametrize(
    "line, reason",
    [
        ("0 0.5 0.5 0.1", "line 1: found 4 numbers"),
        ("0 0.5 0.5 0.1 0.1 0.9", "line 1: found 6 numbers"),
        ("dark 0.5 0.5 0.1 0.1", "it must have numbers alone"),
        ("-1 0.5 0.5 0.1 0.1", "as the number of a class"),
        ("0 0.5 nan 0.1 0.1", "it must have numbers alone"),
        ("0 320 240 16 16", "line 1: found 320, which is no share of the picture"),
        ("0 0.5 0.5 0.1 0.1 0.9 0.3 0.2", "line 1: found 8 numbers"),
    ],
)
def test_damaged_lines(line: str, reason: str, tmp_path: Path) -> None:
    yolo_labelimg(tmp_path / "data")
    write(tmp_path / "data/000.txt", line)
    with pytest.raises(BuildError, match=reason):
        prepared("yolo_folder", tmp_path, tmp_path / "out")


def test_outlines_become_boxes(tmp_path: Path) -> None:
    yolo_labelimg(tmp_path / "data")
    write(tmp_path / "data/003.txt", "1 0.2 0.3 0.4 0.3 0.3 0.7\n")
    splits = prepared("yolo_folder", tmp_path, tmp_path / "out")
    corners = np.concatenate([s.boxes.all.corners for s in splits.values() if s.boxes is not None])
    assert (np.abs(corners - np.array([0.3, 0.2, 0.7, 0.4])).max(axis=1) < 1e-6).sum() == 1


def test_turned_boxes_become_upright_ones(tmp_path: Path) -> None:
    yolo_labelimg(tmp_path / "data")
    write(tmp_path / "data/003.txt", "1 0.2 0.4 0.4 0.2 0.6 0.4 0.4 0.6\n")
    splits = prepared("yolo_folder", tmp_path, tmp_path / "out")
    corners = np.concatenate([s.boxes.all.corners for s in splits.values() if s.boxes is not None])
    assert (np.abs(corners - np.array([0.2, 0.2, 0.6, 0.6])).max(axis=1) < 1e-6).sum() == 1


def test_what_was_unpacked_beside_its_archive_counts_once(tmp_path: Path) -> None:
    coco_zips(tmp_path / "data")
    whole = prepared("coco_boxes", tmp_path, tmp_path / "out")
    for path in (tmp_path / "data").glob("*.zip"):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(tmp_path / "data")
    picture(tmp_path / "data/train2017/more.png", 40)
    again = prepared("coco_boxes", tmp_path, tmp_path / "again")
    for split in SPLITS:
        np.testing.assert_array_equal(whole[split].x, again[split].x)
    told = "\n".join(read_inventory(tmp_path / "again/inventory.json").cautions)
    assert "Pictures that no JSON file lists were left out: 1 of" in told


def test_archives_with_the_same_names_in_them(tmp_path: Path) -> None:
    """Two exports of one tool, each with its own train/001.png."""
    for export in ("one", "two"):
        root = tmp_path / "data" / export
        for n in range(15) if export == "one" else range(15, 30):
            picture(root / "train" / f"{n % 15:03}.png", n)
        numbers = [*range(15)]
        content = coco(numbers)
        content["annotations"] = [
            one | {"image_id": one["image_id"] % 15}
            for one in coco(range(15 if export == "two" else 0, 30 if export == "two" else 15))["annotations"]
        ]
        write(root / "train/_annotations.coco.json", json.dumps(content))
        with zipfile.ZipFile(tmp_path / "data" / f"{export}.zip", "w") as archive:
            for file in sorted(root.rglob("*.*")):
                archive.write(file, f"{file.relative_to(root)}")
        shutil.rmtree(root)
    splits = prepared("coco_boxes", tmp_path, tmp_path / "out")
    assert sum(map(len, splits.values())) == 30


def test_no_boxes_at_all(tmp_path: Path) -> None:
    picture(tmp_path / "data/000.png", 0)
    with pytest.raises(BuildError, match="found 1 pictures and no box"):
        prepared("voc_folder", tmp_path, tmp_path / "out")
    with pytest.raises(BuildError, match=r"dataset.classes: found 'cat', of which there is no box"):
        prepared("voc_folder", tmp_path, tmp_path / "out", classes=["cat"])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("stored", [True, False], ids=["labels of the stored picture", "labels of the upright one"])
def test_pictures_that_lie(orientation: int, stored: bool, tmp_path: Path) -> None:
    """A size that fits but the stored rows and columns says that boxes are theirs; else they are the upright one's."""
    root = tmp_path / "data"
    voc_beside(root)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    lying = orientation >= 5
    if stored and not lying:
        pytest.skip("cannot be told from upright ones")
    if stored:
        picture(root / "000.png", 0, exif=exif)
    else:
        back = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}.get(orientation)
        from mcubuild.data.images import TURNS

        image = Image.open(picture(root / "000.png", 0))
        (image if back is None else image.transpose(TURNS[back])).save(root / "000.png", exif=exif)
    splits = prepared("voc_folder", tmp_path, tmp_path / "out")
    darkest = []
    for split in splits.values():
        assert split.boxes is not None
        for x, boxes in zip(split.x, split.boxes, strict=True):
            for label, corners in zip(boxes.classes, boxes.corners * WIDTH, strict=True):
                top, left, bottom, right = np.round(corners).astype(int)
                if label == 1:
                    darkest.append(x[top + 2 : bottom - 2, left + 2 : right - 2].mean())
    assert max(darkest) < 5


def test_a_size_of_neither() -> None:
    reader = Reader(["dark"])
    annotation = Annotation(np.array([[10.0, 20, 30, 40]]), ("dark",), np.zeros(1, np.bool_), (100, 50))
    boxes = reader.boxes(annotation, "a.png", (60, 40, 1))
    np.testing.assert_allclose(boxes.corners, [[0.2, 0.2, 0.6, 0.4]])
    assert "another size than their picture has" in reader.cautions()[0]


BCCD = Path(__file__).parents[3] / "shared/data/bccd.tar.gz"
COCO = BCCD.with_name("coco_mini.tar.gz")


@pytest.mark.parametrize(
    ("archive", "name", "sizes", "boxes"),
    [(BCCD, "voc_folder", [205, 87, 72], 4886), (COCO, "coco_boxes", [43, 7, 50], 852)],
)
def test_real_pictures(archive: Path, name: str, sizes: list[int], boxes: int, tmp_path: Path) -> None:
    if not archive.is_file():
        pytest.skip(f"{archive} is not there")
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "data", filter="data")
    splits = prepared(name, tmp_path, tmp_path / "out", max_resolution=64)
    assert [len(splits[split]) for split in SPLITS] == sizes
    assert sum(len(split.boxes.all) for split in splits.values() if split.boxes is not None) == boxes


def test_groups_and_splits_by_name(tmp_path: Path) -> None:
    """Pictures of a camera stay together; those of another one are the test split."""
    for number in range(30):
        name = f"{'abcde'[number % 5]}_{number}"
        picture(tmp_path / "data" / f"{name}.png", number)
        write(tmp_path / "data" / f"{name}.xml", xml(boxes_of(number)))
    keys = {"pattern": "{camera}_{n}.png", "group": "camera", "test": "e_*", "val_fraction": 0.4}
    settings = KINDS["voc_folder"].model_validate({"kind": "voc_folder", "path": str(tmp_path / "data"), **keys})
    found = kind("voc_folder").find(settings, tmp_path)
    assert found.groups == [name[0] for name in found.samples.names]
    assert [split == "test" for split in found.splits] == [name[0] == "e" for name in found.samples.names]
    prepare(settings, tmp_path, 0, tmp_path / "out")
    assert not read_index(tmp_path / "out" / "index.json").one_draw
    sizes = {name: len(read_split(tmp_path / "out" / f"{name}.npz")) for name in SPLITS}
    assert sizes["test"] == 6 and sizes["val"] % 6 == 0 < sizes["val"] and sum(sizes.values()) == 30


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"test": "f_*"}, "no file fits dataset.test = 'f_\\*'"),
        ({"test": "*_1*", "val": "a_*"}, "belongs to the split 'val' already, and dataset.test fits it too"),
        ({"pattern": "{camera}-{n}.png", "group": "camera"}, "does not match dataset.pattern"),
    ],
)
def test_names_that_do_not_fit(keys: dict[str, Any], message: str, tmp_path: Path) -> None:
    for number in range(12):
        picture(tmp_path / "data" / f"{'ab'[number % 2]}_{number}.png", number)
        write(tmp_path / "data" / f"{'ab'[number % 2]}_{number}.xml", xml(boxes_of(number)))
    settings = KINDS["voc_folder"].model_validate({"kind": "voc_folder", "path": str(tmp_path / "data"), **keys})
    with pytest.raises(BuildError, match=message) as error:
        kind("voc_folder").find(settings, tmp_path)
    assert len(str(error.value)) < 500


def test_a_group_is_a_field() -> None:
    with pytest.raises(ValueError, match="found group = 'slide', which is no field of the pattern; add one"):
        KINDS["yolo_folder"].model_validate({"kind": "yolo_folder", "path": "x", "group": "slide"})
