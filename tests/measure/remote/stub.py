"""QEMU's own GDB server, for tests of the GDB runner."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

QEMU = "qemu-system-arm"
needs_qemu = pytest.mark.needs(QEMU)


@contextlib.contextmanager
def stub() -> Iterator[str]:
    """QEMU with an STM32F405 that has no firmware yet, behind a free port of this machine: host:port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        remote = f"127.0.0.1:{probe.getsockname()[1]}"
    quiet = ["-display", "none", "-serial", "none", "-monitor", "none"]
    command = [QEMU, "-M", "netduinoplus2", *quiet, "-S", "-gdb", f"tcp:{remote}"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        time.sleep(0.5)
        yield remote
        process.kill()
