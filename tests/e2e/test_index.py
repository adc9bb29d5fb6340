"""One page of all builds, which shows no figure of a spec that has changed since."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.checkout import Checkout, Run
from tests.e2e.test_import import SPEC, classifier
from tests.importers.writer import write

LABELLED = SPEC + 'inputs = "x.npy"\nlabels = "labels.npy"\n'


def labelled(folder: Path, samples: int = 10) -> Checkout:
    """Two specs with a network that is always right."""
    folder.mkdir(exist_ok=True)
    made = Checkout(folder / "checkout", folder / "store")
    specs = made.write_spec(LABELLED).parent
    made.write_spec(LABELLED, "second")
    write(specs / "net.tflite", classifier())
    inputs = np.random.default_rng(0).normal(0, 3, (samples, 4)).astype(np.float32)
    np.save(specs / "x.npy", inputs)
    np.save(specs / "labels.npy", inputs.argmax(axis=1))
    return made


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return labelled(tmp_path)


def rows(run: Run) -> dict[str, str]:
    """What stands behind the name of each build."""
    assert run.code == 0, run.output
    table = run.output.split("\nbuild ")[-1]
    return {name: " ".join(told.split()) for name, told in re.findall(r"^(\w+) +(\S.*)$", table, re.M)}


def test_a_page_of_all_builds(checkout: Checkout) -> None:
    assert checkout.doit("build", "spec=net").code == 0
    checkout.write_spec(LABELLED + "labls = 1\n", "broken")
    found = rows(checkout.doit("index"))
    assert re.fullmatch(r"stm32f412 pass, \d cautions? 100\.00 % .* kB .*", found["net"])
    assert found["second"] == "stm32f412 not built"
    page = (checkout.path / "build" / "index.html").read_text()
    assert '<a href="net/report.html">net</a>' in page
    assert "Accuracy against latency" in page and "1 of 3 builds are those of their specs" in page
    assert "broken: specs/broken.toml:" in page
    assert "<td>second</td>" in page
    assert not re.search(r"(src|href)=.?(http|//)", page), "self-contained"

    checkout.write_spec(LABELLED + "[budget]\nflash = '1kB'\n")
    found = rows(checkout.doit("index"))
    assert found["net"] == "stm32f412 of an older spec"
    page = (checkout.path / "build" / "index.html").read_text()
    assert "%" not in page.partition("<table>")[2] and "against latency" not in page
    assert checkout.doit("build", "spec=net").code == 1
    assert "kB !" in rows(checkout.doit("index"))["net"], "a broken budget has figures"


def test_a_stage_that_failed_is_told_until_it_is_made(checkout: Checkout) -> None:
    whole = (checkout.path / "specs" / "net.tflite").read_bytes()
    (checkout.path / "specs" / "net.tflite").write_bytes(whole[:100])
    assert checkout.doit("build", "spec=net").code == 1
    run = checkout.doit("index")
    assert rows(run)["net"] == "stm32f412 failed"
    assert "net: import: " in run.output
    checkout.write_spec(LABELLED + "[budget]\nflash = '1kB'\n")
    assert rows(checkout.doit("index"))["net"] == "stm32f412 failed", "what failed does not depend on that"
    checkout.write_spec(LABELLED)
    (checkout.path / "specs" / "net.tflite").write_bytes(whole)
    run = checkout.doit("index")
    assert rows(run)["net"] == "stm32f412 not built", "another file was not tried yet"
    assert "net: import is to be made first" in run.output
    assert checkout.doit("build", "spec=net").code == 0
    assert "pass" in rows(checkout.doit("index"))["net"]
