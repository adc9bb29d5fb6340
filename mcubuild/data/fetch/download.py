"""One file from a server: in pieces, several at a time where the server allows, and from where an earlier call stopped.

What is on disk already is known from a journal beside the file. A piece belongs to the file that the first answer was
of: that is asked for by ``If-Range`` and compared, as what the server has may change meanwhile (RFC 9110, 13.1.5, 14).
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Lock
from typing import Any, Final

import requests
import urllib3
from requests.adapters import HTTPAdapter

from mcubuild.data.fetch.table import Archive
from mcubuild.errors import BuildError, shortened, tell
from mcubuild.files import discard, write_whole

PIECE: Final = 64 * 2**20
"""Bytes that are asked for at a time: few requests for a file of gigabytes, and enough pieces to share out."""
CONNECTIONS: Final = 4
"""At a time: more is taken for an attack by some servers."""
_CHUNK = 128 * 2**10
"""Bytes that are written at a time."""
_TIMEOUT = (10.0, 30.0)
"""Seconds until a server must have taken up the connection, and that it may be silent."""
_TRIES = 8
"""How often a connection may break, one time after the other, without a byte more."""
_PAUSE = 0.5
"""Seconds before the second try; twice as long before each further one, up to"""
_LONGEST_PAUSE = 30.0
_BUSY = (429, 500, 502, 503, 504)
"""Answers after which a server is asked again, when it says if it does."""
_PART, _NONE = 206, 200
"""Answers with a range of the file, and with all of it, where a server knows no ranges or the file has changed."""
_SECONDS_BETWEEN_NOTES = 1.0

_BREAKS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
"""What reading from a connection that breaks raises."""


class _ChangedError(Exception):
    """The server has another file than the one that was begun."""


class _BrokenError(Exception):
    """A connection broke, or none came about."""


@dataclass
class _Piece:
    """A range of the file."""

    start: int
    end: int
    """Behind the last byte."""
    done: int = 0
    """Bytes of it, from its start on, that are on disk."""


def part_of(archive: Archive, folder: Path) -> Path:
    """Where a file is until it is whole and verified; names with a dot in front are no part of a data set."""
    return folder / f".{archive.name}.part"


def _journal_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def bytes_there(archive: Archive, folder: Path) -> int:
    """How many bytes of a file an earlier call has left, as far as is known without asking the server."""
    part = part_of(archive, folder)
    noted = _noted(part) if part.is_file() else {}
    return sum(noted["done"]) if noted.get("sha256") == archive.sha256 else 0


def forget(part: Path) -> None:
    """Remove an unfinished file, and what is known of it."""
    discard(_journal_of(part))
    discard(part)


def download(archive: Archive, folder: Path, advance: Callable[[int], None]) -> Path:
    """Bring a file into ``folder``, under the name of ``part_of``: all of its bytes, which nobody has verified yet.

    Args:
        archive: what to get.
        folder: where to; what an earlier call has left there is not fetched again.
        advance: is told, from any thread, how many bytes more are there: fewer than 0 where some are worth nothing.

    Raises:
        BuildError: the server cannot be reached, does not have the file, or has another one.
        OSError: it cannot be written.
    """
    for _ in range(2):
        if bytes_there(archive, folder) == archive.size:
            return part_of(archive, folder)
        with suppress(_ChangedError):
            return _Download(archive, part_of(archive, folder), advance).run()
        tell(f"{archive.url}: was replaced on the server meanwhile; it is fetched from its beginning.")
        advance(-bytes_there(archive, folder))
        forget(part_of(archive, folder))
    raise BuildError(f"{archive.url}: is replaced on the server again and again; try later.")


@dataclass
class _Download:
    """A file on its way."""

    archive: Archive
    part: Path
    advance: Callable[[int], None]
    validator: str | None = None
    """ETag, or else the date of the last change, of what the server has."""
    pieces: list[_Piece] = field(default_factory=list)
    stop: Event = field(default_factory=Event)
    """Set when one of the pieces cannot be had, or the user interrupts."""
    lock: Lock = field(default_factory=Lock)
    """Held by whoever changes or reads how much of the pieces is done."""

    def run(self) -> Path:
        """All of it, on disk."""
        before = bytes_there(self.archive, self.part.parent)
        ranges = self._probe()
        end = self.archive.size
        self.pieces = [_Piece(start, min(start + PIECE, end)) for start in range(0, end, PIECE)] if ranges else []
        if ranges and before:
            self._recall()
        self.advance(sum(piece.done for piece in self.pieces) - before)
        file = os.open(self.part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            if ranges:
                self._fetch_pieces(file)
            else:
                discard(_journal_of(self.part))
                with _session() as session:
                    self._persist(lambda: self._fetch_all(session, file), lambda: 0)
            os.ftruncate(file, end)  # a file of that name may have been longer
            os.fsync(file)
        finally:
            os.close(file)
        if not ranges:
            self.pieces = [_Piece(0, end, end)]
            self._note()
        return self.part

    def _probe(self) -> bool:
        """Whether the server sends ranges of the file; what it has is known by ``validator`` from now on.

        Raises:
            BuildError: it cannot be reached, does not have the file, or has one of another size.
        """
        url, size = self.archive.url, None
        try:
            with _session() as session, self._answer(session, {"Range": "bytes=0-0"}) as response:
                status, headers = response.status_code, response.headers
                self.validator = _validator(response)
        except _BrokenError as error:
            raise BuildError(f"{url}: cannot be reached ({error}).") from None
        if status == _PART:
            size = headers.get("Content-Range", "").rpartition("/")[2]
        elif status == _NONE:
            size = headers.get("Content-Length", str(self.archive.size))
        else:
            raise BuildError(f"{url}: the server answers {status} {response.reason}.")
        if size != str(self.archive.size):
            raise BuildError(
                f"{url}: the server has {size} bytes of {headers.get('Content-Type', 'any sort')}, published are "
                f"{self.archive.size}; does a proxy or a login page answer in its place?"
            )
        return status == _PART

    def _fetch_pieces(self, file: int) -> None:
        waiting = SimpleQueue[_Piece]()
        for piece in self.pieces:
            if piece.done < piece.end - piece.start:
                waiting.put(piece)
        self._note()
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            workers = [pool.submit(self._work, waiting, file) for _ in range(CONNECTIONS)]
            try:
                while not _ended(workers):
                    self._note()
            finally:
                self.stop.set()
                wait(workers)
                with suppress(OSError):  # a full disk has no room for it, and the one before will do
                    self._note()
        for worker in workers:
            worker.result()

    def _work(self, waiting: SimpleQueue[_Piece], file: int) -> None:
        """Fetch pieces until none is left."""
        with _session() as session:
            while not self.stop.is_set():
                try:
                    piece = waiting.get_nowait()
                except Empty:
                    return
                self._persist(partial(self._fetch, session, piece, file), partial(getattr, piece, "done"))

    def _persist(self, fetch: Callable[[], None], done: Callable[[], int]) -> None:
        """Call ``fetch`` until no connection breaks; as long as more is ``done`` each time, for as long as it takes.

        Raises:
            BuildError: connections broke one after the other, and nothing came.
        """
        failures = 0
        while not self.stop.is_set():
            before = done()
            try:
                fetch()
                return
            except _BrokenError as error:
                failures = 1 if done() > before else failures + 1
                if failures == _TRIES:
                    raise BuildError(
                        f"{self.archive.url}: the connection broke {_TRIES} times, one after the other ({error}). The "
                        f"same command goes on from what is there."
                    ) from None
                self.stop.wait(min(_PAUSE * 2 ** (failures - 1), _LONGEST_PAUSE))

    def _fetch(self, session: requests.Session, piece: _Piece, file: int) -> None:
        """The rest of a piece."""
        start, last = piece.start + piece.done, piece.end - 1
        headers = {"Range": f"bytes={start}-{last}"}
        if self.validator is not None and not self.validator.startswith("W/"):
            headers["If-Range"] = self.validator
        with self._answer(session, headers) as response:
            if response.status_code == _NONE:
                raise _ChangedError
            if response.status_code != _PART:
                raise _BrokenError(f"{response.status_code} {response.reason}")
            if _validator(response) != self.validator:
                raise _ChangedError
            sent = response.headers.get("Content-Range")
            if sent != f"bytes {start}-{last}/{self.archive.size}":
                raise BuildError(
                    f"{self.archive.url}: asked for the bytes {start} to {last}, the server sends {sent}; get the file "
                    f"by other means."
                )
            for content in self._contents(response, last + 1 - start):
                _write(file, content, piece.start + piece.done)
                with self.lock:
                    piece.done += len(content)
                self.advance(len(content))
        if not self.stop.is_set() and piece.start + piece.done < piece.end:
            raise _BrokenError("it ended early")

    def _fetch_all(self, session: requests.Session, file: int) -> None:
        """The file from its beginning to its end, as the server knows no ranges."""
        done = 0
        try:
            with self._answer(session, {}) as response:
                if response.status_code != _NONE:
                    raise _BrokenError(f"{response.status_code} {response.reason}")
                for content in self._contents(response, self.archive.size):
                    _write(file, content, done)
                    done += len(content)
                    self.advance(len(content))
            if done < self.archive.size:
                raise _BrokenError("it ended early")
        except _BrokenError:
            self.advance(-done)
            raise

    @contextmanager
    def _answer(self, session: requests.Session, headers: Mapping[str, str]) -> Iterator[requests.Response]:
        try:
            response = session.get(self.archive.url, headers=headers, stream=True, timeout=_TIMEOUT)
        except _BREAKS as error:
            raise _BrokenError(_reason(error)) from None
        with response:
            yield response

    def _contents(self, response: requests.Response, most: int) -> Iterator[bytes]:
        """What is sent, byte by byte as the server has it: some call a .tar.gz a tar that they have compressed."""
        while most and not self.stop.is_set():
            try:
                content = response.raw.read(min(_CHUNK, most), decode_content=False)
            except _BREAKS as error:
                raise _BrokenError(_reason(error)) from None
            if not content:
                return
            most -= len(content)
            yield content

    def _note(self) -> None:
        """Write down what is on disk."""
        with self.lock:
            done = [piece.done for piece in self.pieces]
        write_whole(_journal_of(self.part), json.dumps({**self._identity(), "done": done}).encode())

    def _recall(self) -> None:
        """Go on from what is written down.

        Raises:
            _ChangedError: it is of another file.
        """
        noted = _noted(self.part)
        if {**noted, "done": None} != {**self._identity(), "done": None} or len(noted["done"]) != len(self.pieces):
            raise _ChangedError
        for piece, done in zip(self.pieces, noted["done"], strict=True):
            piece.done = done

    def _identity(self) -> dict[str, object]:
        return {"url": self.archive.url, "sha256": self.archive.sha256, "validator": self.validator, "piece": PIECE}


def _noted(part: Path) -> dict[str, Any]:
    """What is written down of an unfinished file; nothing if that is damaged."""
    try:
        noted = json.loads(_journal_of(part).read_bytes())
        if all(isinstance(done, int) and done >= 0 for done in noted["done"]):
            return dict(noted)
    except (OSError, ValueError, TypeError, KeyError):
        pass
    return {}


@contextmanager
def _session() -> Iterator[requests.Session]:
    """Connections, by the proxies of the environment; a server that is busy is asked again when it says."""
    retry = urllib3.Retry(
        connect=2,
        read=2,
        redirect=10,
        status=4,
        other=0,
        status_forcelist=_BUSY,
        backoff_factor=_PAUSE,
        raise_on_status=False,
    )
    with requests.Session() as session:
        session.headers["Accept-Encoding"] = "identity"
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=retry))
        yield session


def _ended(workers: list[Future[None]]) -> bool:
    """Whether all are done, or one has failed; waits a while for it."""
    done, pending = wait(workers, _SECONDS_BETWEEN_NOTES, FIRST_EXCEPTION)
    return not pending or any(worker.exception() for worker in done)


def _validator(response: requests.Response) -> str | None:
    return response.headers.get("ETag") or response.headers.get("Last-Modified")


def _write(file: int, content: bytes, at: int) -> None:
    written = 0
    while written < len(content):
        written += os.pwrite(file, content[written:], at + written)


def _reason(error: BaseException) -> str:
    """What the innermost of the errors in ``error`` says, in a few words."""
    while True:
        inner = getattr(error, "reason", None) or next(iter(reversed(error.args)), None)
        if not isinstance(inner, BaseException):
            break
        error = inner
    told = str(getattr(error, "strerror", None) or error).rpartition("): ")[2] or type(error).__name__
    return shortened(" ".join(told.split()), 120)
