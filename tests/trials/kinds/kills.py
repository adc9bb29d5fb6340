"""Builds killed at random, and what is left of them: nothing but what the same command goes on from."""

import os
import signal
import subprocess
import tempfile
import time
from functools import cache, partial
from pathlib import Path
from random import Random

from tests.e2e.checkout import Run
from tests.trials.build import BOTH, BROUGHT, Small, digests

COUNT = 300
PATIENCE = 600.0
SLOW = True
SECONDS_TO_END = 5.0
"""After a kill of the build, of its group or of one of its workers."""
_PATIENCE = 120.0
_SIGNALS = {"KILL": signal.SIGKILL, "INT": signal.SIGINT, "TERM": signal.SIGTERM}


def processes(small: Small) -> dict[int, int]:
    """Parents of the living processes that use the store of ``small``, by id."""
    found, marker = {}, f"MCUBUILD_STORE={small.store}\0".encode()
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and marker in (entry / "environ").read_bytes():
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if state != "Z":
                    found[int(entry.name)] = int(parent)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def _wait_for_the_end(process: "subprocess.Popen[str]", small: Small, limit: float) -> float:
    """Seconds until no process of a build is left; ``limit`` if they were too many: those left are killed."""
    start = time.monotonic()
    while time.monotonic() - start < limit:
        if process.poll() is not None and not processes(small):
            return time.monotonic() - start
        time.sleep(0.02)
    for left in processes(small):
        os.kill(left, signal.SIGKILL)
    return limit


@cache
def _undisturbed(specs: str) -> tuple[dict[str, str], float]:
    """What a build makes that nobody kills, and its seconds."""
    with tempfile.TemporaryDirectory() as folder:
        small = Small(Path(folder))
        start = time.monotonic()
        run = small.doit("-n", "2", "build", specs)
        assert run.code == 0, run.output
        return digests(small), time.monotonic() - start


def trial(rng: Random, folder: Path) -> None:
    """Kill a build and build again."""
    killed(rng, folder)


def killed(rng: Random, folder: Path, **variables: str) -> tuple[str, dict[str, str], Run]:
    """The same, with these ``variables`` in the environment.

    Returns:
        What was built; digests of all that must come out; what the build did that was not killed.
    """
    specs = rng.choice((BROUGHT, BROUGHT, BOTH))
    right, seconds = _undisturbed(specs)
    count, whom, name = (
        rng.choice(("0", "1", "2", "2")),
        rng.choice(("main", "worker", "group")),
        rng.choice([*_SIGNALS]),
    )
    small = Small(folder, **variables)
    with (folder / "output").open("w+") as output:
        process = subprocess.Popen(
            small.command("-n", count, "build", specs),
            cwd=small.path,
            env=small.environment(),
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # nohup and the like have it ignored
            text=True,
        )
        time.sleep(0.2 + rng.random() * seconds)
        parents = processes(small)
        workers = sorted(child for child, parent in parents.items() if parent == process.pid)
        others = sorted({*parents} - {*workers, process.pid})
        victims = {"main": [process.pid], "group": [process.pid], "worker": workers + others}[whom]
        victim = rng.choice(victims or [process.pid])
        whom = "main" if victim == process.pid and whom == "worker" else whom
        try:
            (os.killpg if whom == "group" else os.kill)(victim, _SIGNALS[name])
        except ProcessLookupError:
            name = "none"
        # One worker that is told to stop says so, and the stages of the others are brought to their end.
        prompt = whom != "worker" or (name != "INT" and count != "0" and victim in workers)
        took = _wait_for_the_end(process, small, SECONDS_TO_END if prompt else _PATIENCE)
        output.seek(0)
        told = output.read()
    what = f"-n {count}, {name} to {'another process' if whom == 'worker' and victim in others else whom}"
    assert took < (SECONDS_TO_END if prompt else _PATIENCE), f"{what}: still there after {took} s: {told}"
    interrupted_early = name == "INT" and not (small.path / "build" / ".lock").exists()
    assert "Traceback" not in told or interrupted_early, f"{what}: {told}"
    run = small.doit("-n", rng.choice(("0", "2")), "build", specs)
    assert run.code == 0, f"{what}, then: {run.output}"
    assert "Traceback" not in run.output and "damaged" not in run.output, f"{what}, then: {run.output}"
    assert digests(small) == right, f"{what}: other artifacts: {_different(digests(small), right)}"
    left = [*small.path.rglob("build/**/.stage-*"), *small.store.rglob(".new-*"), *(small.store / "work").glob("*")]
    left += (folder / "tmp").iterdir()
    assert not left, f"{what}: left behind: {left}"
    return specs, right, run


def _different(one: dict[str, str], other: dict[str, str]) -> list[str]:
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
