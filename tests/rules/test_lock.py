"""The lock of a checkout: whatever is at its place, it is held by one process at a time."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from doit.exceptions import InvalidCommand

from rules import lock
from rules.lock import hold_lock


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "build" / ".lock"
    path.parent.mkdir()
    monkeypatch.setattr(lock, "LOCK", path)
    return path


def folder(path: Path) -> None:
    path.mkdir()
    (path / "something").touch()


def link(path: Path) -> None:
    path.with_name("precious").write_text("precious")
    path.symlink_to("precious")


def loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("damage", [folder, os.mkfifo, link, loop])
def test_what_nobody_can_hold_is_removed(
    place: Path, damage: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    damage(place)
    with hold_lock():
        assert place.read_text() == str(os.getpid())
        with pytest.raises(InvalidCommand, match=rf"another build \(process {os.getpid()}\) is running"):
            hold_lock()
    assert capsys.readouterr().err == f"  {place} is damaged; it is removed and made again.\n"
    precious = place.with_name("precious")
    assert not precious.exists() or precious.read_text() == "precious"


@pytest.mark.parametrize("content", [b"", b"\xff\0\x1b[31m\nERROR: x", b"9" * 5000])
def test_what_is_written_there_does_not_matter(place: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    place.write_bytes(content)
    with hold_lock() as held:
        assert place.read_text() == str(os.getpid())
        held.seek(0)
        held.truncate()
        place.write_bytes(content)
        with pytest.raises(InvalidCommand, match=r"^another build is running in this checkout\. Wait"):
            hold_lock()
    assert not capsys.readouterr().err


def test_what_may_be_neither_read_nor_written_is_held_all_the_same(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place.touch(mode=0)
    with hold_lock():
        place.chmod(0)
        with pytest.raises(InvalidCommand, match="another build"):
            hold_lock()
    assert not capsys.readouterr().err
