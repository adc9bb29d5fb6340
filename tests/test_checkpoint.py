"""Checkpoints: the latest that is sound, or the one before."""

import os
from pathlib import Path

import pytest

from mcubuild.checkpoint import restore, save
from tests.damage import DAMAGES


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "work" / "key" / "checkpoint"


def test_the_latest_is_restored_and_the_one_before_is_kept(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert restore(path) is None
    for content in (b"one", b"two", b"", bytes(range(256))):
        save(path, content)
        assert restore(path) == content
    path.unlink()
    assert restore(path) == b""
    assert capsys.readouterr().err == ""
    assert {file.name for file in path.parent.iterdir()} == {"checkpoint.before"}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_dropped_with_a_line(path: Path, damage: str, capsys: pytest.CaptureFixture[str]) -> None:
    save(path, b"one" * 1000)
    save(path, b"two" * 1000)
    DAMAGES[damage](path)
    assert restore(path) == b"one" * 1000
    told = capsys.readouterr().err
    assert told == f"  checkpoint {path} is damaged and removed; going on from the one before.\n"
    assert not os.path.lexists(path)
    save(path, b"three")  # what was restored is still there if this one is damaged, too
    DAMAGES[damage](path)
    assert restore(path) == b"one" * 1000
    DAMAGES[damage](path.with_name("checkpoint.before"))
    capsys.readouterr()
    assert restore(path) is None
    assert capsys.readouterr().err == f"  checkpoint {path} is damaged and removed; going on from the start.\n"
    save(path, b"four")
    assert restore(path) == b"four"


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_in_the_way_of_the_next_one(path: Path, damage: str) -> None:
    for number in range(3):
        save(path, b"x" * number)
    for name in ("checkpoint", "checkpoint.before", "checkpoint.next", "checkpoint.next.new"):
        beside = path.with_name(name)
        if not beside.exists():
            beside.write_bytes(b"left")
        DAMAGES[damage](beside)
        save(path, b"new")
        assert restore(path) == b"new"


def test_every_bit_counts(path: Path) -> None:
    save(path, b"content")
    sound = path.read_bytes()
    for bit in range(8 * len(sound)):
        path.write_bytes(sound[: bit // 8] + bytes([sound[bit // 8] ^ 1 << bit % 8]) + sound[bit // 8 + 1 :])
        assert restore(path) is None


@pytest.mark.parametrize("other", ["work/other/checkpoint", "work/key/phase/checkpoint", "work/key/scores"])
def test_that_of_another_job_is_damage(path: Path, other: str, capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = path.parents[2] / other
    save(elsewhere, b"theirs")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(elsewhere.read_bytes())
    assert restore(path) is None
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("damage", ["empty", "pipe", "link that leads nowhere", "link to a device"])
def test_the_folder_may_be_something_else(path: Path, damage: str) -> None:
    """The folder of a phase of the training, say."""
    path.parent.parent.mkdir()
    path.parent.touch()
    DAMAGES[damage](path.parent)
    assert restore(path) is None
    save(path, b"new")
    assert restore(path) == b"new"


def test_nothing_is_removed_through_a_link(path: Path) -> None:
    outside = path.parents[2] / "outside"
    outside.mkdir()
    (outside / path.name).write_bytes(b"not a checkpoint")
    path.parent.parent.mkdir()
    path.parent.symlink_to(outside)
    assert restore(path) is None
    save(path, b"new")
    assert (outside / path.name).read_bytes() == b"not a checkpoint"
    assert restore(path) == b"new"
