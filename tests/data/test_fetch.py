"""Fetching what a data set lacks, from servers that break in every way."""

import errno
import gzip
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from mcubuild.data.fetch import consent, download
from mcubuild.data.fetch.fetch import fetch
from mcubuild.data.fetch.table import Archive, published
from mcubuild.data.kinds import kind
from mcubuild.data.places import missing
from mcubuild.errors import BuildError
from mcubuild.units import format_bytes
from tests.data.coco import write_coco
from tests.data.server import Behaviour, serving

PIECE = 64 * 2**10
CONTENT = np.random.default_rng(0).integers(0, 256, 10 * PIECE + 123, np.uint8).tobytes()
KIND, NAME = "cifar10", "data.bin"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(download, "PIECE", PIECE)
    monkeypatch.setattr(download, "_CHUNK", 4096)
    monkeypatch.setattr(download, "_PAUSE", 0.0)
    monkeypatch.setattr(download, "_TIMEOUT", (0.5, 0.5))
    monkeypatch.setattr(download, "_SECONDS_BETWEEN_NOTES", 0.01)
    monkeypatch.setenv("MCUBUILD_DATA", str(tmp_path))
    monkeypatch.delenv("MCUBUILD_FETCH", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def does() -> Behaviour:
    return Behaviour(CONTENT)


@pytest.fixture
def server(does: Behaviour, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with serving(does) as address:
        offer(monkeypatch, address)
        yield address


def offer(monkeypatch: pytest.MonkeyPatch, address: str, content: bytes = CONTENT, **more: Any) -> Archive:
    """Make this what is published."""
    archive = Archive(NAME, f"{address}/{NAME}", len(content), hashlib.sha256(content).hexdigest(), **more)
    monkeypatch.setattr("mcubuild.data.fetch.fetch.published", lambda kind: {NAME: archive})
    return archive


def bring(folder: Path) -> None:
    fetch(KIND, lambda: [] if (folder / KIND / NAME).is_file() else [NAME])


def check(folder: Path, content: bytes = CONTENT) -> None:
    """The file is there, and nothing else but the lock."""
    assert (folder / KIND / NAME).read_bytes() == content
    assert sorted(path.name for path in (folder / KIND).iterdir()) == [".lock", NAME]


def nothing_whole(folder: Path) -> None:
    """No file has its final name."""
    assert not [path for path in (folder / KIND).iterdir() if not path.name.startswith(".")]


def sent(does: Behaviour) -> int:
    """Bytes of all ranges that were asked for."""
    ranges = [entry.rpartition("=")[2].split("-") for entry in does.asked if "=" in entry]
    return sum(int(last) - int(first) + 1 for first, last in ranges)


def test_pieces_of_a_file_are_fetched_and_put_together(tmp_path: Path, does: Behaviour, server: str) -> None:
    bring(tmp_path)
    check(tmp_path)
    assert len(does.asked) == 12, "the first byte, and eleven pieces"
    assert sent(does) == len(CONTENT) + 1


def test_what_is_there_is_not_fetched(tmp_path: Path, does: Behaviour, server: str) -> None:
    bring(tmp_path)
    del does.asked[:]
    bring(tmp_path)
    assert not does.asked


@pytest.mark.parametrize("ranges", [True, False])
def test_connections_that_drop_are_taken_up_again(tmp_path: Path, does: Behaviour, server: str, ranges: bool) -> None:
    does.drops, does.ranges = 5, ranges
    bring(tmp_path)
    check(tmp_path)


def test_what_came_before_a_drop_is_not_fetched_again(tmp_path: Path, does: Behaviour, server: str) -> None:
    does.drops = 6
    bring(tmp_path)
    assert len(does.asked) == 12 + 6
    again = sent(does) - len(CONTENT) - 1
    assert again <= 6 * (PIECE // 2 + 4096), "each drop costs the half that did not come, or less"


@pytest.mark.parametrize("swap", [False, True])
def test_a_download_that_stopped_goes_on(tmp_path: Path, does: Behaviour, server: str, swap: bool) -> None:
    """Unless the server has another file meanwhile: then nothing of the old one stays."""
    does.drops, does.lasts = 3, 8
    with pytest.raises(BuildError, match="goes on from what is there"):
        bring(tmp_path)
    nothing_whole(tmp_path)
    done = sum(json.loads((tmp_path / KIND / f".{NAME}.part.json").read_text())["done"])
    assert 0 < done < len(CONTENT)
    does.drops = does.lasts = 0
    del does.asked[:]
    if swap:
        does.etag = '"two"'
    bring(tmp_path)
    check(tmp_path)
    assert sent(does) == (len(CONTENT) + 2 if swap else len(CONTENT) + 1 - done)


def test_a_build_that_was_killed_goes_on(tmp_path: Path, does: Behaviour, server: str) -> None:
    script = (
        "import os, sys\nfrom mcubuild.data.fetch import download\nfrom mcubuild.data.fetch.table import Archive\n"
        "from pathlib import Path\n"
        f"download.PIECE, download._CHUNK, download._SECONDS_BETWEEN_NOTES = {PIECE}, 4096, 0\n"
        "came = 0\n"
        "def advance(count):\n"
        "    global came\n    came += count\n"
        "    if came > 300000 and download.bytes_there(archive, folder) > 100000: os.kill(os.getpid(), 9)\n"
        f"archive, folder = Archive({NAME!r}, sys.argv[1], {len(CONTENT)}, sys.argv[2]), Path(sys.argv[3])\n"
        "download.download(archive, folder, advance)\n"
    )
    (tmp_path / KIND).mkdir()
    arguments = [f"{server}/{NAME}", hashlib.sha256(CONTENT).hexdigest(), str(tmp_path / KIND)]
    assert subprocess.run([sys.executable, "-c", script, *arguments], check=False).returncode == -9
    del does.asked[:]
    bring(tmp_path)
    check(tmp_path)
    assert sent(does) < len(CONTENT) - 90_000


def test_what_is_whole_but_not_in_place_is_verified_without_the_server(
    tmp_path: Path, does: Behaviour, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "sha256", lambda: pytest.fail("killed here"))
        with pytest.raises(pytest.fail.Exception):
            bring(tmp_path)
    nothing_whole(tmp_path)
    does.status = 503
    bring(tmp_path)
    check(tmp_path)


def test_what_is_noted_of_another_file_is_worth_nothing(
    tmp_path: Path, does: Behaviour, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for damage in ("{", "[]", '{"done": [-5]}', '{"done": ["x"]}', '{"done": [99999999]}'):
        (tmp_path / KIND).mkdir()
        (tmp_path / KIND / f".{NAME}.part").write_bytes(bytes(len(CONTENT) + 999))
        (tmp_path / KIND / f".{NAME}.part.json").write_text(damage)
        bring(tmp_path)
        check(tmp_path)
        shutil.rmtree(tmp_path / KIND)


def test_a_server_without_ranges_sends_all_at_once(tmp_path: Path, does: Behaviour, server: str) -> None:
    does.ranges = False
    bring(tmp_path)
    check(tmp_path)
    assert [entry.split()[1] for entry in does.asked] == ["bytes=0-0", "all"]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_server_need_not_say_how_long_its_answers_are(
    tmp_path: Path, does: Behaviour, server: str, ranges: bool
) -> None:
    does.length, does.ranges, does.drops = False, ranges, 2
    bring(tmp_path)
    check(tmp_path)


@pytest.mark.parametrize("minds", [True, False])
def test_a_file_that_changes_between_two_pieces_is_fetched_from_its_beginning(
    tmp_path: Path,
    does: Behaviour,
    server: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    minds: bool,
) -> None:
    does.swapped, does.minds = 6, minds
    offer(monkeypatch, server, CONTENT[::-1])
    bring(tmp_path)
    check(tmp_path, CONTENT[::-1])
    assert "was replaced on the server meanwhile" in capfd.readouterr().err


def test_a_file_that_changes_without_a_sign_is_not_taken(
    tmp_path: Path, does: Behaviour, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    does.etag, does.swapped = None, 6
    with pytest.raises(BuildError, match="what was fetched is not what is published"):
        bring(tmp_path)
    nothing_whole(tmp_path)


def test_wrong_bytes_are_put_aside_and_named(tmp_path: Path, does: Behaviour, server: str) -> None:
    does.content = wrong = bytes([CONTENT[0] ^ 1]) + CONTENT[1:]
    with pytest.raises(BuildError, match=r"put aside as .*\.wrong-data\.bin") as caught:
        bring(tmp_path)
    assert hashlib.sha256(wrong).hexdigest() in str(caught.value)
    nothing_whole(tmp_path)
    assert (tmp_path / KIND / f".wrong-{NAME}").read_bytes() == wrong
    does.content = CONTENT
    bring(tmp_path)
    assert (tmp_path / KIND / NAME).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"status": 404}, "answers 404 Not Found"),
        ({"status": 403}, "answers 403 Forbidden"),
        ({"status": 503}, "answers 503"),
        ({"content": CONTENT + b"more"}, f"has {len(CONTENT) + 4} bytes"),
        ({"content": b"<html>Log in</html>", "ranges": False}, "does a proxy or a login page"),
        ({"shifted": True}, "asked for the bytes"),
        ({"silent": True}, "broke 8 times"),
    ],
    ids=["gone", "forbidden", "down", "longer", "login page", "another range", "silent"],
)
def test_what_a_server_does_wrong_is_told_in_a_line(
    tmp_path: Path, does: Behaviour, server: str, fault: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "_TIMEOUT", (0.05, 0.05))
    for key, value in fault.items():
        setattr(does, key, value)
    with pytest.raises(BuildError, match=told) as caught:
        bring(tmp_path)
    assert server in str(caught.value) and "\n" not in str(caught.value)
    nothing_whole(tmp_path)


def test_a_busy_server_is_asked_again(tmp_path: Path, does: Behaviour, server: str) -> None:
    does.busy = 3
    bring(tmp_path)
    check(tmp_path)


def test_redirections_are_followed(tmp_path: Path, does: Behaviour, server: str) -> None:
    does.redirects = True
    bring(tmp_path)
    check(tmp_path)


@pytest.mark.parametrize("ranges", [True, False])
def test_an_archive_is_kept_compressed_whatever_the_server_calls_it(
    tmp_path: Path, does: Behaviour, server: str, monkeypatch: pytest.MonkeyPatch, ranges: bool
) -> None:
    """Some servers call a .tar.gz a tar that they have compressed, which clients then take apart."""
    does.content, does.encoding, does.ranges = gzip.compress(CONTENT), "gzip", ranges
    offer(monkeypatch, server, does.content)
    bring(tmp_path)
    check(tmp_path, does.content)


def test_a_packed_archive_is_unpacked(
    tmp_path: Path, does: Behaviour, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    does.content = gzip.compress(CONTENT)
    offer(monkeypatch, server, does.content, packed=True)
    bring(tmp_path)
    check(tmp_path)


def test_proxies_are_those_of_the_environment(
    tmp_path: Path, does: Behaviour, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, "http://data.invalid")
    monkeypatch.setenv("http_proxy", server)
    bring(tmp_path)
    check(tmp_path)
    assert does.asked[0].startswith("http://data.invalid/")


def test_without_a_network_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*arguments: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    offer(monkeypatch, "http://data.invalid")
    with pytest.raises(BuildError, match=r"data\.invalid.*cannot be reached \(.*Name or service not known\)"):
        bring(tmp_path)


def test_a_server_that_is_off_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    offer(monkeypatch, f"http://127.0.0.1:{port}")
    with pytest.raises(BuildError, match=r"cannot be reached \(.*[Rr]efused\)"):
        bring(tmp_path)


@pytest.mark.parametrize("ranges", [True, False])
def test_a_disk_that_fills_up_is_told_and_the_rest_comes_later(
    tmp_path: Path, does: Behaviour, server: str, monkeypatch: pytest.MonkeyPatch, ranges: bool
) -> None:
    does.ranges, left = ranges, [len(CONTENT) // 2]
    write = os.pwrite

    def full(file: int, content: bytes, at: int) -> int:
        left[0] -= len(content)
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, content, at)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(BuildError, match=r"the disk is full.*MCUBUILD_DATA"):
        bring(tmp_path)
    nothing_whole(tmp_path)
    monkeypatch.setattr(os, "pwrite", write)
    bring(tmp_path)
    check(tmp_path)


def test_room_is_looked_for_before_anything_is_fetched(
    tmp_path: Path, does: Behaviour, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 5, len(CONTENT) - 1))
    with pytest.raises(BuildError, match="656 kB are needed, and the disk has 656 kB"):
        bring(tmp_path)
    assert not does.asked


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / KIND).write_text("a file")
    with pytest.raises(BuildError, match=r"cannot be written.*MCUBUILD_DATA"):
        bring(tmp_path)


def test_an_interruption_is_not_held_up(
    tmp_path: Path, does: Behaviour, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by pauses before a server is asked again, nor by other pieces; what came stays."""
    monkeypatch.setattr(download, "_PAUSE", 30.0)
    does.drops = 10**6
    came = [0]

    def interrupted(*arguments: object) -> bool:
        came[0] += 1
        if came[0] == 3:
            raise KeyboardInterrupt
        return False

    monkeypatch.setattr(download, "_ended", interrupted)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        bring(tmp_path)
    assert time.monotonic() - start < 5
    nothing_whole(tmp_path)


def test_two_builds_fetch_once(tmp_path: Path, does: Behaviour, server: str) -> None:
    ready = Barrier(3)

    def build() -> None:
        ready.wait()
        bring(tmp_path)

    with ThreadPoolExecutor(3) as pool:
        for worker in [pool.submit(build) for _ in range(3)]:
            worker.result()
    check(tmp_path)
    assert len(does.asked) == 12


class TestConsent:
    """What is large is asked for."""

    @pytest.fixture(autouse=True)
    def large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(consent, "LARGE", len(CONTENT) - 1)

    def test_nobody_is_there(self, tmp_path: Path, does: Behaviour, server: str) -> None:
        with pytest.raises(BuildError, match=r"data\.bin \(656 kB\).*MCUBUILD_FETCH=yes.*dataset\.path"):
            bring(tmp_path)
        assert not does.asked

    def test_it_was_agreed_to_before(
        self, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("MCUBUILD_FETCH", "yes")
        bring(tmp_path)
        check(tmp_path)
        assert f"fetching {NAME} (656 kB) into {tmp_path / KIND}" in capfd.readouterr().err

    @pytest.mark.parametrize("large", [len(CONTENT) - 1, len(CONTENT)])
    def test_it_was_refused_before(
        self, tmp_path: Path, does: Behaviour, server: str, monkeypatch: pytest.MonkeyPatch, large: int
    ) -> None:
        monkeypatch.setattr(consent, "LARGE", large)
        monkeypatch.setenv("MCUBUILD_FETCH", "no")
        with pytest.raises(BuildError, match="MCUBUILD_FETCH=yes"):
            bring(tmp_path)
        assert not does.asked

    def test_an_answer_must_be_yes_or_no(self, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MCUBUILD_FETCH", "perhaps")
        with pytest.raises(BuildError, match="MCUBUILD_FETCH=perhaps"):
            bring(tmp_path)

    @pytest.mark.parametrize(("answer", "comes"), [("y", True), ("yes", True), ("", False), ("no", False)])
    def test_somebody_at_a_terminal_answers(self, tmp_path: Path, server: str, answer: str, comes: bool) -> None:
        script = (
            "import sys\nfrom pathlib import Path\nfrom mcubuild.data.fetch import consent\n"
            "from mcubuild.errors import BuildError\n"
            "try:\n    consent.agree(Path('/data'), ['a.zip'], 2 * 10**9)\n"
            "except BuildError as error:\n    print(error, file=sys.stderr); sys.exit(3)\n"
        )
        import pty

        process, terminal = pty.fork()
        if process == 0:
            os.execv(sys.executable, [sys.executable, "-c", script])
        shown = b""
        while b"[y/N]" not in shown:
            shown += os.read(terminal, 1000)
        os.write(terminal, f"{answer}\n".encode())
        _, status = os.waitpid(process, 0)
        os.close(terminal)
        assert b"a.zip (2 GB) must be fetched into /data" in shown
        assert os.waitstatus_to_exitcode(status) == (0 if comes else 3)


def test_with_the_data_in_place_no_socket_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rules.fetch import fetch as gather

    write_coco(tmp_path / "visual_wake_words")

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    settings = {"kind": "visual_wake_words", "path": None, "year": 2017, "minival": None}
    gather({"spec": {"dataset": settings}, "folder": str(tmp_path)})
    (tmp_path / "visual_wake_words" / "val2017").rename(tmp_path / "elsewhere")
    monkeypatch.setenv("MCUBUILD_FETCH", "yes")
    with pytest.raises(AssertionError, match="a socket was opened"):
        gather({"spec": {"dataset": settings}, "folder": str(tmp_path)})
    gather({"spec": {"dataset": {**settings, "path": "mine"}}, "folder": str(tmp_path)})


def test_the_table_has_what_kinds_lack(tmp_path: Path) -> None:
    for name, settings in (
        ("visual_wake_words", {"year": 2014}),
        ("visual_wake_words", {"year": 2017}),
        ("wake_vision", {"labels": "quality"}),
        ("wake_vision", {"labels": "large"}),
        ("cifar10", {}),
    ):
        lacking = kind(name).lacking({**settings, "path": None}, tmp_path)
        assert lacking and set(lacking) <= published(name).keys()


def test_what_nobody_may_fetch_is_told(tmp_path: Path) -> None:
    names = ["ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"]
    fetch("imagenet", lambda: names)
    told = missing("imagenet", None, tmp_path, names)
    assert told.startswith(f"{tmp_path / 'imagenet'}: found no {', '.join(names)} for")
    assert "get them with an account (https://image-net.org/download-images) and put them there" in told


def test_the_table_is_sound() -> None:
    for name in ("visual_wake_words", "wake_vision", "speech_commands", "cifar10"):
        for archive in published(name).values():
            assert archive.url.startswith(("http://", "https://")) and archive.size > 10**6
            assert len(bytes.fromhex(archive.sha256)) == 32
    assert not published("digits")


def test_sizes_of_downloads_are_decimal() -> None:
    assert [format_bytes(size) for size in (1, 999, 252_872_794, 2_428_923_189, 999_900_000)] == [
        "1 kB",
        "1 kB",
        "253 MB",
        "2.43 GB",
        "1 GB",
    ]
