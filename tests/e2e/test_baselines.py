"""Published networks in a spec, and beside what was searched for."""

import json
from pathlib import Path

import pytest

from tests.e2e.checkout import SPEC, Checkout

SEARCH = "[search]\npopulation = 4\ngenerations = 1\nparents = 2\ncalibration = 64\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "checkout", tmp_path / "store")


@pytest.mark.slow
def test_a_published_network_becomes_firmware(checkout: Checkout) -> None:
    spec = SPEC.replace(SEARCH, "").replace("bits = 8", 'bits = 8\narch = "resnet8"')
    checkout.write_spec(spec.replace("200ms", "6ms"))  # at which the widest has not the highest resolution
    run = checkout.doit("build")
    assert run.code == 0, run.output
    assert {"scale", "train"} < run.did("built") and not {"space", "search"} & run.did("built")
    build = checkout.path / "build" / "net"
    report, scaling = json.loads((build / "report.json").read_text()), json.loads((build / "scaling.json").read_text())
    assert report["accuracy"]["mismatches"] == 0
    page = (build / "report.html").read_text()
    assert "<h3>Training from scratch</h3>" in page and f"<code>{scaling['chosen']}</code> (built)" in page
    (chosen,) = (one for one in scaling["fitting"] if one["name"] == scaling["chosen"])
    assert (
        chosen["macs"] == report["model"]["macs"] and [*chosen["resolution"].values()] == report["model"]["input"][:2]
    )
    accuracies = [one["accuracy"] for one in scaling["fitting"] if one["accuracy"] is not None]
    assert len(accuracies) == 2 and chosen["accuracy"] == max(accuracies)
    assert checkout.doit("build").did("up to date") == run.did("built")


@pytest.mark.slow
def test_published_networks_beside_the_searched_one(checkout: Checkout) -> None:
    checkout.write_spec(SPEC)
    run = checkout.doit("baselines", "archs=resnet8,resnet18", "trainings=2")
    assert run.code == 0, run.output
    build = checkout.path / "build"
    rows = [line.split("  ")[0] for line in run.output.splitlines() if line.endswith("kept")]
    assert {"searched", "searched, from scratch", "resnet8", "searched, layer-wise engine"} <= set(rows)
    assert " +- " in next(line for line in run.output.splitlines() if line.startswith("resnet8"))
    assert "standard deviation" in run.output and (build / "net" / "baselines.html").is_file()
    folders = (build / "net", build / "net-baselines-seed1", build / "net-baselines-seed2")
    seeds = [json.loads((folder / "search.json").read_text()) for folder in folders]
    assert seeds[0] != seeds[1] and seeds[1] != seeds[2] and seeds[0] != seeds[2]
    inherited, alone = ((build / name / "report.html").read_text() for name in ("net", "net-baselines-alone"))
    assert "<h3>Fine-tuning</h3>" in inherited and "Training from scratch" not in inherited
    assert "<h3>Training from scratch</h3>" in alone and "<h3>Fine-tuning</h3>" not in alone
    plan = checkout.doit("plan", "of=baselines", "archs=resnet8,resnet18", "trainings=2").output
    assert "net: nothing to do." in plan, plan


@pytest.mark.slow
def test_a_published_network_that_does_not_fit_is_told_and_fails_nothing(checkout: Checkout) -> None:
    checkout.write_spec(SPEC.replace('"512kB"', '"60kB"').replace('["mobile", "plain"]', '["plain"]'))
    run = checkout.doit("-n", "2", "baselines", "archs=resnet8,mobilenet_v2")
    assert run.code == 0, run.output
    (row,) = (line for line in run.output.splitlines() if line.endswith("does not fit"))
    reason = "\nmobilenet_v2: "
    assert row.startswith("mobilenet_v2") and reason in run.output and "left out" in run.output


@pytest.mark.parametrize(
    ("asked", "told"),
    [("archs=lenet", "archs=lenet: there is no such network; write some of mobilenet_v2"), ("seeds=2", "at least 3")],
)
def test_what_cannot_be_compared(checkout: Checkout, asked: str, told: str) -> None:
    checkout.write_spec(SPEC)
    run = checkout.doit("baselines", asked)
    assert run.code != 0 and told in run.output and "Traceback" not in run.output
