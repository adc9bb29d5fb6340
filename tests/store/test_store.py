"""The store: what it keeps, what it refuses to give, and what it does under pressure."""

import errno
import hashlib
import json
import multiprocessing
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mcubuild.errors import BuildError
from mcubuild.files import discard
from mcubuild.store import Store, digest_json, disk_errors

KEY = "ab" * 32
NAMES = ("a.json", "c/model.c")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def fill(tmp_path: Path) -> Path:
    folder = tmp_path / "made"
    (folder / "c").mkdir(parents=True)
    (folder / "a.json").write_text("{}")
    (folder / "c" / "model.c").write_bytes(b"int x;\n" * 1000)
    return folder


def fetched(store: Store, tmp_path: Path) -> dict[str, bytes] | None:
    target = tmp_path / "got"
    target.mkdir()
    try:
        if not store.fetch(KEY, target, NAMES):
            assert not any(target.iterdir())
            return None
        return {p.relative_to(target).as_posix(): p.read_bytes() for p in target.rglob("*") if p.is_file()}
    finally:
        subprocess.run(["rm", "-r", target], check=True)


def test_what_is_put_is_fetched(store: Store, tmp_path: Path) -> None:
    assert fetched(store, tmp_path) is None
    store.put(KEY, fill(tmp_path), NAMES)
    assert fetched(store, tmp_path) == {"a.json": b"{}", "c/model.c": b"int x;\n" * 1000}


def test_putting_again_replaces(store: Store, tmp_path: Path) -> None:
    folder = fill(tmp_path)
    store.put(KEY, folder, NAMES)
    (folder / "a.json").write_text("[]")
    store.put(KEY, folder, NAMES)
    got = fetched(store, tmp_path)
    assert got is not None and got["a.json"] == b"[]"


def test_checkpoints_end_with_the_artifact(store: Store, tmp_path: Path) -> None:
    (store.work(KEY) / "epoch").write_text("3")
    assert (store.work(KEY) / "epoch").read_text() == "3"
    store.put(KEY, fill(tmp_path), NAMES)
    assert not any(store.work(KEY).iterdir())


def _manifest(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """Damage: the manifest says of its files what ``change`` makes of them or returns."""

    def damage(entry: Path) -> None:
        path = entry / "manifest.json"
        files = json.loads(path.read_text())["files"]
        changed = change(files)
        path.write_text(json.dumps({"files": files if changed is None else changed}))

    return damage


def _text(text: str | bytes) -> Callable[[Path], None]:
    """Damage: the manifest holds something else."""

    def damage(entry: Path) -> None:
        (entry / "manifest.json").write_bytes(text if isinstance(text, bytes) else text.encode())

    return damage


def _instead(name: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
    """Damage: ``make`` makes something else in place of the entry's ``name``, or, without a name, of the entry."""

    def damage(entry: Path) -> None:
        discard(entry / name)
        make(entry / name)

    return damage


def _nothing(path: Path) -> None:
    """Makes nothing."""


def _flip(entry: Path) -> None:
    file = entry / "files/c/model.c"
    content = file.read_bytes()
    file.write_bytes(content[:500] + bytes([content[500] ^ 1]) + content[501:])


def _same_elsewhere(entry: Path) -> None:
    """The right bytes, but through a link that leads out of the entry."""
    shutil.move(entry / "files/c", entry.parents[3] / "c")
    (entry / "files/c").symlink_to(entry.parents[3] / "c")


def _moved(entry: Path) -> None:
    shutil.move(entry, entry.parents[3] / "moved")
    entry.symlink_to(entry.parents[3] / "moved")


SECRET = {"sha256": hashlib.sha256(b"secret").hexdigest(), "bytes": 6}


def _of_a(**changes: object) -> Callable[[Path], None]:
    """Damage: the manifest says something else of a.json."""
    return _manifest(lambda files: files["a.json"].update(changes))


DAMAGES: dict[str, Callable[[Path], None]] = {
    "flipped bit": _flip,
    "truncated file": lambda entry: os.truncate(entry / "files/c/model.c", 7),
    "sparse file": lambda entry: os.truncate(entry / "files/c/model.c", 1 << 40),
    "grown file": lambda entry: os.truncate(entry / "files/c/model.c", 7001),
    "no file": _instead("files/c/model.c", _nothing),
    "folder for file": _instead("files/c/model.c", Path.mkdir),
    "pipe for file": _instead("files/c/model.c", os.mkfifo),
    "link for file": _instead("files/a.json", lambda path: path.symlink_to(path.parents[5] / "outside.txt")),
    "link to a device": _instead("files/a.json", lambda path: path.symlink_to("/dev/zero")),
    "link in a circle": _instead("files/a.json", lambda path: path.symlink_to("a.json")),
    "file for folder": _instead("files/c", Path.touch),
    "link for folder": _same_elsewhere,
    "no files": _instead("files", _nothing),
    "no manifest": _instead("manifest.json", _nothing),
    "folder for manifest": _instead("manifest.json", Path.mkdir),
    "pipe for manifest": _instead("manifest.json", os.mkfifo),
    "link for manifest": _instead("manifest.json", lambda path: path.symlink_to("/dev/zero")),
    "empty manifest": _text(""),
    "truncated manifest": _text('{"files": {'),
    "manifest of bytes": _text(bytes(range(256))),
    "manifest of UTF-16": _text('{"files": {}}'.encode("utf-16")),
    "manifest of a list": _text("[]"),
    "manifest of nothing": _text("null"),
    "manifest of a number": _text("1"),
    "manifest without files": _text("{}"),
    "files that are a list": _text('{"files": ["a.json"]}'),
    "files that are nothing": _text('{"files": null}'),
    "nested manifest": _text("[" * 100_000),
    "manifest of an endless number": _text('{"files": ' + "9" * 100_000 + "}"),
    "huge manifest": _text('{"files": {' + " " * (2 << 20) + "}}"),
    "sparse manifest": lambda entry: os.truncate(entry / "manifest.json", 1 << 40),
    "no entries in the manifest": _manifest(dict.clear),
    "an entry less": _manifest(lambda files: {"a.json": files["a.json"]}),
    "an entry more": _manifest(lambda files: files.update({"b.json": SECRET})),
    "absolute name": lambda entry: _manifest(
        lambda files: files.update({str(entry.parents[3] / "outside.txt"): SECRET})
    )(entry),
    "name that leads out": _manifest(lambda files: files.update({"../../../../../outside.txt": SECRET})),
    "name with a null": _manifest(lambda files: files.update({"a\0b": SECRET})),
    "name with a detour": _manifest(lambda files: files.update({"c/../a.json": files.pop("a.json")})),
    "name that is empty": _manifest(lambda files: files.update({"": SECRET})),
    "digest of another type": _of_a(sha256=7),
    "digest in capitals": _manifest(lambda files: files["a.json"].update(sha256=files["a.json"]["sha256"].upper())),
    "digest that is short": _manifest(lambda files: files["a.json"].update(sha256=files["a.json"]["sha256"][:-1])),
    "digest that is nothing": _of_a(sha256=None),
    "length of another type": _of_a(bytes=[]),
    "length of text": _of_a(bytes="many"),
    "length that is endless": _of_a(bytes=float("inf")),
    "length below nothing": _of_a(bytes=-2),
    "length of others": _of_a(bytes=1 << 70),
    "file of a manifest that is no table": _manifest(lambda files: files.update({"a.json": "0" * 64})),
    "digests exchanged": _manifest(lambda files: dict(zip(files, reversed(files.values()), strict=True))),
    "empty entry": _instead("", Path.mkdir),
    "file for entry": _instead("", Path.touch),
    "pipe for entry": _instead("", os.mkfifo),
    "link for entry": _moved,
    "link that leads nowhere for entry": _instead("", lambda path: path.symlink_to("nowhere")),
    "unreadable file": lambda entry: (entry / "files/a.json").chmod(0),
    "unreadable folder": lambda entry: (entry / "files/c").chmod(0),
    "unreadable entry": lambda entry: entry.chmod(0),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_never_given_and_heals(
    store: Store, tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if damage.startswith("unreadable") and os.geteuid() == 0:
        pytest.skip("root may read everything")
    outside = tmp_path / "outside.txt"
    outside.write_text("secret")
    store.put(KEY, fill(tmp_path), NAMES)
    (entry,) = (store.root / "artifacts").glob("*/*")
    DAMAGES[damage](entry)
    before = _files(tmp_path, besides=entry)
    assert fetched(store, tmp_path) is None
    assert capsys.readouterr().err == f"  {entry} is damaged; it is removed and made again.\n"
    assert _files(tmp_path, besides=entry) == before
    assert not os.path.lexists(entry)
    store.put(KEY, tmp_path / "made", NAMES)
    assert fetched(store, tmp_path) == {"a.json": b"{}", "c/model.c": b"int x;\n" * 1000}
    assert capsys.readouterr().err == ""
    assert outside.read_text() == "secret"
    assert sorted(path.name for path in entry.parent.iterdir()) == [KEY]


def _files(folder: Path, besides: Path) -> dict[Path, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and besides not in (path, *path.parents))
    return {path: path.read_bytes() for path in paths}


@pytest.mark.parametrize("damage", ["flipped bit", "empty entry", "file for entry", "pipe for entry"])
def test_an_entry_is_put_in_place_of_a_damaged_one(store: Store, tmp_path: Path, damage: str) -> None:
    """As another process may damage it meanwhile."""
    store.put(KEY, fill(tmp_path), NAMES)
    DAMAGES[damage](next((store.root / "artifacts").glob("*/*")))
    store.put(KEY, tmp_path / "made", NAMES)
    assert fetched(store, tmp_path) is not None


def test_an_entry_of_other_files_is_none(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store.put(KEY, fill(tmp_path), ["a.json"])
    assert fetched(store, tmp_path) is None
    assert capsys.readouterr().err.count("\n") == 1


IN_THE_WAY: dict[str, Callable[[Path], object]] = {
    "file": lambda path: path.write_text("x"),
    "folder": lambda path: (path / "inner").mkdir(parents=True),
    "pipe": os.mkfifo,
    "link": lambda path: path.symlink_to(path.parents[2] / "outside"),
    "link that leads nowhere": lambda path: path.symlink_to(path.parents[2] / "nowhere"),
}


@pytest.mark.parametrize("what", IN_THE_WAY)
@pytest.mark.parametrize("place", ["locks", "work", "artifacts"])
def test_what_is_in_the_way_is_removed(
    store: Store, tmp_path: Path, place: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").touch()
    path = store.root / place / (KEY[:2] if place == "artifacts" else KEY)
    path.parent.mkdir(parents=True)
    IN_THE_WAY[what](path)
    with store.lock(KEY, lambda: pytest.fail("nobody holds it")):
        (store.work(KEY) / "epoch").write_text("3")
        store.put(KEY, fill(tmp_path), NAMES)
    assert fetched(store, tmp_path) is not None
    usable = {"locks": "file", "work": "folder", "artifacts": "folder"}[place]
    told = "" if what == usable else f"  {path} is damaged; it is removed and made again.\n"
    assert capsys.readouterr().err == told
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["kept"]
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("place", ["locks", "work", "artifacts"])
def test_a_file_of_the_user_in_place_of_a_folder_stays(store: Store, tmp_path: Path, place: str) -> None:
    """The store's own folders have names that a file of the user's may have, too."""
    path = store.root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    with pytest.raises(BuildError, match=r"must be a folder.*MCUBUILD_STORE"), store.lock(KEY, lambda: None):
        store.work(KEY)
        store.put(KEY, fill(tmp_path), NAMES)
    assert path.read_text() == "mine"


def test_what_a_killed_run_left_is_swept(store: Store, tmp_path: Path) -> None:
    left = store.root / "artifacts" / KEY[:2] / f".new-{KEY}"
    (left / "files").mkdir(parents=True)
    store.put(KEY, fill(tmp_path), NAMES)
    assert [path.name for path in left.parent.iterdir()] == [KEY]


def test_keys_ignore_the_order_of_keys_and_nothing_else() -> None:
    assert digest_json({"a": 1, "b": [1, 2]}) == digest_json({"b": [1, 2], "a": 1})
    assert digest_json({"a": 1, "b": [1, 2]}) != digest_json({"a": 1, "b": [2, 1]})


def _hold(root: Path, held: "multiprocessing.Queue[float]", seconds: float) -> None:
    with Store(root).lock(KEY, lambda: None):
        held.put(time.monotonic())
        time.sleep(seconds)
        held.put(time.monotonic())


def test_one_process_at_a_time_makes_an_artifact(store: Store) -> None:
    held: multiprocessing.Queue[float] = multiprocessing.Queue()
    workers = [multiprocessing.Process(target=_hold, args=(store.root, held, 0.3)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    first_in, first_out, second_in, second_out = sorted(held.get() for _ in range(4))
    assert first_out <= second_in
    assert first_in < first_out < second_out


def test_a_killed_holder_leaves_no_lock(store: Store) -> None:
    held: multiprocessing.Queue[float] = multiprocessing.Queue()
    worker = multiprocessing.Process(target=_hold, args=(store.root, held, 60))
    worker.start()
    held.get()
    worker.kill()
    worker.join()
    waited: list[bool] = []
    with store.lock(KEY, lambda: waited.append(True)):
        assert not waited


def test_a_full_disk_is_one_clear_message_and_leaves_nothing(store: Store, tmp_path: Path) -> None:
    """On a real, tiny file system where this may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        folder = fill(tmp_path)
        (folder / "large").write_bytes(bytes(200_000))
        small = Store(disk / "store")
        with pytest.raises(BuildError, match=r"the disk is full.*MCUBUILD_STORE"), disk_errors(small.root):
            small.put(KEY, folder, [*NAMES, "large"])
        assert not [path for path in disk.rglob("*") if path.is_file()]
        assert fetched(small, tmp_path) is None
    finally:
        subprocess.run(["umount", disk], check=True)


def test_other_errors_pass_through(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="odd"), disk_errors(tmp_path):
        raise OSError(errno.EIO, "odd")


def test_the_longest_unused_comes_first(store: Store, tmp_path: Path) -> None:
    folder = fill(tmp_path)
    for number, key in enumerate((KEY, "cd" * 32)):
        store.put(key, folder, NAMES)
        for path in store.entries()[-1].path.rglob("*"):
            os.utime(path, (1000 + number, 1000 + number))
    checkpoint = store.work("ef" * 32) / "state"
    checkpoint.write_bytes(b"1234567")
    assert [entry.key[:2] for entry in store.entries()] == ["ab", "cd", "ef"]
    assert [entry.is_artifact for entry in store.entries()] == [True, True, False]
    assert store.entries()[2].bytes == 7
    fetched(store, tmp_path)
    assert store.entries()[0].key[:2] == "cd"
    assert store.remove(store.entries()[0])
    assert {entry.key[:2] for entry in store.entries()} == {"ab", "ef"}


def test_what_a_build_works_with_stays(store: Store, tmp_path: Path) -> None:
    store.put(KEY, fill(tmp_path), NAMES)
    (entry,) = store.entries()
    with store.lock(KEY, lambda: None):
        assert not store.remove(entry)
        assert store.check(entry) is None
    assert store.check(entry) is True
    assert store.remove(entry)
    assert not store.entries()


@pytest.mark.parametrize("damage", ["bytes", "missing", "more", "manifest", "link"])
def test_damaged_artifacts_are_removed(store: Store, tmp_path: Path, damage: str) -> None:
    store.put(KEY, fill(tmp_path), NAMES)
    (entry,) = store.entries()
    file = entry.path / "files" / "a.json"
    if damage == "bytes":
        file.write_text("[]")
    elif damage == "missing":
        file.unlink()
    elif damage == "more":
        (entry.path / "files" / "b.json").write_text("{}")
    elif damage == "manifest":
        (entry.path / "manifest.json").write_text("{")
    else:
        file.unlink()
        file.symlink_to(tmp_path / "made" / "a.json")
    assert store.check(entry) is False
    assert not store.entries()
