"""Two machines with a store that they share: the second one builds nothing."""

from pathlib import Path

from tests.e2e.checkout import Checkout
from tests.store.s3 import SECRET, FaultyProxy

URL = "s3://builds/team"


def test_what_one_machine_has_built_the_other_fetches(proxy: FaultyProxy, tmp_path: Path) -> None:
    one, other = (Checkout(tmp_path / name, tmp_path / f"store-{name}") for name in ("one", "other"))
    for checkout in (one, other):
        checkout.write_spec()

    built = one.doit("build", MCUBUILD_STORE_URL=URL)
    assert built.code == 0, built.output
    stages = built.did("built")
    assert "report" in stages

    planned = other.doit("plan", MCUBUILD_STORE_URL=URL, MCUBUILD_STORE_READONLY="1")
    assert f"0 to build, 0 perhaps, as they read what those make, 0 from the store, {len(stages)} from the shared" in (
        planned.output
    )
    fetched = other.doit("build", MCUBUILD_STORE_URL=URL, MCUBUILD_STORE_READONLY="1")
    assert fetched.code == 0, fetched.output
    assert fetched.did("from shared") == stages
    for name in ("report.json", "firmware.elf", "c/model.c"):
        assert (other.path / "build/net" / name).read_bytes() == (one.path / "build/net" / name).read_bytes()

    before = proxy.connections
    again = other.doit("build", MCUBUILD_STORE_URL=URL)
    assert again.did("up to date") == stages
    assert proxy.connections == before

    # What is in the own store is asked for there alone, and a fault of the shared one costs one line.
    (other.path / "build/net/index.json").unlink()
    assert other.doit("dataset:net", MCUBUILD_STORE_URL=URL).did("from store") == {"dataset"}
    assert proxy.connections == before
    proxy.fault = "silent"
    alone = Checkout(tmp_path / "alone", tmp_path / "store-alone")
    alone.write_spec()
    made = alone.doit("-n", "2", "dataset:net", MCUBUILD_STORE_URL=URL, MCUBUILD_STORE_TIMEOUT="1")
    assert made.code == 0 and made.did("built") == {"dataset"}
    assert made.output.count("goes on without it") == 1, made.output
    for run in (built, planned, fetched, again, made):
        assert SECRET not in run.output and "Traceback" not in run.output and "nclosed" not in run.output


def test_a_wrong_variable_is_told_before_anything_is_built(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "one", tmp_path / "store")
    checkout.write_spec()
    refused = checkout.doit("build", MCUBUILD_STORE_URL=f"ssh://me:{SECRET}@host/x")
    assert refused.code == 3 and "MCUBUILD_STORE_URL: has a password" in refused.output
    assert SECRET not in refused.output and not refused.stages
