"""The same spec gives the same bytes: wherever, by whomever, in whatever language and however parallel it is built."""

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mcubuild import ROOT
from tests.e2e.checkout import IMAGES, Checkout, draw_images

HERE = {
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "USER": "ci",
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "SOURCE_DATE_EPOCH": "0",
}
THERE = {
    "LC_ALL": "C",
    "LANG": "tr_TR.UTF-8",
    "LANGUAGE": "de",
    "TZ": "Asia/Kathmandu",
    "USER": "somebody else",
    "PYTHONHASHSEED": "4711",
    "OMP_NUM_THREADS": "3",
    "COLUMNS": "40",
}


def _build(folder: Path, arguments: tuple[str, ...], umask: int, environment: dict[str, str]) -> dict[str, bytes]:
    """The artifacts of a build from nothing, with its own store and home."""
    folder.mkdir(parents=True)
    checkout = Checkout(folder / "checkout", folder / "store")
    draw_images(checkout.path / "photos")
    checkout.write_spec(IMAGES)
    home = folder / "home"
    home.mkdir()
    done = subprocess.run(
        checkout.command(*arguments, "build"),
        cwd=checkout.path,
        env=checkout.environment(HOME=str(home), XDG_CACHE_HOME=str(home / "cache"), **environment),
        umask=umask,
        capture_output=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    artifacts = checkout.path / "build" / "net"
    return {
        path.relative_to(artifacts).as_posix(): path.read_bytes() for path in artifacts.rglob("*") if path.is_file()
    }


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """One serial build in a short path; one in two processes, in a path that is hard to quote."""
    folder = tmp_path_factory.mktemp("r")
    far = folder / "İstanbul, wo's schön ist" / ("deep " * 8).strip()
    with ThreadPoolExecutor() as executor:
        one = executor.submit(_build, folder / "a", (), 0o022, HERE)
        other = executor.submit(_build, far, ("-n", "2"), 0o077, THERE)
        return one.result(), other.result()


def test_every_artifact_is_the_same_to_the_byte(builds: tuple[dict[str, bytes], dict[str, bytes]]) -> None:
    one, other = builds
    assert {"firmware.elf", "firmware.bin", "firmware.map", "report.json", "report.html"} <= set(one)
    assert any(name.startswith("c/") for name in one)
    assert set(one) == set(other)
    assert [name for name in sorted(one) if one[name] != other[name]] == []


def test_no_artifact_knows_where_or_when_it_was_made(builds: tuple[dict[str, bytes], dict[str, bytes]]) -> None:
    """Also what both builds have in common: this machine's folders, user and date."""
    one, _ = builds
    here = {str(ROOT), str(Path.home()), os.environ.get("TMPDIR", "/tmp") + "/"}
    private = [path.encode() for path in here if path.count("/") > 1]
    year = re.compile(rb"\b20[2-9]\d-[01]\d-[0-3]\d[T ]")
    for name, content in one.items():
        assert not [path for path in private if path in content], name
        assert not year.search(content), name
