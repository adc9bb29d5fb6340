"""Where networks are judged: in threads of this process, in a process a core, or on the workers of a Dask cluster.

A score depends on its network alone, so results do not depend on where it was computed, by how many, and when.
"""

import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from time import thread_time
from typing import Any, TypeAlias

import torch

from mcubuild import cluster
from mcubuild.errors import BuildError
from mcubuild.nas.search.evolution import Score
from mcubuild.nas.space.arch import Arch
from mcubuild.nas.training.recipe import device, make_deterministic, workers
from mcubuild.processes import processes
from mcubuild.processor import floating_point
from mcubuild.store import digest_json

_WORTH_PROCESSES = 60.0
"""Seconds of judging in one thread below which other processes would take longer to start than they gain."""
_THREADS_SUFFICE = 2
"""Cores that threads keep as busy as processes do; 10 to 40 % of an evaluation is Python, which one runs at a time."""

Judge: TypeAlias = Callable[[Arch], Score]
"""Must be fit for pickling."""
JudgeAll: TypeAlias = Callable[[Sequence[Arch]], Iterator[Score]]
"""Scores in the order of the networks."""


@contextmanager
def pool(judge: Judge, count: int) -> Iterator[JudgeAll]:
    """``judge``, for many networks at once; there will be about ``count`` in all.

    Raises:
        BuildError: there is no cluster at the address in MCUBUILD_DASK, its workers are lost, or it has other code.
    """
    address = cluster.asked_for()
    with _cluster(judge, address) if address else _here(judge, count) as judge_all:
        yield judge_all


@contextmanager
def _here(judge: Judge, count: int) -> Iterator[JudgeAll]:
    """On the cores here: in threads, or, where it pays, in processes (threads wait for each other's Python)."""
    with ExitStack() as stack, workers() as threads:
        executor: Executor | None = None

        def judge_all(archs: Sequence[Arch]) -> Iterator[Score]:
            nonlocal executor
            rest = archs
            if executor is None:
                score, seconds = threads.submit(_timed, judge, archs[0]).result()
                yield score
                executor, rest = threads, archs[1:]
                if _processes_pay(seconds * count):
                    prepare = partial(_receive, pickle.dumps(judge))
                    executor = stack.enter_context(processes(prepare=prepare))
            yield from executor.map(judge if executor is threads else _judge_received, rest)

        yield judge_all


def _timed(judge: Judge, arch: Arch) -> tuple[Score, float]:
    """The score and the processor's seconds that it took."""
    start = thread_time()
    return judge(arch), thread_time() - start


def _processes_pay(seconds: float) -> bool:
    """For so many seconds of work in one thread. A GPU is best fed by one process."""
    return device().type == "cpu" and (os.cpu_count() or 1) > _THREADS_SUFFICE and seconds > _WORTH_PROCESSES


_received: Judge
"""In a process of the pool: what it judges by. Sent once, since it is large."""


def _receive(judge: bytes) -> None:
    # Bytes, not the object: torch would put its tensors into shared memory, of which containers have little.
    global _received
    make_deterministic(threads=1)
    _received = pickle.loads(judge)


def _judge_received(arch: Arch) -> Score:
    return _received(arch)


@contextmanager
def _cluster(judge: Judge, address: str) -> Iterator[JudgeAll]:
    """The workers of the Dask scheduler at ``address``, however many there are and whenever they join."""
    with cluster.connected(address) as client:
        shared = client.scatter(judge, broadcast=True, hash=False)

        def judge_all(archs: Sequence[Arch]) -> Iterator[Score]:
            futures: list[Any] = client.map(_judge_there, archs, judge=shared, code=_code(), pure=False)
            try:
                yield from (cluster.answer(client, future) for future in futures)
            finally:
                client.cancel(futures)

        yield judge_all


def _judge_there(arch: Arch, judge: Judge, code: str) -> Score:
    """On a worker of the cluster: the score.

    Raises:
        BuildError: the worker would compute something else than the machine that asks.
    """
    if code != _code():
        raise BuildError(
            f"{cluster.ADDRESS}: a worker has another version of mcubuild or PyTorch than this checkout, or another "
            f"kind of processor or GPU than this machine; update it and start it again, or leave it out."
        )
    make_deterministic(threads=1)
    return judge(arch)


@cache
def _code() -> str:
    """Digest of what a score depends on besides the judge's data: mcubuild's code, PyTorch's version, the processor."""
    digest = sha256(f"{torch.__version__} {digest_json(floating_point())}".encode())
    for path in sorted(Path(__file__).parents[2].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
