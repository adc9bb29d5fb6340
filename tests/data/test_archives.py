"""Files in archives: the bytes of a member, and what is told of damaged ones."""

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mcubuild.data.files import File, Piece, digests, tarred, unpacked, zipped
from mcubuild.data.images import read_images
from mcubuild.errors import BuildError


def encoded(number: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (20, 24, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


CONTENTS = {f"train/{number}.png": encoded(number) for number in range(3)}


def zip_of(path: Path, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.mkdir("train")
        for name, content in CONTENTS.items():
            archive.writestr(name, content)
    return path


def tar_of(path: Path, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in CONTENTS.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def members(path: Path) -> list[File]:
    return [*zipped(path)] if path.suffix == ".zip" else [*tarred(path)]


@pytest.mark.parametrize("form", ["stored.zip", "deflated.zip", "a.tar"])
def test_members_are_read_where_they_are(tmp_path: Path, form: str) -> None:
    method = zipfile.ZIP_DEFLATED if form.startswith("deflated") else zipfile.ZIP_STORED
    path = tar_of(tmp_path / form) if form == "a.tar" else zip_of(tmp_path / form, method)
    found = members(path)
    assert {file.name: file.open().read() for file in found} == CONTENTS
    assert str(found[0]) == f"{path}: train/0.png"
    assert len(set(digests(found))) == 3
    pixels = read_images({"train": found}, 64).pixels["train"]
    expected = np.asarray(Image.open(io.BytesIO(CONTENTS["train/1.png"])))[:, 2:22]
    assert (pixels[1] == expected).all()


@pytest.mark.parametrize("form", ["a.zip", "a.tar", "a.tar.gz"])
def test_what_file_managers_leave_is_passed_over_in_archives_too(tmp_path: Path, form: str) -> None:
    path, left = tmp_path / form, ("__MACOSX/train/0.png", "train/._0.png", "./.hidden/0.png", "Thumbs.db", "./._train")
    if form == "a.zip":
        with zipfile.ZipFile(zip_of(path), "a") as archive:
            for name in left:
                archive.writestr(name, b"litter")
    else:
        with tarfile.open(path, "w:gz" if form.endswith("gz") else "w") as tar:
            for name in (*left, "./train/a.b.png"):
                tar.addfile(tarfile.TarInfo(name))
    found = unpacked(path) if form.endswith("gz") else members(path)
    assert [file.name.removeprefix("./") for file in found] == ([*CONTENTS] if form == "a.zip" else ["train/a.b.png"])


def test_a_tar_in_a_tar_is_read_where_it_is(tmp_path: Path) -> None:
    inner = tar_of(tmp_path / "inner.tar").read_bytes()
    with tarfile.open(tmp_path / "outer.tar", "w") as archive:
        entry = tarfile.TarInfo("inner.tar")
        entry.size = len(inner)
        archive.addfile(entry, io.BytesIO(inner))
    [outer] = tarred(tmp_path / "outer.tar")
    for member in tarred(tmp_path / "inner.tar"):
        piece = Piece(outer.archive, f"inner.tar: {member.name}", outer.start + member.start, member.size)
        assert piece.open().read() == CONTENTS[member.name]


@pytest.mark.parametrize("form", ["cut.zip", "cut.tar", "text.zip", "text.tar", "none.zip", "none.tar", "packed.tar"])
def test_what_is_no_whole_archive_is_told(tmp_path: Path, form: str) -> None:
    path = tmp_path / form
    if form.startswith("cut"):
        whole = (tar_of if path.suffix == ".tar" else zip_of)(path).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif form.startswith("text"):
        path.write_text("no archive")
    elif form.startswith("packed"):
        tar_of(path, "w:gz")
    with pytest.raises(BuildError, match=rf"{form}: cannot be read as an archive \(.*\); .*get it again"):
        members(path)


def test_damage_in_a_member_is_told_with_its_name(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip")
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 40] ^= 0xFF
    path.write_bytes(content)
    found = members(path)
    assert len({*digests(found), *digests(members(zip_of(tmp_path / "whole.zip")))}) == 4
    with pytest.raises(BuildError, match=r"a\.zip: train/0\.png: cannot be read as an image \(Bad CRC-32"):
        read_images({"train": found}, 64)
