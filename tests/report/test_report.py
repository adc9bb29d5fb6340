"""The report as a whole, made from an invented build folder."""

import json
import re
import shutil
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from msgspec import structs

from mcubuild import ROOT
from mcubuild.artifacts import write_artifact
from mcubuild.artifacts.margin import MARGIN, Margin
from mcubuild.bench import published
from mcubuild.board import Cache, read_board
from mcubuild.data.features import design
from mcubuild.data.splits import read_index, write_index
from mcubuild.errors import BuildError
from mcubuild.report import estimates
from mcubuild.report.layers import TIMES
from mcubuild.report.model import Report
from mcubuild.report.report import write
from mcubuild.report.schema import report_schema
from mcubuild.resolution import square
from mcubuild.spec.budget import Budget
from mcubuild.spec.deployment import Deployment
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.spec.report import ReportSettings
from mcubuild.units import format_size
from tests.report.invented_build import STACK, STATIC, TEST, edit, write_build, write_remote

CONDITIONS: dict[str, Any] = {
    "toolchain": estimates.read()[0].toolchain,
    "networks": "searched",
}
MEASURED = estimates.conditions(Deployment(read_board("stm32f412")), **CONDITIONS)
VOID = {"meta", "img", "br", "hr", "link", "input"}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original")
    write_build(folder)
    return folder


@pytest.fixture
def build(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "build"))


def make(build: Path, **changes: Any) -> tuple[dict[str, Any], str]:
    """report.json and report.html of ``build``."""
    inputs = {str(path.relative_to(build)): path for path in build.rglob("*") if path.is_file()}
    out = build / "out"
    out.mkdir(exist_ok=True)
    arguments: dict[str, Any] = {
        "name": "invented",
        "board": read_board("stm32f412"),
        "budget": Budget(sram=128 << 10, flash=512 << 10, latency=0.05),
        "settings": ReportSettings(),
        "conditions": MEASURED,
        "provenance": {"seed": 0, "spec": {"task": "image_classification"}},
    }
    write(inputs, **{**arguments, **changes}, out=out)
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    html = (out / "report.html").read_text(encoding="utf-8")
    shutil.rmtree(out)
    return report, html


class Structure(HTMLParser):
    """Checks that elements nest, and collects text and attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())  # no-break spaces become plain ones


def test_figures_are_those_of_the_artifacts(build: Path) -> None:
    report, html = make(build)
    sizes = json.loads((build / "sizes.json").read_text())
    measure = json.loads((build / "measure.json").read_text())
    assert report["schema"] == 10
    assert report["verdict"] == "pass" and report["reasons"] == []
    assert report["sram_bytes"] == sizes["sram_static_bytes"] + STACK
    assert report["sram"]["static"] == STATIC
    assert (
        sum(report["flash"][part] for part in ("code", "weights", "data"))
        == report["flash_bytes"]
        == sizes["flash_bytes"]
    )
    assert report["latency_ms"] == measure["latency_ms"]
    assert report["energy_mj"] == pytest.approx(37 * measure["latency_ms"] / 1000)
    assert report["budget"]["latency"]["used"] == pytest.approx(measure["cycles"]["max"] / 1e5)
    assert report["samples"] == report["accuracy"]["samples"] == TEST
    assert report["accuracy"]["device"] == pytest.approx(report["accuracy"]["int8"])
    assert report["model"]["layers"] == len(measure["layers"])
    assert f"{100 * report['accuracy']['device']:.2f} %" in Structure(html).text


def test_published_accuracies_stand_beside_those_of_builds(build: Path) -> None:
    report = Report.model_validate(make(build)[0])
    told = list(published.lines({"vww_f412": report}, {"vww_f746": "not built here: data missing"}))
    assert report.accuracy.device is not None
    (ours,) = (line for line in told if "vww_f412" in line)
    assert "over 90 %" in ours and f"{100 * report.accuracy.device:.2f} %" in ours
    assert format_size(report.sram_bytes) in ours and format_size(report.flash_bytes) in ours
    (missing,) = (line for line in told if "vww_f746" in line)
    assert missing.endswith("not built here: data missing")
    assert len(told) == 1 + len(published.PUBLISHED) + 3
    assert all((ROOT / "specs" / f"{name}.toml").is_file() for name in published.specs())


def test_json_validates_against_the_exported_schema(build: Path) -> None:
    report, _ = make(build)
    Report.model_validate(report)
    schema = json.loads(report_schema())
    assert set(report) == set(schema["properties"]) == set(schema["required"]) | {"schema"}
    assert all("description" in part for part in schema["properties"].values())


@pytest.mark.parametrize(
    ("budget", "reason"),
    [
        ({"sram": 8000}, r"SRAM is \d+ B \([\d.]+%\) over its budget"),
        ({"flash": 200 << 10}, r"Flash is [\d.]+ kB \([\d.]+%\) over its budget"),
        ({"latency": 0.01}, r"Latency is [\d.]+ ms \([\d.]+%\) over its budget"),
        # 0.37 mJ at 37 mW: as ``read_spec`` has it, the latency is limited, too.
        ({"energy": 0.37e-3, "latency": 0.01}, r"Energy is [\d.]+ (m|u)J \([\d.]+%\) over .*, modelled$"),
    ],
)
def test_a_broken_budget_fails_first_thing_on_the_page(build: Path, budget: dict[str, Any], reason: str) -> None:
    report, html = make(build, budget=Budget(**{"sram": 128 << 10, "flash": 512 << 10, "latency": 0.05, **budget}))
    assert report["verdict"] == "fail"
    assert [bool(re.match(reason, line)) for line in report["reasons"]] == [True]
    text = Structure(html).text
    assert text.index(report["reasons"][0]) < text.index("Does it fit?")
    assert "✗ Fail." in text and "over" in text


def test_a_limit_of_energy(build: Path) -> None:
    """It is judged by the slowest sample; a latency that the spec limits more tightly keeps its own limit."""
    report, html = make(build, budget=Budget(sram=128 << 10, flash=512 << 10, energy=5e-3, latency=0.05))
    line = report["budget"]["energy"]
    assert report["verdict"] == "pass" and line["limit"] == 5 and line["origin"] == "modelled"
    assert line["used"] == pytest.approx(37 * report["budget"]["latency"]["used"] / 1e3)
    assert report["budget"]["latency"]["limit"] == 50
    text = Structure(html).text
    assert f"Energy, modelled: 37 mW active power {TIMES} latency" in text
    assert f"modelled: 37 mW active power {TIMES} time" in text
    report, html = make(build)
    assert report["budget"]["energy"]["limit"] is None and "Energy, modelled" not in Structure(html).text


def test_the_error_of_the_latency_model(build: Path) -> None:
    cycles = json.loads((build / "measure.json").read_text())["cycles"]["mean"]
    report, html = make(build)
    model, text = report["latency_model"], Structure(html).text
    assert model["error"] == pytest.approx(model["estimated"] / cycles - 1)
    count = len(estimates.holding(MEASURED))
    assert model["elsewhere"]["networks"] == count >= 20 and model["scale"] == 1
    assert f"On {count} other networks, the estimates of cycles are" in text and MEASURED in text
    assert "stm32f412 (cortex-m4)" in text and "stm32f746" not in text


@pytest.mark.parametrize(
    "changes",
    [
        {"core": "cortex-m3"},
        {"waits": 5},
        {"cache": Cache()},
        {"engine": EngineSettings(assembly=False)},
        {"engine": EngineSettings(tune=True)},
        {"firmware": FirmwareSettings(optimize="Os")},
        {"toolchain": "arm-none-eabi-gcc 12.2"},
        {"bits": 4},
        {"networks": "ds_cnn"},
        {"networks": "searched, fancy"},
    ],
)
def test_no_error_is_claimed_for_what_was_not_measured(build: Path, changes: dict[str, Any]) -> None:
    board = read_board("stm32f412")
    if "waits" in changes:
        flash = board.memory[0].model_copy(update={"wait_states": changes.pop("waits")})
        board = board.model_copy(update={"memory": (flash, *board.memory[1:])})
    board = board.model_copy(update={key: changes.pop(key) for key in ("core", "cache") if key in changes})
    built = {key: changes.pop(key) for key in ("engine", "firmware", "bits") if key in changes}
    wanted = estimates.conditions(Deployment(board, **built), **{**CONDITIONS, **changes})
    report, html = make(build, conditions=wanted)
    assert report["latency_model"]["elsewhere"] is None
    assert f"was not measured under these conditions: {wanted}" in Structure(html).text


def test_estimates_that_were_held_against_other_networks_before_the_search(build: Path) -> None:
    one = structs.replace(estimates.holding(MEASURED)[0], estimated=10, emulated=40, conditions="here")
    others = [one, structs.replace(one, emulated=50)]
    write_artifact(Margin(4.5, 0.2, networks=tuple(others)), build / MARGIN)
    report, html = make(build, conditions="here")
    model, predicted = report["latency_model"], json.loads((build / "c" / "plan.json").read_text())["predicted"]
    assert model["estimated"] == round(4.5 * predicted["cycles"]) and model["scale"] == 4.5
    assert model["elsewhere"]["networks"] == 2 and model["elsewhere"]["worst"] == pytest.approx(0.125)
    assert "its estimates were multiplied by 4.50" in Structure(html).text


def test_the_clock_and_why(build: Path) -> None:
    board = read_board("stm32f412")
    report, html = make(build)
    assert "at 100 MHz, set by the firmware" in Structure(html).text
    kept = board.model_copy(update={"clock_setup": None, "reset_clock": 16_000_000})
    report, html = make(build, board=kept)
    assert report["board"]["clock_hz"] == 16_000_000
    assert report["cautions"][0].startswith("Time is judged at 16 MHz, the clock after reset") and "100 MHz" in html


def test_a_stack_overflow_fails(build: Path) -> None:
    edit(build, "measure.json", stack_bytes=2052)
    report, _ = make(build)
    assert report["verdict"] == "fail"
    assert "4 B beyond" in report["reasons"][0]


def test_a_device_that_disagrees_with_the_reference_fails(build: Path) -> None:
    outputs = np.load(build / "device_outputs.npy")
    outputs[5, 3] ^= 1  # the class stays the same
    np.save(build / "device_outputs.npy", outputs)
    report, html = make(build)
    assert report["verdict"] == "fail"
    assert report["accuracy"]["mismatches"] == 1
    assert "differ in the outputs of 1 of" in Structure(html).text


def test_some_samples_only(build: Path) -> None:
    assert "(Wilson) for 360 test samples. " in Structure(make(build)[1]).text
    outputs = np.load(build / "device_outputs.npy")
    chosen = np.arange(100) * TEST // 100
    np.save(build / "device_outputs.npy", outputs[chosen])
    edit(build, "measure.json", samples=100)
    report, html = make(build)
    assert report["accuracy"]["mismatches"] == 0
    assert any("100 of the 360" in caution for caution in report["cautions"])
    assert "(Wilson) for 360 test samples, the device's for the 100 that it ran." in Structure(html).text


def test_a_core_without_cycle_model(build: Path) -> None:
    layers = json.loads((build / "measure.json").read_text())["layers"]
    unknown = {
        "cycles": None,
        "latency_ms": None,
        "zero_wait_cycles": None,
        "cycle_model": "no model of this core",
        "uncertainty": None,
    }
    edit(build, "measure.json", **unknown, layers=[{**layer, "cycles": None} for layer in layers])
    report, html = make(build, budget=Budget(sram=128 << 10, flash=512 << 10))
    assert report["verdict"] == "pass" and report["energy_mj"] is None
    assert "no model of this core" in Structure(html).text
    report, _ = make(build)
    assert report["verdict"] == "fail"


@pytest.mark.parametrize(
    "missing",
    ["space_table.json", "race.json", "supernet_log.json", "search.json", "finetune_log.json", "quantize_log.json"],
)
def test_stages_that_a_build_does_not_have_are_left_out(build: Path, missing: str) -> None:
    (build / missing).unlink()
    _, html = make(build)
    Structure(html)


def test_the_race_decided_the_space(build: Path) -> None:
    report, html = make(build)
    race, text = json.loads((build / "race.json").read_text()), Structure(html).text
    assert f"{race['winner']} won" in text and "won the race" in text and "The race of the search spaces" in text
    assert report["search"]["time"] is None and "The spec gives" not in text
    winner = next(row["name"] for row in race["rounds"] if row["name"] != race["winner"])
    edit(build, "race.json", winner=winner)
    assert f"{winner} won with the least loss" in Structure(make(build)[1]).text, "whatever MCUNet's rule would choose"
    edit(build, "race.json", rounds=[])
    text = Structure(make(build)[1]).text
    assert "The race of the search spaces" not in text and "The framed space was chosen" in text


def test_the_time_that_was_asked(build: Path) -> None:
    pace = {"time": 20.0, "seconds": {"race": 30.0, "supernet": 50.0}, "factor": 0.2}
    (build / "pace.json").write_text(json.dumps(pace))
    report, html = make(build)
    assert report["search"]["time"] == 20
    assert "The spec gives 20.0 s to race" in html and "80.0 s, so all were made 0.2 times as long" in html


@pytest.mark.parametrize("method", ["evolution", "random"])
def test_a_search_with_one_method(build: Path, method: str) -> None:
    search = json.loads((build / "search.json").read_text())
    edit(build, "search.json", evaluations={method: search["evaluations"][method]})
    report, html = make(build)
    other = {"evolution": "random", "random": "evolution"}[method]
    assert report["search"][other] is None and report["search"][method] > 0.9
    assert "best so far" in Structure(html).text


def test_the_search_offers_other_networks(build: Path) -> None:
    _, html = make(build)
    text, found = Structure(html).text, json.loads((build / "search.json").read_text())
    assert "Other networks to take" in text and found["chosen"]["key"] in text and "(built)" in text
    assert found["front"][0]["key"] in text and "predictor" not in text
    edit(build, "search.json", predictor={"taught": 160, "held_out": 40, "rank_correlation": 0.876})
    _, html = make(build)
    assert "40 of them that it had not met its rank correlation with the evaluated accuracy is 0.88" in html


def test_the_page_says_whether_it_has_all_of_the_front(build: Path) -> None:
    found = json.loads((build / "search.json").read_text())
    chosen = found["chosen"]
    others = [one for one in found["evaluations"]["random"] if one["key"] != chosen["key"]]
    for front, told in (
        (others[:16], "All 16 evaluated networks that no other beats"),
        (others[:17], "Some of the 17 evaluated networks that no other beats"),  # and the built one: 17 rows
        ([*others[:8], chosen, *others[8:16]], "All 17 evaluated networks that no other beats"),
    ):
        edit(build, "search.json", front=front)
        text = Structure(make(build)[1]).text
        assert told in text and ("and the one that was built;" in text) == (chosen not in front)


def test_another_network_than_the_searchs_own_choice_was_built(build: Path) -> None:
    found = json.loads((build / "search.json").read_text())
    other = found["evaluations"]["random"][0] | {"key": found["chosen"]["key"]}
    found["evaluations"]["random"][0] = other
    found["evaluations"]["evolution"] = [one for one in found["evaluations"]["evolution"] if one["key"] != other["key"]]
    edit(build, "search.json", evaluations=found["evaluations"], chosen=found["evaluations"]["evolution"][0])
    report, html = make(build)
    assert report["search"]["chosen"] == "random"
    assert f"chosen: {100 * other['accuracy']:.1f} %" in html
    edit(build, "search.json", evaluations={"evolution": found["evaluations"]["evolution"]})
    with pytest.raises(BuildError, match=r"the network is not one of search\.json"):
        make(build)


def test_no_fine_tuning(build: Path) -> None:
    (build / "finetune_log.json").write_text("[]")
    _, html = make(build)
    assert "Fine-tuning" not in html and "from scratch" not in html and "Super network" in html


def test_a_single_epoch_is_a_dot(build: Path) -> None:
    many = make(build)[1].count("<circle")
    (build / "finetune_log.json").write_text('[{"steps": 10, "loss": 1.0, "train_accuracy": 0.5, "val_accuracy": 0.6}]')
    assert make(build)[1].count("<circle") == many + 3


def test_training_from_scratch_is_no_fine_tuning(build: Path) -> None:
    """Also where there is a super network."""
    text = Structure(make(build)[1]).text
    assert "Fine-tuning" in text and "weights that it inherited" in text and "from scratch" not in text
    (build / "finetune_log.json").rename(build / "train_log.json")
    text = Structure(make(build)[1]).text
    assert "Training from scratch" in text and "from random weights" in text
    assert "Fine-tuning" not in text and "weights that it inherited" not in text and "Super network" in text


def test_which_sizes_of_a_published_network_competed(build: Path) -> None:
    assert "Sizes of the published network" not in make(build)[1]
    sizes: list[dict[str, Any]] = [
        {"name": f"resnet8-w{width}-r{side}", "width": width, "resolution": asdict(square(side)), "accuracy": accuracy,
         "macs": 1_250_000, "sram": 2048, "flash": 4096, "latency": 0.0125}
        for width, side, accuracy in ((0.5, 16, None), (0.5, 32, 0.75), (1, 16, 0.5))
    ]  # fmt: skip
    (build / "scaling.json").write_text(json.dumps({"chosen": "resnet8-w0.5-r32", "fitting": sizes}))
    text = Structure(make(build)[1]).text
    assert "resnet8-w0.5-r32 (built) 1.25 12.5 ms 2.0 kB 4.0 kB 75.0 % resnet8-w1-r16 1.25" in text
    assert "Of the 3 sizes that fit" in text and "resnet8-w0.5-r16" not in text
    del sizes[2]
    sizes[1]["accuracy"] = None
    (build / "scaling.json").write_text(json.dumps({"chosen": "resnet8-w0.5-r32", "fitting": sizes}))
    text = Structure(make(build)[1]).text
    assert "resnet8-w0.5-r32 (built) 1.25 12.5 ms 2.0 kB 4.0 kB \N{EN DASH}" in text
    assert "The largest of 2 that fit" in text


def test_what_quantisation_cost_and_what_was_done_about_it(build: Path) -> None:
    text = Structure(make(build)[1]).text
    assert "integers have 94.00 % where floating point has 98.00 %. As that loses more than 1.0 %" in text
    assert "97.50 %, which was built" in text and "Quantisation-aware fine-tuning" in text
    assert "learned from in the end" not in text
    path = build / "finetune_log.json"
    log = path.read_text()
    path.write_text('[{"steps": 10, "loss": 1.0, "train_accuracy": 0.5}]')
    assert "validation samples, which it learned from in the end, integers have" in Structure(make(build)[1]).text
    path.write_text(log)
    edit(build, "quantize_log.json", learned=0.94, kept="calibrated")
    assert "94.00 %, no better" in Structure(make(build)[1]).text
    edit(build, "quantize_log.json", learned=None, epochs=[])
    text = Structure(make(build)[1]).text
    assert "integers have 94.00 %" in text and "loses more" not in text
    assert "Quantisation-aware fine-tuning" not in text


def test_where_the_weights_came_from(build: Path) -> None:
    report, html = make(build)
    assert report["start"] is None and "It began with" not in html
    start = {"space": "w0.5-r32-s4", "weights": 1000, "carried": 973, "classes": ["cat", "ship"]}
    (build / "start.json").write_text(json.dumps(start))
    report, html = make(build, provenance={"spec": {"start": "<photos>"}})
    assert report["start"] == {"spec": "<photos>", **start}
    text = Structure(html).text
    assert "It began with what <photos> (w0.5-r32-s4) has learned: 97.3 % of its weights were carried over" in text
    assert "those of 2 classes with the same name among them" in text


def test_a_network_that_was_not_searched_for(build: Path) -> None:
    for name in ("arch", "space", "space_table", "supernet_log", "search", "finetune_log", "quantize_log"):
        (build / f"{name}.json").unlink()
    report, html = make(build)
    assert report["search"] is None and report["model"]["width"] is None
    assert "How was it found?" not in html and "Why this search space?" not in html


@pytest.mark.parametrize("missing", ["c/plan.json", "sizes.json", "accuracy.json", "measure.json"])
def test_artifacts_that_no_build_goes_without(build: Path, missing: str) -> None:
    (build / missing).unlink()
    with pytest.raises(BuildError, match=Path(missing).name):
        make(build)


def test_a_damaged_artifact_is_named(build: Path) -> None:
    (build / "sizes.json").write_text("{")
    with pytest.raises(BuildError, match=r"sizes\.json: cannot be read"):
        make(build)


def test_artifacts_of_different_builds_are_refused(build: Path) -> None:
    np.save(build / "device_outputs.npy", np.zeros((TEST, 3), np.int8))
    with pytest.raises(BuildError, match="360 samples of 10"):
        make(build)


def test_page_needs_nothing_from_elsewhere(build: Path) -> None:
    _, html = make(build)
    structure = Structure(html)
    assert "<script" not in html and "@import" not in html and "url(" not in html
    assert not re.search(r"https?://", html)
    for _, name, value in structure.attributes:
        if name in ("src", "href"):
            assert value.startswith("data:")
        assert not name.startswith("on")


def test_same_artifacts_same_bytes(build: Path) -> None:
    assert make(build) == make(build)


def test_no_path_and_no_number_that_is_not_one(build: Path) -> None:
    report, html = make(build)
    assert str(build) not in html + json.dumps(report)
    assert not re.search(r"\b(nan|inf|None|Undefined)\b", Structure(html).text)
    numbers = [
        value for _, name, value in Structure(html).attributes if name in ("x", "y", "width", "height", "points")
    ]
    assert not re.search("nan|inf", " ".join(numbers))


def test_names_are_escaped(build: Path) -> None:
    evil = "<script>alert('&')</script>\""
    edit(build, "index.json", classes=[evil, *"123456789"])
    report, html = make(build, settings=ReportSettings(title=evil), provenance={evil: evil, "x": {evil: evil}})
    assert report["title"] == evil
    assert "<script" not in html
    assert evil in Structure(html).text
    html = make(build, settings=ReportSettings(title="a\x1b[2J\nb"))[1]
    assert "\x1b" not in html and r"a\x1b[2J\nb" in Structure(html).text


@pytest.mark.parametrize("features", ["log_mel", "mfcc"])
def test_what_a_device_must_do_with_sounds(build: Path, features: Literal["log_mel", "mfcc"]) -> None:
    assert "What the device must feed it" not in make(build)[1]
    sound = replace(design(16000, 1.0, 0.03, 40), features=features)
    if features == "mfcc":
        sound = replace(sound, low=(-1.0,) * 40, high=(2.0,) * 40)
    index = read_index(build / "index.json")
    write_index(replace(index, task="audio_classification", front_end=sound), build / "index.json")
    _, html = make(build)
    assert f"{sound.clip} samples" in html and f"one every {sound.hop}" in html and "to 8000 Hz" in html
    assert ("cosine transform" in html) == (features == "mfcc")
    assert ("low = -80, high = 0" in html) == (features == "log_mel")
    assert "bilinearly reduced to" in html, "the network's input is smaller than the spectrogram"


def test_many_classes_are_listed_instead_of_drawn(build: Path) -> None:
    classes = 40
    edit(build, "index.json", classes=[f"class {k}" for k in range(classes)])
    edit(build, "accuracy.json", classification={"units": classes, "scale": 0.061, "zero_point": 0})
    outputs = np.full((TEST, classes), -128, np.int8)
    outputs[:, :10] = np.load(build / "device_outputs.npy")
    for name in ("device_outputs.npy", "int8_outputs.npy"):
        np.save(build / name, outputs)
    _, html = make(build)
    assert 'class="matrix"' not in html and "taken for" in html


def test_a_pass_with_cautions_is_no_plain_pass(build: Path) -> None:
    _, html = make(build)
    assert '<section class="verdict pass" ' in html
    text = Structure(html).text
    assert "✓ Pass. Accuracy 97.50 % (95.3 to 98.7, 95 %) on 360 samples; no quality limit" in text
    labels = np.load(build / "test.npz")["y"] % 9  # none is of class nine
    edit(build, "accuracy.json", labels=labels.tolist())
    report, html = make(build)
    assert report["verdict"] == "pass" and '<section class="verdict pass caution" ' in html
    text = Structure(html).text
    (caution,) = report["cautions"]
    assert caution == "1 of 10 classes has no test samples: 'nine'"
    assert "! Pass, 1 caution." in text and caution in text
    recalls = re.findall(r'class="recall"[^>]*>([^<]*)</td>', html)
    assert len(recalls) == 10 and recalls[-1] == "\N{EN DASH}", "neither 0 % nor 100 %"


def test_a_limit_of_accuracy(build: Path) -> None:
    budget: dict[str, Any] = {"sram": 128 << 10, "flash": 512 << 10, "latency": 0.05, "accuracy": 0.96}
    report, html = make(build, budget=Budget(**budget))
    assert report["verdict"] == "pass" and report["budget"]["accuracy"]["margin"] == pytest.approx(0.015)
    text = Structure(html).text
    assert "Accuracy, emulated ✓ 97.50 % of at least 96.00 % · 1.50 points above" in text
    assert "95 % interval (Wilson)" in text and "accuracy 1.50 points" in text
    report, html = make(build, budget=Budget(**budget, strict=True))
    assert report["verdict"] == "fail"
    text = Structure(html).text
    assert "✗ Fail. Accuracy 97.50 % (95.3 to 98.7, 95 %) on 360 samples; the budget wants at least 96.00 %" in text
    assert re.search(r"lower end of the 95 % interval ✗ 95.3\d % of at least 96.00 % · 0.6\d points below", text)


def test_a_network_without_mistakes(build: Path) -> None:
    labels = np.load(build / "test.npz")["y"]
    outputs = np.full((TEST, 10), -128, np.int8)
    outputs[np.arange(TEST), labels] = 127
    for name in ("device_outputs.npy", "int8_outputs.npy"):
        np.save(build / name, outputs)
    edit(build, "accuracy.json", int8=1.0, float=1.0)
    _, html = make(build)
    assert "Worst mistakes" not in html and "100.00 %" in html


def test_every_figure_has_a_caption_and_every_chart_a_name(build: Path) -> None:
    _, html = make(build)
    figures = re.findall(r"<figure>.*?</figure>", html, re.DOTALL)
    assert len(figures) >= 9
    assert all("<figcaption>" in figure for figure in figures)
    assert all("aria-label" in svg for svg in re.findall(r"<svg height[^>]*>", html))


def test_a_board_settles_the_latency(build: Path) -> None:
    emulated = json.loads((build / "measure.json").read_text())
    limit = 1.02 * emulated["cycles"]["max"] / 1e8
    budget = Budget(sram=128 << 10, flash=512 << 10, latency=limit)
    report, _ = make(build, budget=budget)
    assert report["verdict"] == "pass" and report["budget"]["latency"]["origin"] == "emulated"
    assert any("only a board can settle it" in caution for caution in report["cautions"])
    write_remote(build, ratio=1.05)
    report, html = make(build, budget=budget)
    assert report["verdict"] == "fail" and report["reasons"][0].endswith(", measured")
    assert report["budget"]["latency"]["used"] == pytest.approx(report["remote"]["cycles"]["max"] / 1e5)
    assert report["remote"]["ratio"] == pytest.approx(1.05)
    assert report["latency_ms"] == emulated["latency_ms"]
    assert report["energy_mj"] == pytest.approx(37 * report["remote"]["latency_ms"] / 1000)
    assert not any("settle" in caution or "outside" in caution for caution in report["cautions"])
    text = Structure(html).text
    assert "Latency, measured" in text and "measured / emulated" in text and "1.050" in text
    assert "invented board" in text and "bit by bit, on 40 samples" in text


def test_a_model_that_is_further_off_than_it_says(build: Path) -> None:
    write_remote(build, ratio=1.3)
    edit(build, "remote.json", clock_hz=96_000_000)
    cautions = make(build)[0]["cautions"]
    assert any("1.30 times the emulated ones, outside the cycle model's ±20%" in caution for caution in cautions)
    assert any("ran at 96 MHz, the board file says 100 MHz" in caution for caution in cautions)


def test_a_second_emulator_has_no_time_but_must_agree(build: Path) -> None:
    write_remote(build, runner="qemu")
    report, html = make(build)
    assert report["verdict"] == "pass" and report["budget"]["latency"]["origin"] == "emulated"
    assert report["remote"]["ratio"] is None and report["remote"]["mismatches"] == 0
    text = Structure(html).text
    assert "QEMU at invented machine agrees with the integer reference, bit by bit, on 40 samples" in text
    assert "Latency, measured" not in text
    outputs = np.load(build / "remote_outputs.npy")
    outputs[3, 2] ^= 1
    np.save(build / "remote_outputs.npy", outputs)
    report, html = make(build)
    assert report["verdict"] == "fail"
    assert "1 of 40 samples on QEMU at invented machine (qemu) differ from the integer" in report["reasons"][0]
    assert "differs from the integer reference on 1 of 40 samples" in Structure(html).text


def test_a_board_that_counts_no_cycles_leaves_the_judgement_to_the_emulator(build: Path) -> None:
    write_remote(build)
    edit(build, "remote.json", cycles=None, latency_ms=None, clock_hz=None, note="This core has no cycle counter.")
    report, html = make(build)
    assert report["budget"]["latency"]["origin"] == "emulated"
    assert "This core has no cycle counter." in Structure(html).text


def test_outputs_of_another_network_from_a_board_are_refused(build: Path) -> None:
    write_remote(build)
    np.save(build / "remote_outputs.npy", np.zeros((5, 3), np.int8))
    with pytest.raises(BuildError, match=r"remote_outputs\.npy"):
        make(build)


def test_the_page_says_that_kernels_were_tuned(build: Path) -> None:
    assert "tuned:" not in make(build)[1]
    assert "tuned: of those that can compute a layer" in make(build, provenance={"artifacts": {"tune.json": "x"}})[1]
