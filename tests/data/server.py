"""A server of files on this machine, with the faults of others."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread


@dataclass
class Behaviour:
    """What it does; all of it may be changed while it runs."""

    content: bytes
    ranges: bool = True
    """Whether it knows ranges: otherwise it sends everything."""
    etag: str | None = '"one"'
    minds: bool = True
    """Whether it looks at ``If-Range``."""
    drops: int = 0
    """How many answers with more than a byte break off in the middle."""
    silent: bool = False
    """Whether it sends half of an answer and then nothing, for as long as it runs."""
    status: int = 0
    """Answers nothing but this, if not 0."""
    busy: int = 0
    """How many times it is busy before it answers."""
    redirects: bool = False
    """Whether it sends everybody on to another path."""
    length: bool = True
    """Whether it says how long an answer is."""
    shifted: bool = False
    """Whether it sends another range than the one asked for."""
    swapped: int = 0
    """After so many answers it has another file, if not 0."""
    lasts: int = 0
    """How many answers it gives before it is down, if not 0."""
    encoding: str | None = None
    """What it claims the file to be compressed by."""
    asked: list[str] = field(default_factory=list)
    """Every path and range that was asked for."""
    lock: Lock = field(default_factory=Lock)
    over: Event = field(default_factory=Event)


def _handler(does: Behaviour) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            with does.lock:
                does.asked.append(f"{self.path} {wanted or 'all'}")
                if does.swapped and len(does.asked) > does.swapped:
                    does.content, does.etag, does.swapped = does.content[::-1], does.etag and '"two"', 0
                busy, does.busy = does.busy > 0, max(0, does.busy - 1)
            if does.lasts and len(does.asked) > does.lasts:
                self.close_connection = True
            elif busy or does.status:
                self.send_response(503 if busy else does.status)
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif does.redirects and not self.path.startswith("/there"):
                self.send_response(302)
                self.send_header("Location", "/there")
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                self._send(wanted)

        def _send(self, wanted: str | None) -> None:
            content, first = does.content, 0
            match = re.fullmatch(r"bytes=(\d+)-(\d+)", wanted or "")
            current = not does.minds or self.headers.get("If-Range") in (None, does.etag)
            partial = does.ranges and match is not None and current
            if partial and match:
                first, last = int(match[1]) + does.shifted, min(int(match[2]) + does.shifted, len(content) - 1)
                content = content[first : last + 1]
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(does.content)}")
            else:
                self.send_response(200)
            if does.etag:
                self.send_header("ETag", does.etag)
            if does.encoding:
                self.send_header("Content-Encoding", does.encoding)
            if does.length:
                self.send_header("Content-Length", str(len(content)))
            else:
                self.send_header("Connection", "close")
            self.end_headers()
            with does.lock:
                drop = does.drops > 0 and len(content) > 1
                does.drops -= drop
            half = drop or (does.silent and len(content) > 1)
            try:
                self.wfile.write(content[: len(content) // 2] if half else content)
                self.wfile.flush()
            except OSError:  # the other side needs no more
                self.close_connection = True
                return
            if half and does.silent:
                does.over.wait()
            self.close_connection = self.close_connection or half or not does.length

    return Handler


@contextmanager
def serving(does: Behaviour) -> Iterator[str]:
    """The address of a server that does so."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(does))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        does.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
