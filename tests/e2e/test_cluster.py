"""Stages of several specs on a Dask cluster: the same bytes as on one machine, also where a worker is killed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.checkout import SPEC, Checkout
from tests.e2e.test_index import labelled

pytestmark = [pytest.mark.slow, pytest.mark.needs("distributed")]


@contextmanager
def cluster(project: Path, folder: Path, workers: int = 2) -> Iterator[tuple[str, list["subprocess.Popen[bytes]"]]]:
    """The address of a scheduler, and its workers: processes of their own in ``project``, with a store of their own.

    The temporary files of the first worker are in ``folder``/0, of the second in ``folder``/1.
    """
    import distributed

    folder.mkdir()
    address = folder / "scheduler.json"
    common = ["--host", "127.0.0.1", "--scheduler-file", str(address), "--no-dashboard"]
    worker = ["worker", *common, "--no-nanny", "--nthreads", "1", "--local-directory", str(folder)]
    running = list["subprocess.Popen[bytes]"]()
    try:
        for number, command in enumerate([["scheduler", *common, "--port", "0"], *[worker] * workers]):
            temporary = folder / str(number - 1)
            temporary.mkdir()
            environment = {
                **os.environ,
                "PYTHONPATH": str(project),
                "MCUBUILD_STORE": str(folder / "store"),
                "TMPDIR": str(temporary),
            }
            line = [sys.executable, "-m", "distributed.cli.dask_" + command[0], *command[1:]]
            quiet = subprocess.DEVNULL
            running.append(subprocess.Popen(line, env=environment, cwd=project, stdout=quiet, stderr=quiet))
        with distributed.Client(scheduler_file=str(address), timeout=60, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=60)
            where = client.scheduler.address
        yield where, running[1:]
    finally:
        for process in running:
            process.kill()
            process.wait()


def artifacts(checkout: Checkout) -> dict[str, bytes]:
    """Of both specs, but for the times of trainings."""
    build = checkout.path / "build"
    files = (path for spec in ("one", "two", "net", "second") for path in (build / spec).rglob("*") if path.is_file())
    return {path.relative_to(build).as_posix(): path.read_bytes() for path in files}


def built_though_one_is_killed(many: Checkout, folder: Path, begun: Callable[[], bool]) -> str:
    """What a build tells of whose workers a busy one is killed as soon as a stage has ``begun``."""
    with cluster(many.path, folder) as (address, workers):
        building = subprocess.Popen(
            many.command("-n", "2", "build"),
            cwd=many.path,
            env=many.environment(MCUBUILD_DASK=address),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        deadline = time.monotonic() + 300
        while not begun() and building.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert building.poll() is None, building.communicate()[0]
        busy = (one for one in range(len(workers)) if [*folder.glob(f"{one}/mcubuild-*/made")])
        workers[next(busy, 0)].kill()
        told, _ = building.communicate(timeout=600)
    assert building.returncode == 0, told
    return told


def test_the_same_bytes_though_a_worker_is_killed(tmp_path: Path) -> None:
    alone, many = labelled(tmp_path / "alone", 30_000), labelled(tmp_path / "many", 30_000)
    assert alone.doit("build").code == 0
    folder = tmp_path / "workers"
    built_though_one_is_killed(many, folder, lambda: bool([*folder.glob("*/mcubuild-*/made")]))
    assert artifacts(many) == artifacts(alone)
    assert [*(folder / "store" / "work").iterdir()], "stages ran there"


def test_a_worker_with_other_code_is_refused(tmp_path: Path) -> None:
    here, there = labelled(tmp_path / "here"), labelled(tmp_path / "there")
    there.edit("mcubuild/measure/samples.py", "def ", "OTHER = 1\n\n\ndef ")
    with cluster(there.path, tmp_path / "workers", workers=1) as (address, _):
        run = here.doit("measure:net", MCUBUILD_DASK=address)
    assert run.code == 1
    assert "MCUBUILD_DASK: a worker has other code than the machine that asks; give it the same checkout" in run.output


def test_what_workers_do_not_see_is_sent(tmp_path: Path) -> None:
    alone, many = labelled(tmp_path / "alone"), labelled(tmp_path / "many")
    assert alone.doit("build", "spec=net").code == 0
    many.edit("rules/cluster.py", '"path": str(path)', '"path": "/nowhere"')
    with cluster(many.path, tmp_path / "workers", workers=1) as (address, _):
        run = many.doit("build", "spec=net", MCUBUILD_DASK=address)
    assert run.code == 0, run.output
    assert artifacts(many) == artifacts(alone)


def test_no_scheduler_is_told(tmp_path: Path) -> None:
    run = labelled(tmp_path).doit("measure:net", MCUBUILD_DASK="tcp://127.0.0.1:1")
    assert run.code == 1
    assert "where there is no Dask scheduler with a worker" in run.output


def test_trainings_go_on_elsewhere(tmp_path: Path) -> None:
    def two(folder: Path) -> Checkout:
        folder.mkdir()
        made = Checkout(folder / "checkout", folder / "store")
        made.write_spec(SPEC, "one")
        made.write_spec("seed = 7\n" + SPEC.replace("epochs = 1", "epochs = 3"), "two")
        return made

    alone, many = two(tmp_path / "alone"), two(tmp_path / "many")
    assert alone.doit("build").code == 0
    folder = tmp_path / "workers"
    built_though_one_is_killed(many, folder, lambda: bool([*folder.glob("store/work/*/*")]))
    assert artifacts(many) == artifacts(alone)
