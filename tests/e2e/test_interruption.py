"""kill -9 during training, then the same command: the same result as an undisturbed run."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from mcubuild.store import digest_file
from tests.e2e.checkout import SPEC, Checkout

LONGER = SPEC.replace("[supernet]\nepochs = 1", "[supernet]\nepochs = 4").replace("generations = 1", "generations = 3")


def _kill_when(checkout: Checkout, task: str, checkpoints: int) -> None:
    """Start ``task`` and kill it without warning when its work folder has changed ``checkpoints`` times."""
    process = subprocess.Popen(
        checkout.command(task), cwd=checkout.path, env=checkout.environment(), stderr=subprocess.DEVNULL
    )
    seen: set[tuple[str, int]] = set()
    deadline = time.monotonic() + 300
    while len(seen) < checkpoints:
        assert process.poll() is None, "the task ended before it could be interrupted"
        assert time.monotonic() < deadline
        with suppress(FileNotFoundError):  # what is done is removed meanwhile
            for path in (checkout.store / "work").glob("*/*"):
                seen.add((path.name, path.stat().st_mtime_ns))
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize(
    ("task", "artifacts"),
    [
        ("supernet", ["supernet.safetensors", "supernet_log.json"]),
        ("search", ["search.json"]),
    ],
)
def test_a_killed_run_continues(tmp_path: Path, task: str, artifacts: list[str]) -> None:
    undisturbed = Checkout(tmp_path / "undisturbed", tmp_path / "store-1")
    undisturbed.write_spec(LONGER)
    assert undisturbed.doit(task).code == 0

    disturbed = Checkout(tmp_path / "disturbed", tmp_path / "store-2")
    disturbed.write_spec(LONGER)
    if task == "search":
        assert disturbed.doit("supernet").code == 0
    _kill_when(disturbed, task, checkpoints=2)
    assert not (disturbed.path / "build" / "net" / artifacts[0]).exists()
    work = list((disturbed.store / "work").glob("*/*"))
    assert work, "the killed run left no checkpoint"
    run = disturbed.doit(task)
    assert run.code == 0 and run.stages["net", task] == "built", run.output
    for artifact in artifacts:
        digests = {digest_file(checkout.path / "build" / "net" / artifact) for checkout in (undisturbed, disturbed)}
        assert len(digests) == 1, f"{artifact} differs after an interruption"
    assert not list((disturbed.store / "work").glob("*/*"))
