"""Sounds of a machine, from a folder to the report."""

import json
from pathlib import Path

import pytest

from mcubuild.ir.files import read_graph
from tests.data.machines import write_machine
from tests.e2e.checkout import SPEC, Checkout


@pytest.mark.slow
def test_from_sounds_of_a_machine_to_the_report(tmp_path: Path) -> None:
    """A few epochs find a worn bearing and a loose screw; firmware and reference agree on every window."""
    write_machine(tmp_path / "fan")
    checkout = Checkout(tmp_path / "project", tmp_path / "store")
    data = f'{{ kind = "anomaly_folder", path = "{tmp_path / "fan"}", bands = 32, step = 2 }}'
    spec = SPEC.replace('"digits"', data).replace("image_classification", "anomaly_detection")
    for key in ('blocks = ["mobile", "plain"]\n', "resolutions = [8, 12]\n", "[measure]\nsamples = 8\n"):
        spec = spec.replace(key, "")
    checkout.write_spec(spec.replace("epochs = 1\n", "epochs = 8\n"), "fan")
    run = checkout.doit("build")
    assert run.code == 0, run.output
    folder = checkout.path / "build" / "fan"
    report = json.loads((folder / "report.json").read_text())
    assert report["verdict"] == "pass" and not [one for one in report["cautions"] if "SRAM" in one]
    assert read_graph(folder).tensor("input").shape == (1, 5, 1, 32)
    accuracy = report["accuracy"]
    assert accuracy["device"] == accuracy["int8"] > 0.85
    details = report["details"]
    assert details["threshold"] == json.loads((folder / "threshold.json").read_text())["threshold"] > 0
    normal, anomalous = details["classes"]
    assert (normal["name"], anomalous["name"], normal["recordings"]) == ("normal", "anomalous", 12)
    assert normal["above"] < anomalous["above"]
    assert f"#define MODEL_THRESHOLD {details['threshold']}u" in (folder / "c" / "model.h").read_text()
    page = (folder / "report.html").read_text()
    assert "ROC curve" in page and "false alarms" in page


@pytest.mark.parametrize(
    ("command", "message"),
    [("curve", "amounts of samples that have a class each"), ("baselines", "are no autoencoders")],
)
def test_comparisons_that_make_no_sense_are_refused(command: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "fan").mkdir()
    checkout = Checkout(tmp_path / "project", tmp_path / "store")
    data = f'{{ kind = "anomaly_folder", path = "{tmp_path / "fan"}" }}'
    checkout.write_spec(f'task = "anomaly_detection"\nboard = "stm32f412"\ndataset = {data}\n')
    run = checkout.doit(command)
    assert run.code != 0 and message in " ".join(run.output.split())
