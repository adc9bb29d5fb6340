"""What a single share of right answers hides, in an invented build."""

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcubuild.board import read_board
from mcubuild.report import artifacts, quality
from mcubuild.report.report import make
from mcubuild.spec.budget import Budget
from mcubuild.spec.report import ReportSettings
from mcubuild.tasks.interval import wilson
from tests.report.invented_build import CLASSES, TEST, edit, write_build, write_remote


@pytest.fixture
def build(tmp_path: Path) -> Path:
    write_build(tmp_path)
    return tmp_path


def judged(build: Path, **budget: Any) -> Any:
    files = {str(path.relative_to(build)): path for path in build.rglob("*") if path.is_file()}
    return make(
        artifacts.read(files),
        name="invented",
        board=read_board("stm32f412"),
        budget=Budget(sram=128 << 10, flash=512 << 10, latency=0.05, **budget),
        settings=ReportSettings(),
        conditions="",
        provenance={},
    )


def answer(build: Path, labels: Sequence[int], answers: Sequence[int], run: int | None = None) -> None:
    """Let the network answer so to so many samples, of which the firmware ran ``run``."""
    outputs = np.full((len(labels), len(CLASSES)), -100, np.int8)
    outputs[np.arange(len(labels)), answers] = 100
    write(build, labels, outputs, run)


def write(build: Path, labels: Sequence[int], outputs: NDArray[np.int8], run: int | None = None) -> None:
    run = run or len(labels)
    np.save(build / "int8_outputs.npy", outputs)
    np.save(build / "device_outputs.npy", outputs[np.arange(run) * len(labels) // run])
    int8 = float(np.mean(outputs.argmax(axis=1) == labels))
    ends = wilson(int8, len(labels))
    intervals = {"float": ends, "int8": ends}
    values = {"int8": int8, "float": int8, "intervals": intervals, "samples": len(labels)}
    edit(build, "accuracy.json", labels=list(map(int, labels)), **values)
    edit(build, "measure.json", samples=run)
    edit(build, "inventory.json", test_ids="".join(f"{n:016x}" for n in range(len(labels))))


def even(count: int) -> list[int]:
    return [n % len(CLASSES) for n in range(count)]


def test_nothing_is_wrong(build: Path) -> None:
    report = judged(build)
    assert report.verdict == "pass" and report.cautions == []
    assert report.accuracy.judged == report.accuracy.device == report.accuracy.int8
    assert sum(one.samples for one in report.classes) == sum(one.answers for one in report.classes) == TEST
    assert sum(one.right for one in report.classes) == round(report.accuracy.int8 * TEST)


def test_a_class_that_is_never_the_answer(build: Path) -> None:
    labels = even(300)
    answer(build, labels, [label or 1 for label in labels])
    report = judged(build)
    assert report.verdict == "pass"
    assert "1 of 10 classes is never the answer: 'zero' (30 test samples)" in report.cautions
    answer(build, labels, [label if label > 4 else 9 for label in labels])
    listed = "'zero' (30 test samples), 'one' (30), 'two' (30) and 2 more"
    assert f"5 of 10 classes are never the answer: {listed}" in judged(build).cautions


def test_a_class_that_is_hardly_recognised(build: Path) -> None:
    labels = even(400)
    answers = [1 if label == 0 else label for label in labels]
    answers[1] = 0
    answer(build, labels, answers)
    assert "1 of 10 classes is recognised less often than by guessing: 'zero' (0 of 40)" in judged(build).cautions
    answers[0] = 0
    answer(build, labels, answers)
    assert not any("guessing" in one for one in judged(build).cautions)


def test_no_better_than_a_constant(build: Path) -> None:
    labels = [0] * 270 + [1] * 30
    answer(build, labels, [0] * 300)
    (caution,) = [one for one in judged(build).cautions if "only answer" in one]
    assert "90.00 % (86.1 to 92.9, 95 %) is not surely above the 90.00 % that 'zero' as the only answer" in caution
    answer(build, labels, [0] * 268 + [1] * 32)
    assert not any("only answer" in one for one in judged(build).cautions)


def test_another_order_of_the_classes(build: Path) -> None:
    labels = even(300)
    answer(build, labels, [(label + 1) % 10 for label in labels])
    (caution,) = [one for one in judged(build).cautions if "number the classes" in one]
    assert "'zero' is answered as 'one'" in caution and "would be 100.00 %" in caution
    answer(build, labels, np.random.default_rng(0).integers(0, 10, 300).tolist())
    assert not any("number the classes" in one for one in judged(build).cautions)


def test_ties(build: Path) -> None:
    """The first of equal outputs counts, which is luck."""
    labels = even(300)
    outputs = np.full((300, 10), -128, np.int8)
    outputs[np.arange(300), labels] = 127
    outputs[labels.index(5), 4] = 127
    write(build, labels, outputs)
    assert judged(build).cautions == [], "a single one of 300"
    outputs[np.flatnonzero(np.equal(labels, 5)), 4] = outputs[np.flatnonzero(np.equal(labels, 7)), 8] = 127
    write(build, labels, outputs)
    report = judged(build)
    assert report.accuracy.int8 == 0.9
    (caution,) = [one for one in report.cautions if "share the largest" in one]
    assert "On 60 of 300 samples" in caution and "between 80.00 % and 100.00 %" in caution


def test_validation_and_test(build: Path) -> None:
    """Of the int8 network that was built: fine-tuned with rounding, or not."""
    labels = even(300)
    answer(build, labels, [label if n % 5 else (label + 1 + n // 5 % 9) % 10 for n, label in enumerate(labels)])
    (caution,) = [one for one in judged(build).cautions if "do not agree" in one]
    assert "97.50 % (" in caution and "80.00 % (75.1 to 84.1, 95 %)" in caution
    path = build / "finetune_log.json"
    log = path.read_text()
    path.write_text(json.dumps([{"steps": 10, "loss": 1.0, "train_accuracy": 0.5}]))
    assert not any("do not agree" in one for one in judged(build).cautions), "it learned from both"
    path.write_text(log)
    edit(build, "quantize_log.json", calibrated=0.8, kept="calibrated")
    assert not any("do not agree" in one for one in judged(build).cautions)
    edit(build, "quantize_log.json", samples=20)
    assert "20 validation samples are few to choose a network by" in judged(build).cautions


def test_few_samples(build: Path) -> None:
    answer(build, even(300), even(300), run=20)
    report = judged(build)
    few = "20 test samples are few: the accuracy is 83.9 to 100.0 % with 95 % confidence"
    assert few in report.cautions and report.accuracy.interval[0] == pytest.approx(0.839, abs=1e-3)
    labels = [*([0, 1, 2, 3, 4, 5, 6, 7] * 30), 8, 8, 8]
    answer(build, labels, labels)
    assert judged(build).cautions == [
        "1 of 10 classes has no test samples: 'nine'",
        "1 of 10 classes has fewer than 10 test samples: 'eight' (3 test samples)",
    ]


def log(*losses: float, val: Sequence[float] | None = None) -> list[dict[str, float]]:
    entries = [{"steps": 67.0, "loss": loss, "train_accuracy": 0.5} for loss in losses]
    return entries if val is None else [{**one, "val_loss": loss} for one, loss in zip(entries, val, strict=True)]


# As digits are learned, in rounds of one pass.
SUPERNET = log(2.314, 1.869, 1.172, 0.94, 0.842, 0.775, 0.732, 0.709, 0.684, 0.667, 0.647, 0.648)
IN_FULL = log(
    0.371, 0.355, 0.348, 0.351, 0.341, 0.339, 0.333, 0.328, 0.329, 0.336, 0.331, 0.329, 0.327, 0.33, 0.32, 0.317,
    0.314, 0.316,
    val=[0.089, 0.078, 0.078, 0.073, 0.082, 0.093, 0.071, 0.089, 0.082, 0.103, 0.072, 0.075, 0.074,
         0.063, 0.074, 0.075, 0.073, 0.072],
)  # fmt: skip
TEN = log(
    0.485, 0.453, 0.431, 0.409, 0.405, 0.417, 0.407, 0.389, 0.388, 0.386,
    val=[0.182, 0.127, 0.13, 0.107, 0.343, 0.115, 0.094, 0.104, 0.091, 0.096],
)  # fmt: skip
THREE = log(0.909, 0.75, 0.69, val=[0.459, 0.319, 0.526])
THREE_OF_ANOTHER = log(0.829, 0.794, 0.784, val=[0.201, 0.217, 0.24])
TAUGHT_BY_HEART = log(1.5, 1.2, 0.9, 0.6, 0.4, 0.3, 0.2, 0.1, val=[1.5, 1.4, 1.6, 1.7, 1.8, 1.9, 1.5, 1.3])
DECAYS = log(*[1.0] * 7, 0.8, 0.6, 0.4, val=[1.0, 0.99, 0.98, 0.97, 0.96, 0.95, 0.94, 0.8, 0.7, 0.6])


@pytest.mark.parametrize(
    ("logs", "told"),
    [
        ((SUPERNET, IN_FULL, None), None),
        ((SUPERNET, TEN, None), None),
        (
            (SUPERNET, IN_FULL[:1], None),
            "last 134 of 536 steps before .* fell by 0.066, to 0.71; raise epochs of .supernet.",
        ),
        (
            (SUPERNET[:3], THREE, None),
            "last 67 of 134 steps .* 0.16, to 0.75; raise epochs of .finetune., or time of .search.",
        ),
        ((SUPERNET[:3], THREE_OF_ANOTHER, None), "fell by 0.035"),
        ((SUPERNET[:1], THREE[:1], None), "a single round does not tell"),
        ((None, None, THREE), "raise epochs of .supernet.$"),
        ((None, None, THREE[:1]), "a single round does not tell.*raise epochs of .supernet.$"),
        ((None, None, TAUGHT_BY_HEART), None),
        ((None, None, DECAYS), None),
        ((None, None, None), None),
    ],
)
def test_training_that_was_cut_short(logs: Any, told: str | None) -> None:
    supernet, alone, scratch = logs
    found = list(quality.cut_short(supernet, alone, scratch, guessing=math.log(10)))
    assert len(found) == (told is not None)
    if told is not None:
        assert re.search(told, found[0]), found


def test_a_limit(build: Path) -> None:
    """Judged on the firmware's samples; strictly by the lower end of their interval."""
    labels = even(200)
    answer(build, labels, [label if n % 10 else (label + 1 + n // 10 % 9) % 10 for n, label in enumerate(labels)])
    report = judged(build, accuracy=0.9)
    line = report.budget.accuracy
    assert report.verdict == "pass" and (line.limit, line.used, line.origin) == (0.9, 0.9, "emulated")
    report = judged(build, accuracy=0.905)
    (reason,) = report.reasons
    assert reason == "Accuracy is 0.50 points below its budget: 90.00 % of at least 90.50 %, emulated"
    report = judged(build, accuracy=0.86, strict=True)
    (reason,) = report.reasons
    assert reason.startswith("The lower end of the accuracy's 95 % interval is 0.94 points below its budget: 85.06 %")
    assert report.budget.strict and report.budget.accuracy.used == report.accuracy.interval[0]
    assert judged(build, accuracy=0.85, strict=True).verdict == "pass"


def test_a_limit_is_judged_on_the_board(build: Path) -> None:
    write_remote(build, samples=40)
    wrong = np.load(build / "remote_outputs.npy")
    wrong[:10] = np.roll(wrong[:10], 1, axis=1)
    np.save(build / "remote_outputs.npy", wrong)
    report = judged(build, accuracy=0.9)
    assert report.accuracy.judged == report.remote.accuracy < 0.8 < 0.9 < report.accuracy.device
    assert report.accuracy.judged_samples == 40 and report.budget.accuracy.origin == "measured"
    assert any(reason.startswith("Accuracy is ") and reason.endswith("measured") for reason in report.reasons)


def test_a_limit_without_labels(build: Path) -> None:
    edit(build, "accuracy.json", labels=None, classification=None, int8=None, float=None)
    report = judged(build)
    assert report.accuracy.judged is report.classes is None and report.cautions == []
    assert judged(build, accuracy=0.9).reasons == [
        "Accuracy must be at least 90.00 % but is not known: there are no labels"
    ]


def test_one_unit(build: Path) -> None:
    """The board's class is what a threshold says, in every figure."""
    levels = np.linspace(-128, 127, TEST).astype(np.int8)[:, None]
    labels = (levels[:, 0] > 0).astype(int)
    labels[:4] = 1
    reads = {"units": 1, "scale": 1 / 256, "zero_point": -128, "threshold": 0.5, "probabilities": True}
    for name in ("int8_outputs.npy", "device_outputs.npy"):
        np.save(build / name, levels)
    edit(build, "accuracy.json", classification=reads, labels=labels.tolist(), int8=1 - 4 / TEST, float=None)
    edit(build, "index.json", classes=["odd", "even"])
    for name in ("supernet_log.json", "finetune_log.json", "quantize_log.json"):
        (build / name).unlink()
    report = judged(build)
    assert report.accuracy.device == report.accuracy.int8 and report.cautions == []
    assert [(one.name, one.samples - one.right) for one in report.classes] == [("odd", 0), ("even", 4)]
    assert json.loads((build / "accuracy.json").read_text())["int8"] == report.accuracy.judged
