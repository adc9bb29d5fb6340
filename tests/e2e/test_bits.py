"""One super network with several bit widths, from the command line."""

import json
from pathlib import Path

import pytest

from tests.e2e.checkout import SPEC, Checkout

UNTIMED = SPEC.replace('latency = "200ms"', "").replace('"mobile", "plain"', '"mobile"')


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "checkout", tmp_path / "store")


@pytest.mark.slow
def test_widths_share_a_super_network(checkout: Checkout) -> None:
    checkout.write_spec(UNTIMED)
    run = checkout.doit("-n", "2", "bits", "widths=8,4,mixed")
    assert run.code == 0, run.output
    trained = [spec for spec, stage in run.stages if stage == "supernet"]
    assert trained == ["net"], "once, for all of them"
    assert {spec for spec, stage in run.stages if stage == "search"} == {"net", "net-bits-4", "net-bits-mixed"}
    reports = {
        name: json.loads((checkout.path / "build" / name / "report.json").read_text())
        for name in ("net", "net-bits-4", "net-bits-mixed")
    }
    assert [report["accuracy"]["arithmetic"] for report in reports.values()][:2] == ["int8", "w4a8"]
    assert reports["net-bits-4"]["provenance"]["spec"]["bits"] == {"weights": 4, "activations": 8}
    rows = json.loads((checkout.path / "build" / "net" / "bits.json").read_text())
    assert [row[:2] for row in rows[1:]] == [["net", "8"], ["net-bits-4", "4"], ["net-bits-mixed", "mixed"]]
    page = (checkout.path / "build" / "net" / "bits.html").read_text()
    assert "one super network and one budget" in page and "Accuracy against Flash" in page
    again = checkout.doit("bits", "widths=4")
    assert again.code == 0 and not again.did("built"), again.output
    assert "search" not in again.stages.values()
    assert "bits.html" in again.output


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("widths=5", "widths='5': found"),
        ("widths=,", "widths=,: names no bits"),
        ("width=4", "did you mean widths=?"),
    ],
)
def test_widths_that_there_are_not(checkout: Checkout, asked: str, told: str) -> None:
    checkout.write_spec(UNTIMED)
    run = checkout.doit("bits", asked)
    assert run.code != 0 and told in run.output and "Traceback" not in run.output


def test_specs_without_a_search(checkout: Checkout) -> None:
    checkout.write_spec(
        'arch = "mobilenet_v2"\n'
        + UNTIMED.replace("[search]\npopulation = 4\ngenerations = 1\nparents = 2\ncalibration = 64\n", "")
    )
    run = checkout.doit("bits", "spec=net")
    assert run.code != 0 and "found arch in the spec" in run.output, run.output
