"""A server of S3 on this machine, and one before it that loses, spoils and delays what it says."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Literal

import pytest
import requests

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
Fault = Literal["none", "dropped", "wrong", "slow", "silent"]


class FaultyProxy:
    """Listens on a port of its own and hands on to ``target``; what comes back suffers ``fault``."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.fault: Fault = "none"
        self.connections = 0
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Listen no longer."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(self._target)
            threading.Thread(target=self._there, args=(client, server), daemon=True).start()
            threading.Thread(target=self._back, args=(server, client), daemon=True).start()

    def _there(self, client: socket.socket, server: socket.socket) -> None:
        try:
            while data := client.recv(1 << 16):
                server.sendall(data)
        except OSError:
            pass
        server.close()

    def _back(self, server: socket.socket, client: socket.socket) -> None:
        try:
            while data := server.recv(1 << 16):
                if self.fault == "silent":
                    time.sleep(60)
                elif self.fault == "dropped":
                    client.sendall(data[: len(data) // 2])
                    break
                elif self.fault == "slow":
                    for byte in data:
                        client.sendall(bytes([byte]))
                        time.sleep(0.05)
                elif self.fault == "wrong" and len(data) > 2:
                    data = data[:-2] + bytes([data[-2] ^ 1]) + data[-1:]
                    client.sendall(data)
                else:
                    client.sendall(data)
        except OSError:
            pass
        client.close()


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, int]]:
    moto = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    yield running.get_host_and_port()
    running.stop()


@pytest.fixture
def proxy(server: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    between = FaultyProxy(server)
    requests.put(f"http://{server[0]}:{server[1]}/builds", timeout=5).raise_for_status()
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", between.url),
    ):
        monkeypatch.setenv(name, value)
    yield between
    between.close()
    requests.post(f"http://{server[0]}:{server[1]}/moto-api/reset", timeout=5)
