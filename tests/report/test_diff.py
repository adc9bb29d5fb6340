"""What changed between two builds."""

import copy
import io
import json
from pathlib import Path
from typing import Any

import pytest

from mcubuild.board import read_board
from mcubuild.errors import BuildError
from mcubuild.report import artifacts, diff, report
from mcubuild.spec.budget import Budget
from mcubuild.spec.report import ReportSettings
from tests.e2e.checkout import Checkout
from tests.report.invented_build import write_build


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    build = tmp_path_factory.mktemp("build")
    write_build(build)
    files = {str(path.relative_to(build)): path for path in build.rglob("*") if path.is_file()}
    made = report.make(
        artifacts.read(files),
        name="invented",
        board=read_board("stm32f412"),
        budget=Budget(sram=128 << 10, flash=512 << 10, latency=0.05),
        settings=ReportSettings(),
        conditions="",
        provenance={
            "spec": {"budget": {"latency": 0.05}, "seed": 0},
            "tools": {"numpy": "2.4.6"},
            "artifacts": {"arch.json": "a", "model.json": "b"},
        },
    )
    return made.model_dump(mode="json", by_alias=True)


def changed(report: dict[str, Any], **figures: float | None) -> dict[str, Any]:
    """The report with other values of figures, by key with ``__`` for dots."""
    new = copy.deepcopy(report)
    for key, value in figures.items():
        (figure,) = [one for one in new["figures"] if one["key"] == key.replace("__", ".")]
        figure["value"] = value
    return new


def found(a: dict[str, Any], b: dict[str, Any]) -> dict[tuple[str, str], diff.Change]:
    return {(change.group, change.what): change for change in diff.compare(a, b)}


def printed(a: dict[str, Any], b: dict[str, Any], drawn: bool = False) -> str:
    out = io.StringIO()
    diff.show(diff.compare(a, b), "old", "new", out, drawn=drawn)
    return out.getvalue()


def test_equal_builds(original: dict[str, Any]) -> None:
    assert printed(original, copy.deepcopy(original)) == "old and new: no difference.\n"


def test_figures_are_absolute_and_relative(original: dict[str, Any]) -> None:
    new = changed(original, sram=2 * original["sram_bytes"], sram__arena=2 * original["sram_bytes"])
    new["accuracy"]["device"] = original["accuracy"]["device"] - 0.01
    new["provenance"]["spec"]["budget"]["latency"] = 0.04
    new["provenance"]["spec"]["bits"] = 4
    new["provenance"]["tools"]["numpy"] = "2.5"
    new["provenance"]["artifacts"]["model.json"] = "c"
    new["layers"][3]["cycles"] *= 2
    changes = found(original, new)
    sram = changes["memory", "SRAM"]
    assert sram.difference == f"+{original['sram_bytes']:,} B (+100.0 %)" and sram.better is False
    assert changes["accuracy", "firmware"].difference.startswith("-1.00 points")
    assert (changes["spec", "budget.latency"].before, changes["spec", "budget.latency"].after) == ("0.05", "0.04")
    assert changes["spec", "bits"].before == diff.NOTHING
    assert changes["made by", "tools.numpy"].after == "2.5"
    assert changes["artifacts", "other keys"].after == "model.json"
    (moved,) = [key for key in changes if key[0] == "emulated time by layer"]
    assert moved[1].startswith("3 ") and "(+100.0 %)" in changes[moved].difference
    assert ("memory", "Flash") not in changes and ("architecture", "layers") not in changes


def judged(original: dict[str, Any], right: dict[str, str], int8: dict[str, str] | None = None) -> dict[str, Any]:
    """The report as if it were on the samples of ``right``: by id, the mark of the firmware (and of int8)."""
    int8 = right if int8 is None else int8
    marks, run = "".join(int8.values()), "".join(right.values()).replace("-", "")
    new = copy.deepcopy(original)
    new["test_set"] = {
        "digest": " ".join(sorted(right)), "ids": [*right], "int8": marks, "device": "".join(right.values())
    }  # fmt: skip
    new["accuracy"] |= {
        "samples": len(right), "int8": marks.count("1") / len(marks), "device": run.count("1") / len(run), "float": 0.5
    }  # fmt: skip
    return new


def test_other_test_sets_are_told_and_compared_on_what_is_common(original: dict[str, Any]) -> None:
    """Ten samples, eight of them in both: four right before and six after, though each on its own has six right."""
    a = judged(original, {**dict.fromkeys("abcd", "1"), **dict.fromkeys("efgh", "0"), "x": "1", "y": "1"})
    b = judged(original, {"p": "0", "q": "0", **dict.fromkeys("hgfedc", "1"), "b": "0", "a": "0"})
    changes = found(a, b)
    assert {(key[1], change.before, change.after) for key, change in changes.items() if key[0] == "test set"} == {
        ("samples", "10", "10"), ("in both", "8", "8"), ("in one alone", "2", "2")
    }  # fmt: skip
    alone, common = changes["accuracy", "firmware, each on its own"], changes["accuracy", "firmware, on the 8 in both"]
    assert (alone.before, alone.after, alone.difference, alone.better) == ("60.00 % of 10", "60.00 % of 10", "", None)
    assert (common.before, common.after, common.better) == ("50.00 %", "75.00 %", True)
    assert common.difference == "+25.00 points (+50.0 %)"
    assert changes["accuracy", "int8, on the 8 in both"].after == "75.00 %"
    assert ("accuracy", "float, each on its own") in changes, "which samples it has right is not known"
    assert not any(what.startswith("float, on") for _, what in changes)


def test_a_firmware_that_ran_on_fewer_samples(original: dict[str, Any]) -> None:
    every = judged(original, {"a": "1", "b": "1", "c": "0", "d": "0"})
    some = judged(original, {"a": "1", "b": "-", "c": "1", "d": "-"}, {"a": "1", "b": "1", "c": "0", "d": "0"})
    some["test_set"]["digest"] = every["test_set"]["digest"]
    changes = found(every, some)
    assert not any(group == "test set" for group, _ in changes)
    assert [what for group, what in changes if group == "accuracy"] == [
        "firmware, each on its own",
        "firmware, on the 2 in both",
    ]
    own = changes["accuracy", "firmware, each on its own"]
    assert (own.before, own.after) == ("50.00 % of 4", "100.00 % of 2")
    assert changes["accuracy", "firmware, on the 2 in both"].before == "50.00 %"


def test_copies_in_a_test_set_count_one_by_one(original: dict[str, Any]) -> None:
    a, b = judged(original, {"a": "1", "b": "0", "c": "0"}), judged(original, {"a": "1", "b": "1", "c": "1"})
    a["test_set"]["ids"], b["test_set"]["ids"] = ["a", "b", "b"], ["b", "a", "a"]
    changes = found(a, b)
    assert (changes["test set", "in both"].before, changes["test set", "in one alone"].before) == ("2", "1")
    assert changes["accuracy", "int8, on the 2 in both"].difference == "+50.00 points (+100.0 %)"


def test_test_sets_without_a_common_sample_or_without_labels(original: dict[str, Any]) -> None:
    a, b = judged(original, {"a": "1", "b": "0"}), judged(original, {"c": "1", "d": "1"})
    changes = found(a, b)
    assert changes["test set", "in both"].after == "0"
    assert [what for group, what in changes if group == "accuracy"] == [
        f"{title}, each on its own" for title in ("float", "int8", "firmware")
    ]
    for report_ in (a, b):
        report_["test_set"] |= {"int8": None, "device": None}
        report_["accuracy"] |= {"int8": None, "device": None, "float": None}
    assert {group for group, _ in found(a, b)} == {"test set"}


def test_equal_samples_with_other_labels_are_told(original: dict[str, Any]) -> None:
    a, b = judged(original, {"a": "1", "b": "0"}), judged(original, {"a": "1", "b": "0"})
    b["test_set"]["digest"] = "another"
    assert [what for group, what in found(a, b)] == ["labels"]
    assert "some of their labels are not" in printed(a, b)


def test_another_network_is_compared_by_kind(original: dict[str, Any]) -> None:
    new = copy.deepcopy(original)
    del new["layers"][4]
    new["model"]["layers"] -= 1
    changes = found(original, new)
    assert changes["architecture", "layers"].difference.startswith("-1 ")
    assert changes["architecture", "layer 4"].after == diff.NOTHING
    assert {group for group, _ in changes} == {"architecture", "emulated time by kind of layer"}


def test_what_one_of_them_does_not_know(original: dict[str, Any]) -> None:
    new = changed(original, latency__emulated=None, energy=None)
    new["figures"] = [one for one in new["figures"] if one["key"] != "cycles.emulated"]
    new["layers"] = [{**layer, "cycles": None} for layer in new["layers"]]
    changes = found(original, new)
    assert changes["time", "Cycles, emulated"].after == diff.NOTHING
    assert changes["time", "Cycles, emulated"].difference == ""
    (latency,) = [one for one in new["figures"] if one["key"] == "latency.emulated"]
    new["figures"].append({**latency, "key": "latency.measured", "origin": "measured", "value": 50.0})
    assert found(original, new)["time", "Latency, measured"].after == "50 ms"
    assert found(new, original)["time", "Latency, measured"].before == "50 ms"
    before = changed(original, **{"flash__initial values": 0})
    new = changed(new, **{"flash__initial values": 8})
    assert found(before, new)["memory", "Flash: initial values"].difference == "+8 B"


@pytest.mark.parametrize("drawn", [False, True])
def test_names_and_groups_are_printed(original: dict[str, Any], drawn: bool) -> None:
    new = changed(original, flash=original["flash_bytes"] - 1024)
    text = printed(original, new, drawn)
    assert "old" in text and "new" in text and "memory" in text and "-1,024 B (-" in text


def test_a_report_is_found_by_name_folder_or_file(original: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "build" / "one"
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps(original))
    builds = tmp_path / "build"
    for named in ("one", "build/one", "build/one/report.json", str(folder)):
        assert diff.read(named, builds, tmp_path) == original
    with pytest.raises(BuildError, match=r"two: neither a build .* builds here: one"):
        diff.read("two", builds, tmp_path)
    (folder / "report.json").write_text(json.dumps({**original, "schema": 1}))
    with pytest.raises(BuildError, match=r"report\.json: a report of version 1, .* build it again"):
        diff.read("one", builds, tmp_path)
    (folder / "report.json").write_text("[]")
    with pytest.raises(BuildError, match=r"not valid report\.json"):
        diff.read("one", builds, tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"clock_hz": 100000000', '"clock_hz": 0', "board.clock_hz: .* greater than 0"),
        ('"samples": ', '"samples": 1' + "0" * 400, "a number of 4.. digits"),
        ('"energy_mj": ', '"energy_mj": NaN, "x": ', "'NaN', which is no finite number"),
        ('"energy_mj": ', '"energy_mj": 1e999, "x": ', "'1e999', which is no finite number"),
        ('"layers": [', '"layers": 3, "x": [', "layers: .* valid list"),
        ('"spec": {', '"spec": 3, "x": {', "provenance.spec is no table"),
        ('"schema": ', '"schema": ' + "[" * 100_000 + "]" * 100_000 + ', "x": ', "recursion"),
        ('"schema": 10', '"schema": "' + "4" * 400 + '"', "a report of version '444"),
        ("{", "\x00{", "not valid report.json"),
    ],
)
def test_reports_with_absurd_values(original: dict[str, Any], tmp_path: Path, old: str, new: str, told: str) -> None:
    text = json.dumps(original)
    assert old in text
    (tmp_path / "report.json").write_text(text.replace(old, new, 1))
    with pytest.raises(BuildError, match=told) as caught:
        diff.read("report.json", tmp_path / "builds", tmp_path)
    assert "report.json" in str(caught.value) and len(str(caught.value)) < 500


def test_the_task_needs_no_valid_spec(original: dict[str, Any], tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout", tmp_path / "store")
    checkout.write_spec("not a spec")
    folder = checkout.path / "build" / "one"
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps(original))
    other = tmp_path / "other.json"
    other.write_text(json.dumps(changed(original, energy=5.0)))
    run = checkout.doit("diff", "a=one", f"b={other}")
    assert run.code == 0 and "Energy, modelled" in run.output
    run = checkout.doit("diff", "a=one")
    assert run.code == 1 and "b= missing: write doit diff a=<build> b=<build>" in run.output
    run = checkout.doit("diff", "a=one", "b=none")
    assert run.code == 1 and "builds here: one" in run.output and "Traceback" not in run.output
