"""Files are known by hash: what vouches for one that was hashed before never vouches for another content."""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from mcubuild.errors import BuildError
from mcubuild.store import digest_file
from rules import known
from rules.known import Files, Made
from rules.memory import mend


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were read; the clock is a minute ahead, so that whatever was hashed is vouched for."""
    names: list[str] = []

    def count(path: Path) -> str:
        names.append(path.name)
        return digest_file(path)

    monkeypatch.setattr(known, "digest_file", count)
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 60 * 10**9)
    return names


def _in_place(path: Path, other: Path) -> None:
    path.write_bytes(other.read_bytes())


def _swap(path: Path, other: Path) -> None:
    between = path.with_name("between")
    path.rename(between)
    other.rename(path)
    between.rename(other)


def _link(path: Path, other: Path) -> None:
    path.unlink()
    path.symlink_to(other)


def test_what_was_hashed_is_not_read_again_by_later_builds(tmp_path: Path, hashed: list[str]) -> None:
    path = tmp_path / "a"
    path.write_text("one")
    for _ in range(3):
        files = Files(tmp_path / "memory")
        assert files.digest(path) == digest_file(path) == files.digests([path])[0]
    assert hashed == ["a"]


@pytest.mark.parametrize("replace", [_in_place, _swap, _link])
def test_other_content_of_the_same_size_and_time_is_seen(
    tmp_path: Path, hashed: list[str], replace: Callable[[Path, Path], None]
) -> None:
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_text("one")
    other.write_text("two")
    os.utime(path, ns=(10**18, 10**18))
    Files(tmp_path / "memory").digest(path)
    replace(path, other)
    os.utime(path, ns=(10**18, 10**18))
    assert Files(tmp_path / "memory").digest(path) == digest_file(path)
    assert path.read_text() == "two" and path.stat().st_mtime_ns == 10**18 and hashed == ["a", "a"]


def test_links_are_known_by_what_they_lead_to(tmp_path: Path, hashed: list[str]) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
        os.utime(tmp_path / name / "file", ns=(10**18, 10**18))
    link = tmp_path / "link"
    found = []
    for name in ("one", "two"):
        link.unlink(missing_ok=True)
        link.symlink_to(name)
        found.append(Files(tmp_path / "memory").digest(link / "file"))
    assert found == [digest_file(tmp_path / name / "file") for name in ("one", "two")]


def test_what_has_just_been_written_is_not_vouched_for(tmp_path: Path) -> None:
    """Its clock may not have ticked before it is written once more."""
    path, files = tmp_path / "a", Files(tmp_path / "memory")
    path.write_text("one")
    files.digest(path)
    assert files._hashed == {}


def test_neither_pipes_nor_endless_artifacts_are_read(tmp_path: Path) -> None:
    files = Files(None)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="neither a file nor a folder"):
        files.digest(tmp_path / "pipe")
    (tmp_path / "a").write_text("one")
    made = Made(digest_file(tmp_path / "a"), 3, "key")
    assert files.holds(tmp_path / "a", made)
    os.truncate(tmp_path / "a", 1 << 40)
    assert not files.holds(tmp_path / "a", made)


@pytest.mark.parametrize("content", [b"", b"no database", None])
def test_a_damaged_memory_costs_time_alone(
    tmp_path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    memory, path = tmp_path / "memory", tmp_path / "a"
    path.write_text("one")
    first = Files(memory)
    first.digest(path)
    first.record({path: Made(digest_file(path), 3, "key")})
    data = bytearray(memory.read_bytes())
    data[-200:] = bytes(200)
    data[100:110] = b"\xff" * 10
    memory.write_bytes(data if content is None else content)
    files = Files(memory)
    assert files.digest(path) == digest_file(path)
    assert files.made(path) is None
    assert ("damaged" in capsys.readouterr().err) == (content != b"")
    files.record({path: Made(digest_file(path), 3, "key")})
    assert files.made(path) == Made(digest_file(path), 3, "key")


def test_memories_of_several_processes_are_one(tmp_path: Path) -> None:
    path, files = tmp_path / "a", Files(tmp_path / "memory")
    path.write_text("one")
    files.digest(path)
    child = os.fork()
    if child == 0:
        files.record({path: Made("digest", 3, "key")})
        os._exit(0)
    os.waitpid(child, 0)
    assert files.made(path) == Made("digest", 3, "key")


def test_files_that_are_gone_are_forgotten(tmp_path: Path, hashed: list[str]) -> None:
    """The others are not read again."""
    memory = tmp_path / "memory"
    paths = [tmp_path / name for name in "abc"]
    for path in paths:
        path.write_text(path.name)
    (tmp_path / "link").symlink_to("c")
    files = Files(memory)
    files.digests([*paths, tmp_path / "link"])
    files.record({path: Made(path.name, 1, "key") for path in paths})
    assert len(hashed) == 4
    paths[2].unlink()
    files.prune()
    with closing(sqlite3.connect(memory)) as connection:
        for table in ("hashed", "made"):
            assert connection.execute(f"SELECT path FROM {table}").fetchall() == [(str(path),) for path in paths[:2]]
    again = Files(memory)
    again.digests(paths[:2])
    assert len(hashed) == 4 and again.made(paths[1]) == Made("b", 1, "key") and again.made(paths[2]) is None
    paths[2].write_text("c")
    assert files.digest(paths[2]) == digest_file(paths[2])


def test_pruning_a_memory_that_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "memory").write_bytes(b"SQLite format 3\0" + bytes(500))
    Files(tmp_path / "memory").prune()
    Files(None).prune()


def _pets(folder: Path) -> Path:
    for kind in ("cat", "dog/old"):
        (folder / kind).mkdir(parents=True)
        for number in range(3):
            (folder / kind / f"{number}.png").write_bytes(f"{kind} {number}".encode())
    return folder


def test_a_folder_is_its_names_and_contents(tmp_path: Path) -> None:
    """Wherever it is; also empty folders, since they decide whether a data set is accepted."""
    pets, same = _pets(tmp_path / "pets"), _pets(tmp_path / "elsewhere" / "copy")
    files = Files(tmp_path / "memory")
    seen = [files.digest(pets)]
    assert files.digest(same) == Files(None).digest(pets) == seen[0]
    (pets / "fox").mkdir()
    seen.append(files.digest(pets))
    (pets / "dog/old/0.png").rename(pets / "dog/0.png")
    seen.append(files.digest(pets))
    (pets / "cat/1.png").write_bytes(b"another")
    seen.append(files.digest(pets))
    (pets / "cat/2.png").unlink()
    seen.append(files.digest(pets))
    assert len(set(seen)) == len(seen)
    (pets / ".cache").mkdir()
    (pets / "cat/Thumbs.db").write_text("litter")
    assert files.digest(pets) == seen[-1]


def test_an_unchanged_folder_is_not_read_again(tmp_path: Path, hashed: list[str]) -> None:
    pets = _pets(tmp_path / "pets")
    before = Files(tmp_path / "memory").digest(pets)
    assert len(hashed) == 6
    assert Files(tmp_path / "memory").digest(pets) == before and len(hashed) == 6
    (pets / "cat/1.png").write_bytes(b"longer than before")
    assert Files(tmp_path / "memory").digest(pets) != before and hashed[6:] == ["1.png"]
    Files(tmp_path / "memory").prune()
    Files(tmp_path / "memory").digest(pets)
    assert len(hashed) == 7


def test_a_file_that_was_just_written_vouches_for_no_folder(tmp_path: Path) -> None:
    pets = _pets(tmp_path / "pets")
    Files(tmp_path / "memory").digest(pets)
    with sqlite3.connect(tmp_path / "memory") as connection:
        assert connection.execute("SELECT * FROM members").fetchall() == []
        assert {path for (path,) in connection.execute("SELECT path FROM folders")} == {str(pets), str(pets / "dog")}


@pytest.mark.parametrize("breakage", ["circle", "latin-1"])
def test_names_that_cannot_be_read_are_told(tmp_path: Path, breakage: str) -> None:
    pets = _pets(tmp_path / "pets")
    if breakage == "circle":
        (pets / "cat" / "again").symlink_to(pets / "cat")
        message = r"again.*: cannot be read \(Too many levels of symbolic links\)"
    else:
        os.close(os.open(os.fsencode(pets / "cat") + b"/caf\xe9.png", os.O_CREAT))
        message = r"cat: the name .*caf.*rename it"
    with pytest.raises(BuildError, match=message):
        Files(None).digest(pets)


@pytest.mark.parametrize("target", [".doit.db", "nothing"])
def test_a_link_in_place_of_doits_memory_is_removed(tmp_path: Path, target: str) -> None:
    memory = tmp_path / ".doit.db"
    memory.symlink_to(target)
    mend(memory)
    assert not memory.exists()
    with sqlite3.connect(memory) as connection:
        connection.execute("CREATE TABLE doit (task_id TEXT)")


def test_a_memory_in_which_nothing_is_yet_is_no_damage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    memory = tmp_path / ".doit.db"
    with closing(sqlite3.connect(memory)) as connection:
        connection.execute("PRAGMA user_version = 1")  # writes the first page, without a table
    assert memory.stat().st_size
    mend(memory)
    assert memory.exists() and not capsys.readouterr().err
