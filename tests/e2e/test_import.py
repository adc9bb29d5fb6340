"""A spec that brings its network: from a .tflite file to a measured report."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.e2e.checkout import Checkout
from tests.importers.networks import random_network
from tests.importers.writer import Writer, write

SPEC = """
board = "stm32f412"

[model]
file = "net.tflite"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "checkout", tmp_path / "store")


def classifier() -> bytes:
    """Float32 in and out; class k if input k of four is the largest."""
    w = Writer()
    x, y = w.tensor((1, 4), "float32", name="x"), w.tensor((1, 4), "float32", name="y")
    q, sums, p = (
        w.tensor((1, 4), scale=0.05),
        w.tensor((1, 4), scale=0.05),
        w.tensor((1, 4), scale=1 / 256, zero_point=-128),
    )
    weights = w.tensor((4, 4), scale=1 / 127, values=127 * np.eye(4))
    w.operator("QUANTIZE", [x], [q])
    w.operator("FULLY_CONNECTED", [q, weights, -1], [sums])
    w.operator("SOFTMAX", [sums], [p], Beta=1.0)
    w.operator("DEQUANTIZE", [p], [y])
    return w.finish([x], [y])


def report(checkout: Checkout) -> dict[str, object]:
    content: dict[str, object] = json.loads((checkout.path / "build" / "net" / "report.json").read_text())
    return content


def test_samples_labels_and_changes(checkout: Checkout) -> None:
    folder = checkout.write_spec(
        SPEC + 'inputs = "x.npy"\noutputs = "y.npy"\nlabels = "labels.npy"\n[report]\ntitle = "mine"\n'
    ).parent
    write(folder / "net.tflite", classifier())
    inputs = np.random.default_rng(0).normal(0, 3, (10, 4)).astype(np.float32)
    labels = inputs.argmax(axis=1)
    labels[:2] = (labels[:2] + 1) % 4
    np.save(folder / "x.npy", inputs)
    np.save(folder / "labels.npy", labels)
    odds = np.exp(np.clip(np.round(inputs / 0.05), -128, 127) * 0.05)
    np.save(folder / "y.npy", (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32))
    run = checkout.doit("build")
    assert run.code == 0, run.output
    assert run.did("built") == {"import", "reference", "codegen", "firmware", "measure", "report"}
    accuracy: Any = report(checkout)["accuracy"]
    assert accuracy.pop("interval") == pytest.approx([0.490, 0.943], abs=1e-3)
    intervals = accuracy.pop("intervals")
    assert intervals["int8"] == intervals["device"] == pytest.approx([0.490, 0.943], abs=1e-3)
    assert intervals["float"] is None
    assert accuracy == {
        "device": 0.8, "float": None, "int8": 0.8, "mismatches": 0, "samples": 10, "judged": 0.8, "judged_samples": 10,
        "arithmetic": "int8", "metric": "accuracy",
    }  # fmt: skip
    assert "net: pass, 3 cautions; accuracy 80.00 % (49.0 to 94.3, 95 %), no quality limit" in run.output, run.output
    assert "caution: 10 test samples are few" in run.output
    tested: Any = report(checkout)["test_set"]
    assert tested["ids"] == [hashlib.sha256(row.tobytes()).hexdigest()[:16] for row in inputs]
    assert tested["int8"] == tested["device"] == "00" + 8 * "1"
    assert report(checkout)["author"] == {"samples": 10, "differ": 0, "beyond": 0, "largest": 0, "tolerance": 0}
    assert "your outputs 10 of 10 samples, reference: equal to [model] outputs" in run.output
    assert "<dd>10 of 10 samples</dd>" in (checkout.path / "build" / "net" / "report.html").read_text()
    assert "mine" in (checkout.path / "build" / "net" / "report.html").read_text()
    header = (checkout.path / "build" / "net" / "c" / "model.h").read_text()
    assert "#define MODEL_INPUT_SCALE 0.05000000074505806" in header
    spec = folder / "net.toml"
    spec.write_text(spec.read_text() + '[budget]\naccuracy = "90%"\n')
    run = checkout.doit("build")
    assert run.code == 1 and run.did("built") == {"report"}, run.output
    assert "the budget is broken: Accuracy is 10.00 points below its budget" in run.output
    np.save(folder / "labels.npy", inputs.argmax(axis=1))
    other = np.load(folder / "y.npy")
    other[3, 0] += 2.0 / 256 if other[3, 0] < 0.5 else -2.0 / 256
    np.save(folder / "y.npy", other)
    run = checkout.doit("build")
    assert run.code == 1 and run.did("built") == {"reference", "report"}, run.output
    assert report(checkout)["accuracy"]["device"] == 1.0  # type: ignore[index]
    told = "The outputs of 1 of 10 samples differ from [model] outputs by more than tolerance = 0: by 2 steps at most"
    assert told in run.output
    spec.write_text(spec.read_text().replace('labels = "labels.npy"', 'labels = "labels.npy"\ntolerance = 2'))
    run = checkout.doit("build")
    assert run.code == 0, run.output
    assert "10 of 10 samples, reference: within 2 steps of [model] outputs" in run.output


def real_classifier() -> bytes:
    """The same in real numbers: nothing is quantised."""
    w = Writer()
    x, sums, y = (w.tensor((1, 4), "float32", name=name) for name in ("x", "sums", "y"))
    weights = w.tensor((4, 4), "float32", values=np.eye(4))
    w.operator("FULLY_CONNECTED", [x, weights, -1], [sums])
    w.operator("SOFTMAX", [sums], [y], Beta=1.0)
    return w.finish([x], [y])


def test_real_numbers_are_quantised_by_the_samples(checkout: Checkout) -> None:
    folder = checkout.write_spec(SPEC).parent
    write(folder / "net.tflite", real_classifier())
    run = checkout.doit("build")
    assert run.code != 0
    assert "is not quantised; give samples to quantise it by, a dataset or [model] inputs" in run.output, run.output
    inputs = np.random.default_rng(0).normal(0, 3, (100, 4)).astype(np.float32)
    np.save(folder / "x.npy", inputs)
    np.save(folder / "labels.npy", inputs.argmax(axis=1))
    (folder / "net.toml").write_text(SPEC + 'inputs = "x.npy"\nlabels = "labels.npy"\n')
    run = checkout.doit("build")
    assert run.code == 0, run.output
    found = report(checkout)
    accuracy, floating = found["accuracy"], found["floating"]
    assert isinstance(accuracy, dict) and isinstance(floating, dict)
    assert accuracy["float"] == 1.0 and accuracy["int8"] > 0.95 and accuracy["mismatches"] == 0
    assert floating["samples"] == floating["calibration"] == 100
    assert 0 < floating["mean"] < 0.01 and floating["mean"] < floating["largest"] < 0.05
    assert floating["agreement"] > 0.95
    assert "The accuracy is of the samples that the network was quantised by" in run.output
    assert "difference   " in run.output and "quantised here by 100 samples" in run.output
    assert checkout.doit("build").did("built") == set()


class Pictures(nn.Module):
    """Of 8x8 grey pixels: ten classes, by nothing that was learned."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU6(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.body(x)
        return found


def test_a_program_of_pytorch_on_a_data_set(checkout: Checkout) -> None:
    torch.manual_seed(0)
    network = Pictures().eval()
    spec = 'dataset = "digits"\n' + SPEC.replace("net.tflite", "net.pt2")
    folder = checkout.write_spec(spec).parent
    torch.export.save(torch.export.export(network, (torch.rand(1, 1, 8, 8),)), str(folder / "net.pt2"))
    run = checkout.doit("build")
    assert run.code != 0 and "which real values training fed for pixel values 0 and 255" in run.output, run.output
    (folder / "net.toml").write_text(spec + "pixels = [0, 1]\n[measure]\nsamples = 8\n")
    run = checkout.doit("build")
    assert run.code == 0, run.output
    found: Any = report(checkout)
    test = np.load(checkout.path / "build" / "net" / "test.npz")
    with torch.no_grad():
        answers = network(torch.from_numpy(test["x"]).permute(0, 3, 1, 2) / 255).argmax(1).numpy()
    assert found["accuracy"]["float"] == pytest.approx((answers == test["y"]).mean())
    assert found["accuracy"]["mismatches"] == 0
    assert found["floating"]["samples"] == len(test["y"]) and found["floating"]["calibration"] == 256
    assert found["floating"]["agreement"] > 0.9 and found["floating"]["mean"] < 0.02
    assert "#define MODEL_INPUT_ZERO_POINT -128" in (checkout.path / "build" / "net" / "c" / "model.h").read_text()


def test_several_inputs_and_outputs_on_random_samples(checkout: Checkout) -> None:
    folder = checkout.write_spec(SPEC).parent
    seed = next(seed for seed in range(100) if len(random_network(seed, 8).inputs) == 2)
    write(folder / "net.tflite", random_network(seed, 8).finish())
    run = checkout.doit("build")
    assert run.code == 0, run.output
    assert "outputs      8 of 8 samples, emulated: equal to the integer reference" in run.output
    assert checkout.doit("build").did("built") == set()


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("", ["net.tflite: cannot be read"]),
        ('inputs = "x.npy"', ["x.npy: cannot be read"]),
        ('labels = "x.npy"', ["found labels without inputs"]),
        ('[budget]\naccuracy = "90%"', ["net.toml: the whole file: found budget.accuracy without labels"]),
        ("file2 = 1", ["net.toml:6: model.file2: unknown key"]),
        ("[search]\npopulation = 7", ["found [model] beside search"]),
    ],
)
def test_mistakes(checkout: Checkout, spec: str, told: list[str]) -> None:
    folder = checkout.write_spec(SPEC + spec + "\n").parent
    if spec:
        write(folder / "net.tflite", classifier())
    run = checkout.doit("build")
    assert run.code != 0
    assert all(words in run.output for words in told), run.output
    assert "Traceback" not in run.output
