"""What may be done while a build runs, and what may not; and what is left of one that was killed."""

import fcntl
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.trials.build import BROUGHT, Small, digests
from tests.trials.kinds.kills import processes


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """A finished build."""
    small = Small(tmp_path_factory.mktemp("beside") / "first")
    run = small.doit("build", BROUGHT)
    assert run.code == 0, run.output
    return small


@pytest.fixture
def running(built: Small) -> Iterator[Small]:
    """Locked as by a build, which is writing what it has done."""
    build = built.path / "build"
    with (build / ".lock").open("w") as lock, closing(sqlite3.connect(build / ".doit.db")) as memory:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711")
        lock.flush()
        memory.execute("BEGIN IMMEDIATE")
        yield built


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (["diff", "a=brought", "b=brought"], "nothing differs"),
        (["info", "report:brought", BROUGHT], "up-to-date"),
        (["list", "--all", "--status", BROUGHT], "report:brought"),
        (["help"], "doit"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_what_only_reads_is_done_beside_a_build(running: Small, command: list[str], shown: str) -> None:
    run = running.doit(*command)
    assert run.code == 0 and "Traceback" not in run.output, run.output
    if command[0] != "diff":
        assert shown in run.output


@pytest.mark.parametrize("command", [["clean"], ["forget"], ["ignore", "build"], ["reset-dep"], ["build"]])
def test_what_writes_is_not(running: Small, command: list[str]) -> None:
    before = digests(running)
    run = running.doit(*command, BROUGHT)
    assert run.code == 3 and "another build (process 4711) is running in this checkout" in run.output, run.output
    assert "Traceback" not in run.output and digests(running) == before


@pytest.mark.parametrize("whom", ["build", "worker"])
def test_a_killed_process_takes_the_others_with_it(tmp_path: Path, built: Small, whom: str) -> None:
    small = Small(tmp_path / "killed")
    with (tmp_path / "output").open("w+") as output:
        process = subprocess.Popen(
            small.command("-n", "2", "build", BROUGHT),
            cwd=small.path,
            env=small.environment(),
            stdout=output,
            stderr=output,
        )
        while len(working := processes(small)) < 3:
            assert process.poll() is None
            time.sleep(0.01)
        workers = [child for child, parent in working.items() if parent == process.pid]
        os.kill(process.pid if whom == "build" else workers[0], signal.SIGKILL)
        code = process.wait(5)
        deadline = time.monotonic() + 5
        while processes(small):
            assert time.monotonic() < deadline, "a process outlives the build"
            time.sleep(0.01)
        output.seek(0)
        told = output.read()
    assert code != 0 and "Traceback" not in told
    if whom == "worker":
        assert told.count("ERROR: a process that worked on stages was killed, perhaps because memory ran out") == 1
    stale = small.path / "build" / "gone" / ".stage-report-abc"
    (stale / "made").mkdir(parents=True)
    run = small.doit("build", BROUGHT)
    assert run.code == 0 and digests(small) == digests(built), run.output
    assert not list((small.path / "build").rglob(".stage-*"))
