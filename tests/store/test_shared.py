"""A store that machines share: what it gives, what it refuses to take, and that no fault of it ends a build."""

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mcubuild.errors import BuildError
from mcubuild.shared import SharedStore, shared_store
from tests.store.s3 import SECRET, Fault, FaultyProxy

KEY = "ab" * 32
NAMES = ("a.json", "c/model.c")
FILES = {"a.json": b"{}", "c/model.c": b"int x;\n" * 1000}


def fill(folder: Path, files: dict[str, bytes] = FILES) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


class Machine:
    """What one of the machines does with the store."""

    def __init__(self, root: Path, store: SharedStore) -> None:
        self.root, self.store, self._count = root, store, 0
        root.mkdir()

    def push(self, files: dict[str, bytes] = FILES, key: str = KEY) -> None:
        self._count += 1
        self.store.push(key, fill(self.root / f"made{self._count}", files), list(files), self._scratch())

    def fetch(self, key: str = KEY) -> dict[str, bytes] | None:
        self._count += 1
        target = self.root / f"got{self._count}"
        target.mkdir()
        if not self.store.fetch(key, target, NAMES, self._scratch()):
            assert not any(target.iterdir())
            return None
        return {p.relative_to(target).as_posix(): p.read_bytes() for p in target.rglob("*") if p.is_file()}

    def _scratch(self) -> Path:
        folder = self.root / "scratch"
        folder.mkdir(exist_ok=True)
        assert not any(folder.iterdir()), "the last one left something"
        return folder


@pytest.fixture(params=["s3", "folder", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "s3":
        request.getfixturevalue("proxy")
    return {
        "s3": "s3://builds/team",
        "folder": str(tmp_path / "shared"),
        "file": f"file://{tmp_path}/shared",
    }[request.param]


def test_what_one_machine_puts_another_fetches(url: str, tmp_path: Path) -> None:
    one, other = (Machine(tmp_path / name, SharedStore(url)) for name in ("one", "other"))
    assert other.fetch() is None
    one.push()
    assert other.fetch() == FILES
    assert other.fetch("cd" * 32) is None
    found = other.store.contents(KEY, NAMES)
    assert found == {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    assert other.store.contents("cd" * 32, NAMES) is None
    one.push(FILES | {"a.json": b"[]"})
    assert other.fetch() == FILES | {"a.json": b"[]"}


def test_what_a_killed_build_left_in_a_folder_is_swept(tmp_path: Path) -> None:
    new = tmp_path / "shared" / ".new"
    new.mkdir(parents=True)
    for name, age in (("killed", 2 * 3600), ("another's", 60)):
        (new / name).write_bytes(b"half")
        os.utime(new / name, (time.time() - age,) * 2)
    machine = Machine(tmp_path / "one", SharedStore(str(tmp_path / "shared")))
    machine.push()
    assert machine.fetch() == FILES
    assert [path.name for path in new.iterdir()] == ["another's"]


def test_a_store_that_is_only_read_gets_nothing(url: str, tmp_path: Path) -> None:
    reader = Machine(tmp_path / "reader", SharedStore(url, read_only=True))
    reader.push()
    assert reader.fetch() is None
    Machine(tmp_path / "writer", SharedStore(url)).push()
    assert reader.fetch() == FILES


def test_nothing_is_opened_before_something_is_asked_for(proxy: FaultyProxy, tmp_path: Path) -> None:
    store = SharedStore("s3://builds")
    assert proxy.connections == 0
    Machine(tmp_path / "one", store).fetch()
    assert proxy.connections == 1


def header(files: dict[str, object], key: str = KEY) -> bytes:
    return json.dumps({"key": key, "files": files}).encode() + b"\n"


def listed(files: dict[str, bytes] = FILES) -> dict[str, object]:
    return {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)} for name, content in files.items()
    }


BODY = b"".join(FILES.values())
DAMAGE: dict[str, bytes] = {
    "empty": b"",
    "no header": b"x" * 2_000_000,
    "no JSON": b"{\n" + BODY,
    "nested without end": b"[" * 100_000 + b"\n" + BODY,
    "of another key": header(listed(), "cd" * 32) + BODY,
    "of other files": header(listed() | {"../../evil": {"sha256": "0" * 64, "bytes": 1}}) + BODY + b"x",
    "of fewer files": header(listed({"a.json": b"{}"})) + BODY,
    "a byte is wrong": header(listed()) + b"[" + BODY[1:],
    "cut off": header(listed()) + BODY[:-1],
    "too long": header(listed()) + BODY + b"x",
    "a huge length": header(listed() | {"a.json": {"sha256": "0" * 64, "bytes": 10**30}}) + BODY,
    "a negative length": header(listed() | {"a.json": {"sha256": "0" * 64, "bytes": -2}}) + BODY,
    "a pickle": b"cos\nsystem\n(S'touch pwned'\ntR.",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_not_as_it_was_put_is_not_used_and_is_replaced(
    damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "shared" / KEY[:2] / KEY
    place.parent.mkdir(parents=True)
    place.write_bytes(DAMAGE[damage])
    machine = Machine(tmp_path / "one", SharedStore(str(tmp_path / "shared")))
    before = sorted(tmp_path.rglob("*"))
    assert machine.fetch() is None
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "not what was put there" in told and KEY in told
    assert {path.name for path in {*tmp_path.rglob("*")} - {*before}} == {"got1", "scratch"}
    assert machine.store.contents(KEY, NAMES) is None or damage in (
        "a byte is wrong",
        "cut off",
        "too long",
        "a huge length",
    )
    machine.push()
    assert machine.fetch() == FILES


@pytest.mark.parametrize("what", ["link", "folder"])
def test_what_is_no_file_is_not_used(what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "shared" / KEY[:2] / KEY
    place.parent.mkdir(parents=True)
    if what == "link":
        place.symlink_to("/etc/passwd")
    else:
        place.mkdir()
    machine = Machine(tmp_path / "one", SharedStore(str(tmp_path / "shared")))
    assert machine.fetch() is None
    assert "shared" in capsys.readouterr().err


@pytest.mark.parametrize("fault", ["dropped", "wrong", "slow", "silent"])
def test_a_faulty_line_costs_one_warning_and_little_time(
    fault: Fault, proxy: FaultyProxy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Machine(tmp_path / "one", SharedStore("s3://builds")).push()
    proxy.fault = fault
    machine = Machine(tmp_path / "other", SharedStore("s3://builds", patience=1.5))
    begun = time.monotonic()
    for _ in range(3):
        with suppress(AssertionError):  # a request that was given up may still write there
            assert machine.fetch() is None
        machine.push()
    told = capsys.readouterr().err
    assert time.monotonic() - begun < 8
    assert told.count("\n") == 1 or fault == "wrong", told
    assert "s3://builds" in told
    assert SECRET not in told and "AKIA" not in told


def test_a_store_that_is_not_there_costs_one_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    machine = Machine(tmp_path / "one", SharedStore("s3://builds", patience=2))
    assert machine.fetch() is None
    machine.push()
    assert machine.fetch() is None
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "goes on without it" in told
    assert SECRET not in told and "AKIA" not in told


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("s3://nobodys-bucket/x", "no such bucket"),
        ("nothing://place", "ValueError"),
        ("/proc/nowhere", "shared store /proc/nowhere"),
    ],
)
def test_a_place_that_takes_nothing_costs_one_warning(
    url: str, told: str, tmp_path: Path, proxy: FaultyProxy, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Machine(tmp_path / "one", SharedStore(url, patience=5))
    machine.push()
    machine.push()
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and told in err


def test_processes_that_were_forked_tell_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    store = SharedStore("nothing://place")
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            store.contents(KEY, NAMES)
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    assert capfd.readouterr().err.count("goes on without it") == 1


def test_readers_beside_writers_get_whole_artifacts_or_none(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two writers of the same key, whose bytes differ so that a mixture would show."""
    versions = [dict.fromkeys(NAMES, letter * 300000) for letter in (b"a", b"b")]
    found = list[dict[str, bytes] | None]()

    def write(number: int) -> None:
        writer = Machine(tmp_path / f"writer{number}", SharedStore(url))
        for _ in range(10):
            writer.push(versions[number])

    reader = Machine(tmp_path / "reader", SharedStore(url))
    writers = [threading.Thread(target=write, args=(number,)) for number in range(2)]
    for thread in writers:
        thread.start()
    while any(thread.is_alive() for thread in writers):
        found.append(reader.fetch())
    found.append(reader.fetch())
    for thread in writers:
        thread.join()
    assert all(one is None or one in versions for one in found) and found[-1] in versions
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "url",
    [
        f"ssh://me:{SECRET}@host/x",
        f"https://host/x?token={SECRET}",
        "simplecache::s3://b/x",
        "s3://",
        f"s3://AKIA:{SECRET}@b",
    ],
)
def test_secrets_in_the_url_are_refused_and_not_shown(url: str) -> None:
    with pytest.raises(BuildError, match="MCUBUILD_STORE_URL") as refused:
        SharedStore(url)
    assert SECRET not in str(refused.value)


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., SharedStore | None]]:
    def choose(**variables: str) -> SharedStore | None:
        shared_store.cache_clear()
        for name in ("URL", "READONLY", "TIMEOUT"):
            monkeypatch.delenv(f"MCUBUILD_STORE_{name}", raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(f"MCUBUILD_STORE_{name}", value)
        return shared_store()

    yield choose
    shared_store.cache_clear()


def test_the_environment_says_which(chosen: Callable[..., SharedStore | None]) -> None:
    assert chosen() is None and chosen(URL="", READONLY="1") is None
    both = chosen(URL="s3://a/b"), chosen(URL="s3://a/b", READONLY="1")
    assert [one and (one.url, one.read_only) for one in both] == [("s3://a/b", False), ("s3://a/b", True)]
    for wrong in ({"READONLY": "maybe"}, {"TIMEOUT": "soon"}, {"TIMEOUT": "0"}):
        with pytest.raises(BuildError, match="must be"):
            chosen(URL="s3://a/b", **wrong)
