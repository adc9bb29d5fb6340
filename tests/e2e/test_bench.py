"""The commands that compare: what they print, and what they say of mistakes."""

from pathlib import Path

import pytest

from tests.e2e.checkout import Checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "checkout", tmp_path / "store")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("curve=nonet", ["curve=nonet: there is no such network", "mobile-80, mbv2-w0.35-r144"]),
        ("latency=some", ["latency=some: must be a whole number, at least 1; such as latency=50"]),
        ("figure=4", ["figure=4: there is no such figure here; write figure=3 or figure=12"]),
        ("samples=x figure=3", ["samples=x: must be a whole number, at least 10"]),
        ("models=specs", ["models=specs: there is no .tflite file in", "name a folder with some"]),
    ],
)
def test_what_is_not_there(checkout: Checkout, asked: str, told: list[str]) -> None:
    checkout.write_spec("this is no spec")
    run = checkout.doit("paper" if "figure" in asked else "bench", *asked.split())
    assert run.code != 0
    assert all(words in run.output for words in told), run.output
    assert "Traceback" not in run.output


def test_a_file_with_the_name_of_a_built_in_network_is_refused(checkout: Checkout) -> None:
    (checkout.path / "specs" / "mobile-80.tflite").write_bytes(b"")
    run = checkout.doit("bench", "models=specs")
    assert run.code != 0 and "mobile-80.tflite has the name of a built-in network" in run.output


@pytest.mark.parametrize(
    ("command", "network", "told"),
    [
        ("baselines", '[model]\nfile = "net.tflite"\n', "found [model] in the spec: its network is not trained here"),
        ("throughput", 'arch = "resnet8"\n', "found arch in the spec: its network is not searched for here"),
    ],
)
def test_a_command_that_has_nothing_to_do_for_a_spec_says_so(
    checkout: Checkout, command: str, network: str, told: str
) -> None:
    data = 'task = "image_classification"\ndataset = "digits"\n' if "arch" in network else ""
    checkout.write_spec(f'board = "stm32f412"\n{data}{network}')
    run = checkout.doit(command, "spec=specs/net.toml")
    assert run.code != 0 and told in run.output and f"nothing for doit {command} to do" in run.output, run.output
    assert not run.did("built") and "Traceback" not in run.output
    assert checkout.doit(command, "spec=specs/*.toml").code == 0, "a pattern names no spec"


@pytest.mark.slow
def test_an_ablation_runs_up_to_the_network_and_no_further(checkout: Checkout) -> None:
    checkout.write_spec()
    run = checkout.doit("ablation")
    assert run.code == 0, run.output
    assert run.did("built") == {
        "dataset",
        "outline",
        "margin",
        "space",
        "race",
        "supernet",
        "search",
        "choose",
        "finetune",
        "quantize",
        "rung",
        "ablation",
    }
    (first,) = (line for line in run.output.splitlines() if line.startswith(" 0 generated C"))
    (last,) = (line for line in run.output.splitlines() if line.startswith("10 as the spec says"))
    assert "1.00x" in first and float(last.split("x ")[0].split()[-1]) > 2
    assert "im2col planned for the whole model" in (checkout.path / "build/net/ablation.html").read_text()
    again = checkout.doit("ablation")
    assert last in again.output and again.did("built") == {"ablation"}


@pytest.mark.slow
def test_estimates_in_the_space_of_a_spec_are_measured_once(checkout: Checkout) -> None:
    checkout.write_spec()
    run = checkout.doit("latency", "networks=2")
    assert run.code == 0, run.output
    assert run.did("built") == {"dataset", "outline", "margin", "space", "race", "latency"}
    (total,) = (line for line in run.output.splitlines() if line.startswith("cortex-m4"))
    assert total.split()[1:3] == ["2", "all"]
    assert "2 random networks of w0." in (checkout.path / "build/net/latency.html").read_text()
    kept = sorted(checkout.store.rglob("figures.json"))
    assert len(kept) == 2 and total in checkout.doit("latency", "networks=2").output
    assert kept == sorted(checkout.store.rglob("figures.json"))
