"""Scores are the same wherever they are computed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from mcubuild import cluster as clusters
from mcubuild.cluster import ADDRESS
from mcubuild.errors import BuildError
from mcubuild.nas.search import pool as pools
from mcubuild.nas.search.evolution import Score
from mcubuild.nas.search.inherited import Inherited
from mcubuild.nas.search.pool import pool
from mcubuild.nas.space.arch import Arch, draw
from mcubuild.nas.training.network import initialise
from mcubuild.nas.training.supernet import SuperNetwork
from tests.nas.toy import LEARNING, SPACE, split

needs_dask = pytest.mark.needs("distributed")
ARCHS = [draw(SPACE, np.random.default_rng(number)) for number in range(6)]


def judge() -> Inherited:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        supernet = SuperNetwork(SPACE).eval()
        initialise(supernet)
    return Inherited(supernet, LEARNING, {SPACE.resolution: (split(32, 1), split(32, 2))})


def scores() -> list[Score]:
    with pool(judge(), len(ARCHS)) as judge_all:
        return [*judge_all(ARCHS[:4]), *judge_all(ARCHS[4:])]


@pytest.fixture(scope="module")
def alone() -> list[Score]:
    return scores()


def test_threads_give_what_one_network_after_another_gives(alone: list[Score]) -> None:
    one = judge()
    assert alone == [one(arch) for arch in ARCHS]
    assert len(set(alone)) > 1


def test_processes_give_the_same_bits(alone: list[Score], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "_processes_pay", lambda seconds: seconds > 0)
    assert scores() == alone


def test_processes_are_for_many_cores_and_long_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert pools._processes_pay(1000) and not pools._processes_pay(10)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert not pools._processes_pay(1000)


def _fail(arch: Arch) -> Score:
    raise BuildError(f"no score of {arch.key}")


def test_an_error_reaches_the_one_who_asked() -> None:
    with pytest.raises(BuildError, match="no score of"), pool(_fail, 2) as judge_all:
        list(judge_all(ARCHS))


def test_without_dask_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESS, "tcp://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(BuildError, match=r"MCUBUILD_DASK is tcp.*not installed; pip install '\.\[cluster\]'"):
        scores()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler with two workers, processes of their own as on a real cluster."""
    import distributed

    folder = tmp_path_factory.mktemp("dask")
    address = folder / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": Path(__file__).parents[2]}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    common = ["--host", "127.0.0.1", "--scheduler-file", str(address)]
    commands = [
        ["scheduler", *common, "--port", "0", "--no-dashboard"],
        *[["worker", *common, "--no-nanny", "--no-dashboard", "--local-directory", str(folder)]] * 2,
    ]
    running = []
    try:
        for command in commands:
            line = [sys.executable, "-m", "distributed.cli.dask_" + command[0], *command[1:]]
            running.append(subprocess.Popen(line, env=environment, **quiet))  # type: ignore[call-overload]
        with distributed.Client(scheduler_file=str(address), timeout=60, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
            yield client.scheduler.address
    finally:
        for process in running:
            process.kill()
            process.wait()


@needs_dask
def test_a_cluster_gives_the_same_bits(cluster: str, alone: list[Score], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESS, cluster)
    assert scores() == alone


@needs_dask
def test_a_worker_with_other_code_is_an_error(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESS, cluster)
    monkeypatch.setattr(pools, "_code", lambda: "other")
    with pytest.raises(BuildError, match="a worker has another version of mcubuild"):
        scores()


@needs_dask
def test_an_address_without_a_scheduler_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "PATIENCE", 1)
    monkeypatch.setenv(ADDRESS, "tcp://127.0.0.1:1")
    with pytest.raises(BuildError, match="there is no Dask scheduler"):
        scores()


@needs_dask
def test_workers_that_are_all_lost_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask itself would wait for ever: of a process that is the only worker, and ends with what it is asked."""
    from distributed import LocalCluster

    monkeypatch.setattr(clusters, "_NO_WORKER", 1.0)
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as local,
        clusters.connected(local.scheduler_address) as client,
    ):
        assert clusters.answer(client, client.submit(abs, -3)) == 3
        with pytest.raises(OSError, match="full"):
            clusters.answer(client, client.submit(_full))
        local.scale(0)
        asked = client.submit(abs, -4)
        with pytest.raises(BuildError, match=r"workers were lost \(none is left\).*run the same command"):
            clusters.answer(client, asked)


def _full() -> None:
    raise OSError("the worker's disk is full")


@needs_dask
def test_a_scheduler_that_is_lost_is_told() -> None:
    import time
    from threading import Timer

    from distributed import LocalCluster

    local = LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None)
    with clusters.connected(local.scheduler_address) as client:
        Timer(1, local.close).start()
        with pytest.raises(BuildError, match="workers were lost"):
            clusters.answer(client, client.submit(time.sleep, 5))
