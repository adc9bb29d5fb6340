"""A folder of the user's pictures with YOLO's text files."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcubuild.data.kinds.base import Found, Kind
from mcubuild.data.sources import folder_of

if TYPE_CHECKING:
    from mcubuild.data.checks import Findings
    from mcubuild.data.files import File
    from mcubuild.spec.datasets.yolo_folder import YoloFolderSettings

_NAMES = ("classes.txt", "obj.names", "_darknet.labels")
"""Files with a class a line, of labelImg and Label Studio, of CVAT, and of Roboflow."""


def _description(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """Ultralytics' ``data.yaml``, or whatever it is called; None where there is none.

    Raises:
        BuildError: it cannot be read, or there are several.
    """
    import yaml

    from mcubuild.errors import BuildError

    found = {}
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise BuildError(
                f"{path}: cannot be read as YAML ({' '.join(str(error).split())[:200]}); mend it."
            ) from None
        if isinstance(content, dict) and "names" in content:
            found[path] = content
    for path, content in found.items():
        if path.stem == "data" or len(found) == 1:
            return path, content
    if found:
        listed = ", ".join(path.name for path in found)
        raise BuildError(f"{folder}: found {listed}, which all describe a data set; call the right one data.yaml.")
    return None


def _classes(path: Path, names: Any) -> tuple[str, ...]:
    """The names in a description: a list, or a table by number."""
    from mcubuild.errors import BuildError, shown

    if isinstance(names, dict) and sorted(names) == list(range(len(names))):
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not names or not all(isinstance(name, str | int) for name in names):
        raise BuildError(f"{path}: found names: {shown(names)}; it must be a list of the classes' names.")
    return tuple(map(str, names))


def _keypoints(path: Path, content: Mapping[str, Any]) -> int:
    """How many numbers of key points stand behind each box, by ``kpt_shape`` of a description.

    Raises:
        BuildError: it is no pair of numbers.
    """
    from mcubuild.errors import BuildError, shown

    match content.get("kpt_shape", [0, 0]):
        case [int(points), int(numbers)]:
            return points * numbers
        case other:
            raise BuildError(f"{path}: found kpt_shape: {shown(other)}; it must be [points, numbers a point].")


def _listed_classes(folder: Path) -> tuple[str, ...]:
    """The names in the file that has one a line.

    Raises:
        BuildError: there is none, or there are different ones.
    """
    from mcubuild.data.sources import files_below
    from mcubuild.errors import BuildError, reading

    found = dict[tuple[str, ...], Path]()
    for path in files_below(folder).values():
        if path.name in _NAMES:
            with reading(path, "a list of classes"):
                lines = path.read_text(encoding="utf-8-sig").splitlines()
            found.setdefault(tuple(line.strip() for line in lines if line.strip()), path)
    if len(found) != 1:
        what = (
            f"{' and '.join(map(str, found.values()))}, which differ" if found else f"no data.yaml, {', '.join(_NAMES)}"
        )
        raise BuildError(
            f"{folder}: found {what}; one file must have the classes' names, in the order of their numbers."
        )
    return next(iter(found))


def _splits(
    path: Path, content: Mapping[str, Any], images: Mapping[str, "File"], findings: "Findings"
) -> dict[str, str]:
    """The split of each picture by name, as the description says; nothing where it names none.

    Raises:
        BuildError: pictures to train with are not there, or a picture is in two splits.
    """
    from mcubuild.errors import BuildError

    found = dict[str, str]()
    for split, names in (("train", ("train",)), ("val", ("val", "valid")), ("test", ("test",))):
        entries: Any = next((content[name] for name in names if content.get(name)), [])
        for entry in [entries] if isinstance(entries, str) else entries:
            members = _members(path.parent, str(content.get("path") or ""), str(entry), images)
            if members is None:
                if split == "train":
                    raise BuildError(
                        f"{path}: {split}: {entry} is no folder of pictures in {path.parent}; give the path as it is "
                        f"on this machine."
                    )
                findings.add(f"What {path.name} names as the split {split} is not there, so it is drawn", str(entry))
                continue
            for name in members:
                if found.setdefault(name, split) != split:
                    raise BuildError(
                        f"{path}: {name} is in the splits {found[name]!r} and {split!r}; it belongs in one."
                    )
    return found


def _members(folder: Path, base: str, entry: str, images: Mapping[str, "File"]) -> list[str] | None:
    """The pictures below the folder, or in the list, that a description calls ``entry``; None where there are none.

    Roboflow writes paths from a folder beside, and many files come from another machine: then the folder of the
    description is taken for the one that they begin in.
    """
    for start in (folder / base / entry, folder / entry, folder / entry.removeprefix("../")):
        where = start.resolve()
        if where.is_file():
            return _in_list(where, folder, images)
        if where.is_dir() and where.is_relative_to(folder.resolve()):
            below = where.relative_to(folder.resolve()).as_posix()
            members = [name for name in images if below == "." or name.startswith(f"{below}/")]
            if members:
                return members
    return None


def _in_list(listing: Path, folder: Path, images: Mapping[str, "File"]) -> list[str]:
    """The pictures in a list, a path a line: each is the one whose name ends like it.

    Raises:
        BuildError: one is not there.
    """
    from mcubuild.errors import BuildError, reading

    ends = dict[str, str]()
    for name in images:
        parts = name.split("/")
        for start in range(len(parts)):
            ends.setdefault("/".join(parts[start:]), name)
    found = []
    with reading(listing, "a list of pictures"):
        lines = listing.read_text(encoding="utf-8-sig").splitlines()
    for number, line in enumerate(lines, start=1):
        parts = [part for part in line.strip().replace("\\", "/").split("/") if part not in ("", ".", "..")]
        if not parts:
            continue
        tails = ("/".join(parts[start:]) for start in range(len(parts)))
        found_here = next((ends[tail] for tail in tails if tail in ends), None)
        if found_here is None:
            raise BuildError(
                f"{listing}:{number}: {line.strip()} is no picture below {folder}; remove the line, or get it."
            )
        found.append(found_here)
    return found


def _find(settings: "YoloFolderSettings", root: Path) -> Found:
    from mcubuild.data.annotated import Pictures, by_key, key, labels_below, pictures_below, split_of
    from mcubuild.data.yolo import read_yolo

    folder = root / settings.path
    images = pictures_below(folder)
    by_key(images)
    labels = by_key(
        {name: file for name, file in labels_below(folder, ".txt").items() if Path(name).name not in _NAMES}
    )
    pictures = Pictures()
    description = _description(folder)
    if description is None:
        classes, splits, keypoints = _listed_classes(folder), {}, 0
    else:
        path, content = description
        classes, splits = _classes(path, content["names"]), _splits(path, content, images, pictures.findings)
        keypoints = _keypoints(path, content)
    pairs = []
    for name, file in images.items():
        if splits and name not in splits:
            pictures.findings.add("Pictures that are in no split were left out", name)
        else:
            pairs.append((file, labels.get(key(name)), splits.get(name) if splits else split_of(name)))
    used = {key(name) for name in images}
    for one, label in labels.items():
        if one not in used and "labels" in Path(label.name).parts:
            pictures.findings.add("Label files without a picture were left alone", label.name)
    pictures.read(pairs, lambda label: read_yolo(label, classes, keypoints))
    held_out = {"val": settings.val_fraction, "test": settings.test_fraction}
    return pictures.found(settings, str(folder), held_out, classes)


KIND = Kind("images", folder_of, _find)
