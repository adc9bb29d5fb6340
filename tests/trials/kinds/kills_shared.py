"""Builds with a shared store, killed at random: a machine that only reads there gets the same artifacts."""

import atexit
from functools import cache
from pathlib import Path
from random import Random

from tests.trials.build import Small, digests
from tests.trials.kinds import kills

COUNT = 200
PATIENCE = 900.0
SLOW = True
_AT_ONCE = 2
"""Most stages that run when the build is killed."""


@cache
def _server() -> dict[str, str]:
    """A server of S3 on this machine with a bucket, as variables of the environment."""
    import requests
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    atexit.register(running.stop)
    url = "http://{}:{}".format(*running.get_host_and_port())
    requests.put(f"{url}/builds", timeout=5).raise_for_status()
    credentials = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}
    return {"AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": "us-east-1", **credentials}


def trial(rng: Random, folder: Path) -> None:
    """Kill a build that puts what it makes into a folder or a bucket, build again, and fetch all of it elsewhere."""
    places = {"folder": {"MCUBUILD_STORE_URL": str(folder / "shared")}}
    places["bucket"] = {"MCUBUILD_STORE_URL": f"s3://builds/{folder.name}", **_server()}
    place = rng.choice([*places])
    specs, right, again = kills.killed(rng, folder, **places[place])
    other = Small(folder / "other", **places[place], MCUBUILD_STORE_READONLY="1")
    run = other.doit("-n", "2", "build", specs)
    assert run.code == 0 and "Traceback" not in run.output, f"{place}: {run.output}"
    assert "not what was put there" not in run.output and "goes on without" not in run.output, f"{place}: {run.output}"
    assert digests(other) == right, f"{place}: other artifacts"
    # What was made is put into the own store first: a kill before it is in the shared one leaves it in that alone.
    kept = {stage for stage, what in again.stages.items() if what == "from store"}
    built = sorted(stage for stage, what in run.stages.items() if what == "built")
    assert kept.issuperset(built) and len(built) <= _AT_ONCE, f"{place}: not in the shared store: {built}"
