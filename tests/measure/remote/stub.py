"""QEMU's own GDB server, for tests of the GDB runner."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

QEMU = "qemu-system-arm"
needs_qemu = pytest.mark.needs(QEMU)


def _listened_at(remote: str) -> bool:
    """Whether a process waits at a port of this machine; to connect would count as a debugger."""
    return f":{int(remote.rpartition(':')[2]):04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text()


@contextlib.contextmanager
def stub() -> Iterator[str]:
    """QEMU with an STM32F405 that has no firmware yet, behind a free port of this machine: host:port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        remote = f"127.0.0.1:{probe.getsockname()[1]}"
    quiet = ["-display", "none", "-serial", "none", "-monitor", "none"]
    command = [QEMU, "-M", "netduinoplus2", *quiet, "-S", "-gdb", f"tcp:{remote}"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            while not _listened_at(remote) and process.poll() is None:
                time.sleep(0.02)
            yield remote
        finally:
            process.kill()
