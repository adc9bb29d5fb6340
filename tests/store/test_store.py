"""The store: what it keeps, what it refuses to give, and what it does under pressure."""

import errno
import multiprocessing
import subprocess
import time
from pathlib import Path

import pytest

from mcubuild.errors import BuildError
from mcubuild.store import Store, digest_json, disk_errors

KEY = "ab" * 32


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
        if not store.fetch(KEY, target):
            assert not any(target.iterdir())
            return None
        return {p.relative_to(target).as_posix(): p.read_bytes() for p in target.rglob("*") if p.is_file()}
    finally:
        subprocess.run(["rm", "-r", target], check=True)


def test_what_is_put_is_fetched(store: Store, tmp_path: Path) -> None:
    assert fetched(store, tmp_path) is None
    store.put(KEY, fill(tmp_path))
    assert fetched(store, tmp_path) == {"a.json": b"{}", "c/model.c": b"int x;\n" * 1000}


def test_putting_again_replaces(store: Store, tmp_path: Path) -> None:
    folder = fill(tmp_path)
    store.put(KEY, folder)
    (folder / "a.json").write_text("[]")
    store.put(KEY, folder)
    got = fetched(store, tmp_path)
    assert got is not None and got["a.json"] == b"[]"


def test_checkpoints_end_with_the_artifact(store: Store, tmp_path: Path) -> None:
    (store.work(KEY) / "epoch").write_text("3")
    assert (store.work(KEY) / "epoch").read_text() == "3"
    store.put(KEY, fill(tmp_path))
    assert not any(store.work(KEY).iterdir())


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "manifest", "manifest gone"])
def test_a_damaged_entry_is_never_given(
    store: Store, tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store.put(KEY, fill(tmp_path))
    entry = next((store.root / "artifacts").glob("*/*"))
    file = entry / "files" / "c" / "model.c"
    content = file.read_bytes()
    match damage:
        case "flip":
            file.write_bytes(content[:500] + bytes([content[500] ^ 1]) + content[501:])
        case "truncate":
            file.write_bytes(content[:-1])
        case "remove":
            file.unlink()
        case "manifest":
            (entry / "manifest.json").write_text('{"files": {')
        case "manifest gone":
            (entry / "manifest.json").unlink()
    assert fetched(store, tmp_path) is None
    assert "damaged" in capsys.readouterr().err
    assert not entry.exists()
    store.put(KEY, tmp_path / "made")
    assert fetched(store, tmp_path) is not None


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
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        folder = fill(tmp_path)
        (folder / "large").write_bytes(bytes(200_000))
        small = Store(disk / "store")
        with pytest.raises(BuildError, match=r"the disk is full.*MCUBUILD_STORE"), disk_errors(small.root):
            small.put(KEY, folder)
        assert not [path for path in disk.rglob("*") if path.is_file()]
        assert fetched(small, tmp_path) is None
    finally:
        subprocess.run(["umount", disk], check=True)


def test_other_errors_pass_through(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="odd"), disk_errors(tmp_path):
        raise OSError(errno.EIO, "odd")
