"""Ctrl-C while the output goes to another program, which it ends first."""

import os
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

from tests.e2e.checkout import SPEC, Checkout


def test_ctrl_c_on_a_build_whose_reader_has_gone(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout", tmp_path / "store")
    checkout.write_spec(SPEC.replace("[supernet]\nepochs = 1", "[supernet]\nepochs = 1000"))
    reading, writing = os.pipe()
    build = subprocess.Popen(
        checkout.command("supernet"),
        cwd=checkout.path,
        env=checkout.environment(),
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # nohup and the like have it ignored
    )
    os.close(writing)
    deadline = time.monotonic() + 120
    while not list((checkout.store / "work").glob("*/*")) and time.monotonic() < deadline:
        time.sleep(0.1)
    os.close(reading)
    build.send_signal(signal.SIGINT)
    _, errors = build.communicate(timeout=60)
    assert build.returncode == 130
    assert "Traceback" not in errors and "BrokenPipe" not in errors, errors
    assert checkout.doit("dataset").code == 0
