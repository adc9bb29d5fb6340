"""A Dask cluster whose workers may be lost: what is asked of it is answered, or told to be lost, within a minute.

Dask itself waits for ever for a worker to come. Here, others make up for one that dies; where none is left, or
the scheduler is gone, that is an error of one line.
"""

import os
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from typing import Any

from mcubuild.errors import BuildError, shortened

ADDRESS = "MCUBUILD_DASK"
"""Environment variable: address of a Dask scheduler, such as tcp://10.0.0.5:8786.

No setting of the spec, for it says which machines somebody has today: whoever checks the spec out elsewhere has others,
and gets the same result.
"""
PATIENCE = 20
"""Seconds in which a scheduler must answer and have a worker."""
_NO_WORKER = 30.0
"""Seconds without any worker after which none is expected back: a lost one may be started again meanwhile."""
_SECONDS_BETWEEN_LOOKS = 2.0


def asked_for() -> str | None:
    """The address of the scheduler that is to be used; None: there is none."""
    return os.environ.get(ADDRESS) or None


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """A ``distributed.Client`` of the scheduler at ``address``, which has a worker.

    Raises:
        BuildError: Dask is not installed, or there is no such scheduler, or it has no worker.
    """
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise BuildError(
            f"{ADDRESS} is {address}, but dask.distributed is not installed; pip install '.[cluster]', or unset it."
        ) from None
    with ExitStack() as stack:
        try:
            client = stack.enter_context(Client(address, timeout=PATIENCE, set_as_default=False))
            client.wait_for_workers(1, timeout=PATIENCE)
        except (OSError, ValueError) as error:
            raise BuildError(
                f"{ADDRESS} is {address}, where there is no Dask scheduler with a worker ({error}); start them (dask "
                f"scheduler; dask worker {address}), or unset it."
            ) from None
        yield client


def answer(client: Any, future: Any) -> Any:
    """What a ``future`` of ``client`` gives.

    Raises:
        BuildError: no worker is left, those that had it were lost again and again, or the scheduler is gone.
        Exception: whatever the work raises on its worker.
    """
    from distributed import KilledWorker

    address, last = client.scheduler.address, time.monotonic()
    waiting = ThreadPoolExecutor(1)
    try:
        given = waiting.submit(future.result)
        while not wait([given], _SECONDS_BETWEEN_LOOKS).done:
            last = time.monotonic() if _has_workers(client) else last
            if time.monotonic() - last > _NO_WORKER:
                raise _lost(address, "none is left")
        try:
            return given.result()
        except KilledWorker as error:
            raise _lost(address, str(error)) from None
        except (Exception, CancelledError) as error:
            if future.status == "error":
                raise  # the work's own
            raise _lost(address, f"{type(error).__name__}: {error}") from None
    finally:
        future.cancel()  # ends the waiting
        waiting.shutdown(wait=False)


def _has_workers(client: Any) -> bool:
    try:
        return client.status == "running" and bool(client.nthreads())
    except OSError:
        return False


def _lost(address: str, why: str) -> BuildError:
    return BuildError(
        f"{ADDRESS} is {address}, where workers were lost ({shortened(why, 150)}); start them again (dask worker "
        f"{address}) and run the same command, which goes on from the last checkpoint, or unset it."
    )
