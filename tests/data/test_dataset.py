"""prepare(): what is written, that it is deterministic, and what users are told when something is wrong."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from mcubuild.data.dataset import prepare
from mcubuild.data.inventory import read_inventory
from mcubuild.data.kinds import kind, names
from mcubuild.data.kinds.base import never
from mcubuild.data.splits import Split, read_index, read_split
from mcubuild.errors import BuildError
from mcubuild.spec.datasets import KINDS
from mcubuild.spec.datasets.base import DatasetSettings
from mcubuild.spec.datasets.digits import DigitsSettings
from mcubuild.spec.datasets.image_folder import ImageFolderSettings

FILES = ("index.json", "inventory.json", "train.npz", "val.npz", "test.npz")
COLOURS = {"cat": (200, 30, 60), "dog": (10, 120, 250), "emu": (90, 90, 20)}


def save(image: Image.Image, path: Path, **options: Any) -> None:
    """Write a file that no other is identical to, by bytes behind the image, which readers skip."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    with path.open("ab") as file:
        file.write(f"{path.parent.name}/{path.name}".encode())


def picture(path: Path, colour: tuple[int, ...] | int, size: tuple[int, int] = (12, 10), mode: str = "RGB") -> None:
    save(Image.new(mode, size, colour), path)


def folder_of(root: Path, count: int = 10, names: tuple[str, ...] = tuple(COLOURS), suffix: str = ".png") -> Path:
    """One folder a class; the red channel tells the class and the pictures differ a little."""
    for name in names:
        red, green, blue = COLOURS[name]
        for number in range(count):
            picture(root / name / f"{number:03}{suffix}", (red, green, blue - number))
    return root


def settings(path: Path, **options: object) -> ImageFolderSettings:
    return ImageFolderSettings.model_validate({"kind": "image_folder", "path": str(path), **options})


def splits(out: Path) -> dict[str, Split]:
    return {name: read_split(out / f"{name}.npz") for name in ("train", "val", "test")}


def test_digits(tmp_path: Path) -> None:
    prepare(DigitsSettings(kind="digits"), tmp_path, 0, tmp_path / "out")
    index = read_index(tmp_path / "out" / "index.json")
    assert (index.native_resolution, index.max_resolution, index.channels) == (8, 32, 1)
    assert index.classes == tuple("0123456789")
    parts = splits(tmp_path / "out")
    assert {name: len(part) for name, part in parts.items()} == read_inventory(
        tmp_path / "out" / "inventory.json"
    ).splits
    assert sum(len(part) for part in parts.values()) == 1797
    assert len(parts["test"]) == pytest.approx(0.2 * 1797, abs=4 * np.sqrt(0.2 * 0.8 * 1797))
    assert len(parts["val"]) == pytest.approx(0.15 * 0.8 * 1797, abs=4 * np.sqrt(0.12 * 0.88 * 1797))
    for part in parts.values():
        shares = np.bincount(part.y, minlength=10) / len(part)
        assert np.allclose(shares, 0.1, atol=4 * np.sqrt(0.1 * 0.9 / len(part)))
        assert part.x.shape[1:] == (8, 8, 1)
    assert parts["train"].x.max() == 255
    assert set(np.unique(parts["train"].x)) <= {round(level * 255 / 16) for level in range(17)} | {128}


def test_few_digits_of_a_class_and_the_whole_test_split(tmp_path: Path) -> None:
    for name, fields in {"all": {}, "few": {"samples": 20}, "others": {"samples": 20, "draw": 1}}.items():
        prepare(DigitsSettings.model_validate({"kind": "digits", **fields}), tmp_path, 0, tmp_path / name)
    whole, few, others = (splits(tmp_path / name) for name in ("all", "few", "others"))
    for part in (few, others):
        assert np.array_equal(part["test"].x, whole["test"].x) and np.array_equal(part["test"].y, whole["test"].y)
        learned = np.bincount(np.concatenate([part["train"].y, part["val"].y]), minlength=10)
        assert learned.tolist() == [20] * 10 and np.unique(part["val"].y).tolist() == list(range(10))
    assert not np.array_equal(few["train"].x, others["train"].x)


def test_every_digit_is_in_exactly_one_split(tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    prepare(DigitsSettings(kind="digits"), tmp_path, 5, tmp_path)
    written = np.concatenate([part.x.reshape(len(part), -1) for part in splits(tmp_path).values()])
    expected = np.round(load_digits().images * 255 / 16).astype(np.uint8).reshape(1797, -1)
    assert sorted(map(bytes, written)) == sorted(map(bytes, expected))


def test_equal_seeds_give_equal_bytes_and_others_do_not(tmp_path: Path) -> None:
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        prepare(DigitsSettings(kind="digits"), tmp_path, seed, tmp_path / out)
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert (tmp_path / "a" / "test.npz").read_bytes() != (tmp_path / "c" / "test.npz").read_bytes()


def test_image_folder(tmp_path: Path) -> None:
    folder_of(tmp_path / "pets")
    prepare(settings(Path("pets")), tmp_path, 0, tmp_path / "out")
    index = read_index(tmp_path / "out" / "index.json")
    assert index.classes == ("cat", "dog", "emu")
    assert (index.native_resolution, index.max_resolution, index.channels) == (10, 32, 3)
    for part in splits(tmp_path / "out").values():
        for x, y in zip(part.x, part.y, strict=True):
            red, green, blue = COLOURS[index.classes[y]]
            assert (x[..., 0] == red).all()
            assert (x[..., 1] == green).all()
            assert (blue - 10 < x[..., 2]).all()
        assert set(part.y) == {0, 1, 2}, "every class is in every split, however few samples there are"
    counts = read_inventory(tmp_path / "out" / "inventory.json").splits
    assert sum(counts.values()) == 30
    assert counts == {name: len(part) for name, part in splits(tmp_path / "out").items()}


def test_given_splits_are_kept(tmp_path: Path) -> None:
    folder_of(tmp_path / "pets" / "train", 8)
    folder_of(tmp_path / "pets" / "test", 3, suffix=".bmp")
    prepare(settings(Path("pets"), val_fraction=0.25), tmp_path, 0, tmp_path / "out")
    counts = {name: len(part) for name, part in splits(tmp_path / "out").items()}
    assert counts["test"] == 9 and counts["train"] + counts["val"] == 24 and counts["val"] >= 3
    folder_of(tmp_path / "pets" / "val", 2, suffix=".jpg")
    prepare(settings(Path("pets")), tmp_path, 0, tmp_path / "out")
    assert {name: len(part) for name, part in splits(tmp_path / "out").items()} == {"train": 24, "val": 6, "test": 9}


def test_no_absolute_path_in_the_output(tmp_path: Path) -> None:
    for place in ("here", "there"):
        folder_of(tmp_path / place / "pets", 4)
        prepare(settings(Path("pets")), tmp_path / place, 0, tmp_path / place / "out")
    for name in FILES:
        assert (tmp_path / "here" / "out" / name).read_bytes() == (tmp_path / "there" / "out" / name).read_bytes()


def test_images_of_every_kind(tmp_path: Path) -> None:
    """Grey, alpha and 16-bit files: RGB as soon as one to train with has colour; 16 bits are scaled, not clipped."""
    pets = tmp_path / "pets"
    for name in ("cat", "dog"):
        for number in range(3):
            picture(tmp_path / "pets" / name / f"{number}.png", 77, mode="L")
    save(Image.fromarray(np.full((10, 10), 77 * 256 + 9, np.uint16)), pets / "cat" / "deep.png")
    prepare(settings(pets), tmp_path, 0, tmp_path / "out")
    parts = splits(tmp_path / "out")
    assert all((part.x == 77).all() and part.x.shape[3] == 1 for part in parts.values())
    for number in range(3):
        picture(pets / "dog" / f"{number}.png", (77, 77, 77, 128), mode="RGBA")
    prepare(settings(tmp_path / "pets"), tmp_path, 0, tmp_path / "out2")
    assert all((part.x == 77).all() and part.x.shape[3] == 3 for part in splits(tmp_path / "out2").values())


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_photos_are_turned_as_the_camera_was(tmp_path: Path, suffix: str) -> None:
    """Orientation 6: what is stored as the left side is the top."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    pixels = np.zeros((16, 16), np.uint8)
    pixels[:, :8] = 255
    for name in ("cat", "dog"):
        for number in range(3):
            save(Image.fromarray(pixels), tmp_path / "pets" / name / f"{number}{suffix}", exif=exif)
    prepare(settings(tmp_path / "pets"), tmp_path, 0, tmp_path / "out")
    for part in splits(tmp_path / "out").values():
        assert (part.x[:, :7] > 240).all() and (part.x[:, 9:] < 15).all()


def test_the_central_square_is_kept(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        for number in range(3):
            pixels = np.zeros((8, 16), np.uint8)
            pixels[:, 4:12] = 50 + number
            save(Image.fromarray(pixels), tmp_path / "pets" / name / f"{number}.png")
    prepare(settings(tmp_path / "pets"), tmp_path, 0, tmp_path / "out")
    assert all((part.x >= 50).all() and part.x.shape[1:] == (8, 8, 1) for part in splits(tmp_path / "out").values())


def test_max_resolution_limits_the_stored_images(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        for number in range(3):
            picture(tmp_path / "pets" / name / f"{number}.png", (1, 2, 3), size=(40, 50))
    prepare(settings(tmp_path / "pets", max_resolution=16), tmp_path, 0, tmp_path / "out")
    index = read_index(tmp_path / "out" / "index.json")
    assert (index.native_resolution, index.max_resolution) == (16, 16)


@pytest.mark.parametrize(
    ("breakage", "message"),
    [
        ("missing", "no such folder"),
        ("one class", r"found 1 folders \(cat\)"),
        ("no class", "found 0 folders"),
        ("empty class", r"emu.*found no images"),
        ("text", r"notes\.txt.*\.png"),
        ("damaged", r"000\.png: cannot be read as an image"),
        ("truncated", r"001\.jpg: cannot be read as an image"),
        ("few", "class 'cat' has 2 samples.* at least 3"),
        ("splits", r"class 'emu' is in one of train, test"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, breakage: str, message: str) -> None:
    root = tmp_path / "pets"
    if breakage == "one class":
        folder_of(root, names=("cat",))
    elif breakage == "no class":
        root.mkdir()
    elif breakage == "few":
        folder_of(root, 2)
    elif breakage == "splits":
        folder_of(root / "train")
        folder_of(root / "test", names=("cat", "dog"))
    elif breakage != "missing":
        folder_of(root, names=("cat", "dog"))
    if breakage == "empty class":
        (root / "emu").mkdir()
    if breakage == "text":
        (root / "cat" / "notes.txt").write_text("not a cat")
    if breakage == "damaged":
        (root / "cat" / "000.png").write_bytes(b"not a png")
    if breakage == "truncated":
        path = root / "cat" / "001.jpg"
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(path)
        path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(BuildError, match=message):
        prepare(settings(root), tmp_path, 0, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_few_damaged_images_are_left_out_and_told(tmp_path: Path) -> None:
    pets = folder_of(tmp_path / "pets", 40)
    for name in ("cat/000.png", "dog/007.png"):
        (pets / name).write_bytes(f"no {name}".encode())
    prepare(settings(pets, corrupt=0.02), tmp_path, 0, tmp_path / "out")
    inventory = read_inventory(tmp_path / "out" / "inventory.json")
    [told] = [line for line in inventory.cautions if "left out" in line]
    assert told.startswith("Images that cannot be read were left out: 2 of 120 (")
    assert "cat/000.png" in told and "dog/007.png" in told
    assert sum(inventory.splits.values()) == 118
    parts = splits(tmp_path / "out")
    assert inventory.splits == {name: len(part) for name, part in parts.items()}
    assert np.bincount(np.concatenate([part.y for part in parts.values()])).tolist() == [39, 39, 40]
    for part in parts.values():
        assert all((x[..., 0] == [*COLOURS.values()][y][0]).all() for x, y in zip(part.x, part.y, strict=True))
    with pytest.raises(
        BuildError, match=r"000\.png: .* damaged images: 2 of 120 .*, more than dataset\.corrupt = 0\.01"
    ):
        prepare(settings(pets), tmp_path, 0, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_class_whose_only_training_image_is_damaged_is_told(tmp_path: Path) -> None:
    pets = folder_of(tmp_path / "pets" / "train", 40, ("cat", "dog")).parent
    folder_of(pets / "test", 3, suffix=".bmp")
    folder_of(pets / "val", 3, suffix=".gif")
    (pets / "train" / "emu").mkdir()
    (pets / "train" / "emu" / "0.png").write_bytes(b"\x89PNG")
    with pytest.raises(BuildError, match="class 'emu' has 0 samples to train from"):
        prepare(settings(pets, corrupt=0.02), tmp_path, 0, tmp_path / "none")


def test_hidden_files_are_no_images(tmp_path: Path) -> None:
    pets = folder_of(tmp_path / "pets", 3)
    (pets / "cat" / ".DS_Store").write_text("")
    (pets / "cat" / "Thumbs.db").write_text("")
    (pets / ".cache").mkdir()
    prepare(settings(pets), tmp_path, 0, tmp_path / "out")
    assert len(splits(tmp_path / "out")["test"]) == 3


def test_test_images_have_no_influence_on_the_others(tmp_path: Path) -> None:
    """Neither on their size nor on their colours."""
    rng = np.random.default_rng(0)
    for split in ("train", "val", "test"):
        for name in ("cat", "dog"):
            (tmp_path / "pets" / split / name).mkdir(parents=True)
            for number in range(6):
                pixels = Image.fromarray(rng.integers(0, 256, (16, 16), np.uint8))
                pixels.save(tmp_path / "pets" / split / name / f"{number}.png")
    prepare(settings(tmp_path / "pets"), tmp_path, 0, tmp_path / "before")
    for path in (tmp_path / "pets" / "test").rglob("*.png"):
        Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(path)
    prepare(settings(tmp_path / "pets"), tmp_path, 0, tmp_path / "after")
    for name in ("index.json", "train.npz", "val.npz"):
        assert (tmp_path / "before" / name).read_bytes() == (tmp_path / "after" / name).read_bytes()
    assert (tmp_path / "before" / "test.npz").read_bytes() != (tmp_path / "after" / "test.npz").read_bytes()


@pytest.mark.parametrize("name", names())
def test_a_kind_tells_its_files_without_importing_anything_heavy(name: str) -> None:
    heavy = ("numpy", "PIL", "torch", "sklearn", "pydantic", "scipy")
    code = (
        f"import sys; from mcubuild.data.kinds import kind; kind({name!r}); "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_every_kind_has_keys_and_a_reader() -> None:
    assert names() == list(KINDS)
    for name, settings in KINDS.items():
        assert (kind(name).foretold is not never) == (settings.outline is not DatasetSettings.outline)


def test_damaged_files_are_told(tmp_path: Path) -> None:
    prepare(DigitsSettings(kind="digits"), tmp_path, 0, tmp_path)
    data = (tmp_path / "val.npz").read_bytes()
    for broken in (b"", data[: len(data) // 2], data[:1000] + b"\x55" + data[1001:]):
        (tmp_path / "val.npz").write_bytes(broken)
        with pytest.raises(BuildError, match=r"val\.npz"):
            read_split(tmp_path / "val.npz")
    with pytest.raises(BuildError, match=r"none\.npz"):
        read_split(tmp_path / "none.npz")
    content = json.loads((tmp_path / "index.json").read_text())
    del content["classes"]
    (tmp_path / "index.json").write_text(json.dumps(content))
    with pytest.raises(BuildError, match=r"index\.json"):
        read_index(tmp_path / "index.json")


def test_what_pictures_are_varied_like_is_seen_unless_the_spec_says_it(tmp_path: Path) -> None:
    """Grey slopes of light, rising to the right in one class and to the left in the other."""
    rng = np.random.default_rng(0)
    for name, slope in (("east", 1), ("west", -1)):
        for number in range(60):
            ramp = np.linspace(40, 140, 16)[::slope] + 4 * rng.standard_normal((16, 16)) + number
            save(Image.fromarray(ramp.astype(np.uint8)), tmp_path / "slopes" / name / f"{number}.png")
    for options, expected in (
        ({}, ("photos", False)),
        ({"mirror": True}, ("photos", True)),
        ({"subject": "drawings"}, ("drawings", False)),
        ({"subject": "drawings", "mirror": True}, ("drawings", True)),
    ):
        prepare(settings(Path("slopes"), **options), tmp_path, 0, tmp_path / "out")
        index = read_index(tmp_path / "out" / "index.json")
        assert (index.subject, index.mirror) == expected
    for path in (tmp_path / "slopes" / "west").iterdir():
        path.rename(tmp_path / "slopes" / "east" / f"w{path.name}")
    for path in sorted((tmp_path / "slopes" / "east").iterdir())[::2]:
        save(Image.open(path).rotate(90), tmp_path / "slopes" / "west" / path.name)
    prepare(settings(Path("slopes")), tmp_path, 0, tmp_path / "out")
    assert read_index(tmp_path / "out" / "index.json").mirror, "light from the side or from below"


def test_digits_are_drawings(tmp_path: Path) -> None:
    prepare(DigitsSettings(kind="digits"), tmp_path, 0, tmp_path)
    index = read_index(tmp_path / "index.json")
    assert (index.subject, index.mirror) == ("drawings", False)
