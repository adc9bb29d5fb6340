"""A spec whose data is missing: it is fetched, verified and shown, once for all checkouts."""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.data.coco import write_coco
from tests.data.server import Behaviour, serving
from tests.e2e.checkout import SPEC, Checkout, Run

WAKE_WORDS = SPEC.replace('"digits"', '{ kind = "visual_wake_words", max_resolution = 32 }')


def counts(run: Run) -> list[list[int]]:
    """The rows of the table: samples of each split."""
    return [[*map(int, row)] for row in re.findall(r"^.+? +(\d+) +(\d+) +(\d+)$", run.output, re.MULTILINE)]


class Publisher:
    """COCO in small, offered by one server a file."""

    def __init__(self, folder: Path, addresses: dict[str, str]) -> None:
        self.folder, self.addresses = folder, addresses

    def offer(self, checkout: Checkout) -> None:
        """Make a checkout know nothing else."""
        rows = []
        for name, address in self.addresses.items():
            content = (self.folder / name).read_bytes()
            sha256 = hashlib.sha256(content).hexdigest()
            rows.append(
                f'{{ name = "{name}", url = "{address}/{name}", size = {len(content)}, sha256 = "{sha256}" }},\n'
            )
        table = f'[visual_wake_words]\ntitle = "COCO"\nfiles = [\n{"".join(rows)}]\n'
        (checkout.path / "mcubuild/data/fetch/archives.toml").write_text(table)


@pytest.fixture
def servers() -> dict[str, Behaviour]:
    return {}


@pytest.fixture
def publisher(tmp_path: Path, servers: dict[str, Behaviour]) -> Iterator[Publisher]:
    folder = write_coco(tmp_path / "published", zipped=True)
    with ExitStack() as stack:
        addresses = {}
        for path in sorted(folder.glob("*.zip")):
            servers[path.name] = Behaviour(path.read_bytes())
            addresses[path.name] = stack.enter_context(serving(servers[path.name]))
        yield Publisher(folder, addresses)


def test_what_is_missing_is_fetched_once_for_all_checkouts(
    tmp_path: Path, publisher: Publisher, servers: dict[str, Behaviour]
) -> None:
    data = {"MCUBUILD_DATA": str(tmp_path / "data"), "MCUBUILD_FETCH": "", "no_proxy": "127.0.0.1"}
    first, second = (Checkout(tmp_path / name, tmp_path / "store") for name in ("first", "second"))
    for checkout in (first, second):
        checkout.write_spec(WAKE_WORDS, "vww")
        publisher.offer(checkout)
    servers["val2017.zip"].drops = 1
    run = first.doit("data", "spec=specs/vww.toml", **data)
    assert run.code == 0, run.output
    assert "fetching train2017.zip, annotations_trainval2017.zip, val2017.zip (" in run.output
    assert run.did("built") == {"dataset", "data"}
    assert run.output.count(": as published (SHA-256)") == 3
    assert counts(run) == [[25, 5, 15], [9, 1, 5], [34, 6, 20]]
    page = (first.path / "build" / "vww" / "data.html").read_text()
    assert page.count("data:image/png") == 12
    for does in servers.values():
        assert does.asked
        del does.asked[:]
    run = second.doit("data", "spec=specs/vww.toml", **data)
    assert run.did("from store") == {"dataset", "data"} and "fetching" not in run.output, run.output
    assert not any(does.asked for does in servers.values())

    # Of another version, which the user has put there.
    archive = tmp_path / "data" / "visual_wake_words" / "val2017.zip"
    archive.write_bytes(archive.read_bytes() + bytes(22))
    run = second.doit("data", "spec=specs/vww.toml", **data)
    assert f"{archive}: not the published file" in run.output


def test_who_wants_no_download_is_told_the_ways(
    tmp_path: Path, publisher: Publisher, servers: dict[str, Behaviour]
) -> None:
    checkout = Checkout(tmp_path / "checkout", tmp_path / "store")
    checkout.write_spec(WAKE_WORDS, "vww")
    publisher.offer(checkout)
    data = {"MCUBUILD_DATA": str(tmp_path / "data"), "MCUBUILD_FETCH": "no", "no_proxy": "127.0.0.1"}
    run = checkout.doit("build", "spec=specs/vww.toml", **data)
    assert run.code == 1
    for way in ("MCUBUILD_FETCH=yes", f"put the files into {tmp_path / 'data' / 'visual_wake_words'}", "dataset.path"):
        assert way in run.output
    assert not any(does.asked for does in servers.values())
    for path in publisher.folder.iterdir():
        shutil.copy(path, tmp_path / "data" / "visual_wake_words")
    assert checkout.doit("data", "spec=specs/vww.toml", **data).code == 0


def test_data_of_ones_own_is_shown_too(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout", tmp_path / "store")
    checkout.write_spec()
    run = checkout.doit("data", "spec=specs/net.toml")
    assert run.code == 0, run.output
    *digits, total = counts(run)
    assert sum(total) == 1797 and len(digits) == 10
    assert total == [sum(column) for column in zip(*digits, strict=True)]
    index = json.loads((checkout.path / "build" / "net" / "overview.json").read_text())
    assert len(index["examples"]) == 12
