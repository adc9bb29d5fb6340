"""Which stages a spec has, and what they read."""

from dataclasses import replace
from pathlib import Path

import pytest

from mcubuild import ROOT
from mcubuild.board import DESCRIPTIVE, Board
from mcubuild.spec.spec import read_spec
from rules.commands import ablation
from rules.execute import action_key, code_of
from rules.graph import STAGES
from rules.job import Job
from rules.known import Files
from rules.stage import UNSEEN, Resolved, Stage, leading_to, pipeline
from rules.stages import codegen, quantize, search, space, supernet, tune
from rules.stages.dataset import OVERVIEW


def _run(job: Job) -> None:
    raise AssertionError("the pipeline is only put together here")


def _wanted(resolved: Resolved) -> bool:
    return bool(resolved["wanted"])


MAKER = Stage("maker", "writes a", inputs=(), outputs=("a",), settings=(), run=_run)
EXTRA = Stage("extra", "writes b", inputs=("a",), outputs=("b",), settings=(), run=_run, serves=_wanted)
READER = Stage("reader", "reads both", inputs=("a",), outputs=("c",), settings=(), run=_run, optional=("b",))
TRAINED = {
    "dataset": {"kind": "digits"},
    "model": None,
    "bits": {"weights": 8},
    "budget": {"latency": 0.05},
    "engine": {"tune": True},
    "firmware": {"prefix": "model"},
    "measure": {"runner": "qemu"},
    "search": {"time": None},
}


def test_a_stage_that_does_not_serve_is_left_out_and_its_artifacts_with_it() -> None:
    found = pipeline((MAKER, EXTRA, READER), {"spec": {}, "wanted": False})
    assert [(stage.name, stage.inputs) for stage in found] == [("maker", ()), ("reader", ("a",))]


def test_what_a_stage_ignores_is_not_in_its_settings_and_has_its_default() -> None:
    resolved = {"spec": {"engine": {"tune": True, "plan": "smallest"}}}
    stage = replace(MAKER, settings=("engine",), ignored=("engine.tune",))
    assert stage.selected(resolved) == {"engine": {"plan": "smallest"}}
    assert stage.spec(resolved) == {"engine": {"plan": "smallest"}}
    assert resolved["spec"]["engine"]["tune"]


def test_tuning_changes_neither_the_search_space_nor_the_search() -> None:
    for stage in (space.STAGE, search.STAGE):
        assert "engine" in stage.settings and "engine.tune" in stage.ignored


def test_a_stage_that_builds_for_the_deployment_depends_on_what_it_uses_of_it(tmp_path: Path) -> None:
    (tmp_path / "net.toml").write_text(
        'task = "image_classification"\ndataset = "digits"\nboard = "stm32f412"\nbudget.latency = "5ms"\n'
    )
    spec, board = read_spec(tmp_path / "net.toml")
    resolved = {"spec": spec.model_dump(mode="json"), "board": board.model_dump(mode="json")}
    made = codegen.STAGE.selected(resolved)
    assert made["budget"] == {"sram": 256 << 10} and made["firmware"] == {"stack": 2048, "prefix": "model"}
    assert "bits.weights" not in made and "bits.weights" not in tune.STAGE.selected(resolved)
    assert search.STAGE.selected(resolved)["firmware"] == {"stack": 2048}
    assert not {"board", "budget", "engine", "firmware"} & supernet.STAGE.selected(resolved).keys()
    assert not any(path.stem == "deployment" for path in code_of(supernet.STAGE)[0])


def test_code_is_generated_with_the_tuned_kernels() -> None:
    stages = (quantize.STAGE, tune.STAGE, codegen.STAGE)
    for wanted in (False, True):
        found = pipeline(stages, {"spec": {**TRAINED, "model": None, "engine": {"tune": wanted}}})
        assert ("tune.json" in found[-1].inputs) == wanted == (len(found) == 3)


def test_the_ablation_ends_with_the_tuned_kernels() -> None:
    for wanted in (False, True):
        spec = {**TRAINED, "name": "net", "arch": None, "start": None, "engine": {"tune": wanted}}
        rungs = [pipeline(STAGES, one) for one in ablation._rungs({"spec": spec}).first]
        assert {stage.name for stages in rungs for stage in stages} == {"rung"} and len(rungs) == 11
        assert [stage.inputs for (stage,) in rungs[:-1]] == [quantize.MODEL] * 10
        assert rungs[-1][0].inputs == (*quantize.MODEL, *["tune.json"] * wanted)


def test_optional_artifacts_become_inputs_where_a_stage_writes_them() -> None:
    found = pipeline((MAKER, EXTRA, READER), {"spec": {}, "wanted": True})
    assert [(stage.name, stage.inputs) for stage in found] == [
        ("maker", ()),
        ("extra", ("a",)),
        ("reader", ("a", "b")),
    ]


@pytest.mark.parametrize("arch", [None, "resnet8"])
def test_a_network_is_searched_for_or_scaled(arch: str | None) -> None:
    names = {stage.name for stage in pipeline(STAGES, {"spec": {**TRAINED, "arch": arch}})}
    searching, scaling = {"space", "race", "supernet", "search", "choose", "finetune"}, {"scale", "train"}
    assert names >= ({*scaling} if arch else searching) | {"dataset", "quantize", "accuracy", "report"}
    assert not names & (searching if arch else scaling)


def test_widths_are_chosen_where_they_are_open() -> None:
    for bits in (8, 4, "mixed"):
        spec = {**TRAINED, "arch": None, "bits": {"weights": bits}}
        stages = {stage.name: stage for stage in pipeline(STAGES, {"spec": spec})}
        assert ("widths" in stages) == ("widths.json" in stages["quantize"].inputs) == (bits == "mixed")


def test_a_threshold_is_chosen_where_the_task_has_one() -> None:
    for task in ("anomaly_detection", "object_detection"):
        stages = {stage.name: stage for stage in pipeline(STAGES, {"spec": {**TRAINED, "arch": None, "task": task}})}
        reads = {name for name, stage in stages.items() if "threshold.json" in stage.inputs}
        assert reads == ({"codegen", "accuracy"} if task == "anomaly_detection" else set())
        assert ("threshold" in stages) == bool(reads)


def test_what_leads_to_an_artifact_leaves_out_the_rest() -> None:
    stages = pipeline(STAGES, {"spec": {**TRAINED, "arch": "resnet8"}})
    names = [stage.name for stage in leading_to({"accuracy.json"}, stages)]
    assert names == ["dataset", "outline", "margin", "scale", "train", "quantize", "accuracy"]


def test_a_time_for_the_search_sets_the_length_of_all_that_takes_long() -> None:
    for time in (None, 600.0):
        stages = pipeline(STAGES, {"spec": {**TRAINED, "arch": None, "search": {"time": time}}})
        reads = {stage.name for stage in stages if {"pace.json", "rest.json"} & set(stage.inputs)}
        assert reads == (set() if time is None else {"race", "rest", "supernet", "search", "finetune", "report"})


def test_estimates_are_checked_where_time_is_limited() -> None:
    for latency in (None, 0.05):
        stages = pipeline(STAGES, {"spec": {**TRAINED, "arch": None, "budget": {"latency": latency}}})
        reads = {stage.name for stage in stages if "margin.json" in stage.inputs}
        assert reads == (set() if latency is None else {"space", "search", "report"})


@pytest.mark.parametrize("task", ["image_classification", "audio_classification"])
@pytest.mark.parametrize("arch", [None, "resnet8"])
def test_nothing_that_shapes_the_network_has_seen_the_test_split(task: str, arch: str | None) -> None:
    """Of all that is read and written, only what judges the finished firmware goes back to the test split."""
    tainted, judges = {"test.npz", *OVERVIEW}, set[str]()
    for stage in pipeline(STAGES, {"spec": {**TRAINED, "task": task, "arch": arch}}):
        if tainted & set(stage.inputs):
            judges.add(stage.name)
            tainted.update(stage.outputs)
    assert judges == {"data", "accuracy", "measure", "remote", "report"}


def test_a_stage_cannot_open_what_it_did_not_declare(tmp_path: Path) -> None:
    job = Job(tmp_path, (), ("train.npz",), None, None, {}, "", tmp_path, tmp_path, tmp_path)  # type: ignore[arg-type]
    assert job.file("train.npz") == tmp_path / "train.npz"
    with pytest.raises(KeyError, match=r"test\.npz"):
        job.file("test.npz")


WHOLE = {
    "margin",
    "space",
    "pace",
    "rest",
    "search",
    "scale",
    "widths",
    "tune",
    "codegen",
    "firmware",
    "measure",
    "preprocess",
    "remote",
    "report",
    "rung",
}
SHOWS = {"codegen", "firmware", "report"}
"""Generated C names the board in a comment, and the linker when the firmware does not fit."""
DEPENDING = {
    "title": SHOWS,
    "source": {"report"},
    "openocd": {"remote", "report"},
    "pyocd_target": {"remote", "report"},
    "active_power_mw": {"report"},
    "desk": set(),
}


def _resolved(energy: str | None) -> Resolved:
    spec, board = read_spec(ROOT / "specs" / "quickstart.toml")
    values = spec.model_dump(mode="json")
    values["budget"]["energy"] = energy
    values["model"] = {"file": "net.tflite", "inputs": None, "pixels": None}  # so that every stage finds its settings
    return {"spec": values, "board": board.model_dump(mode="json"), "folder": "specs"}


def _depending(resolved: Resolved, field: str) -> set[str]:
    """Stages whose settings another value of the board's ``field`` changes."""
    other = {**resolved, "board": {**resolved["board"], field: "another"}}
    return {stage.name for stage in STAGES if stage.selected(resolved) != stage.selected(other)}


@pytest.mark.parametrize("field", Board.model_fields)
def test_what_depends_on_a_field_of_the_board(field: str) -> None:
    assert _depending(_resolved(None), field) == DEPENDING.get(field, WHOLE)


def test_the_boards_power_counts_where_the_budget_has_an_energy() -> None:
    stages = {"margin", "space", "pace", "rest", "search", "scale", "widths", "report"}
    assert _depending(_resolved("1mJ"), "active_power_mw") == stages


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_does_not_see_what_its_key_does_not_hold(stage: Stage) -> None:
    resolved = _resolved(None)
    seen = Board.model_validate(resolved["board"]).model_copy(update=stage.unseen(resolved))
    if "board" in stage.settings:
        for field, value in stage.unseen(resolved).items():
            assert getattr(seen, field) == value != resolved["board"][field]
            assert field not in stage.selected(resolved)["board"]
    else:
        assert not stage.unseen(resolved)


def test_fields_that_say_nothing_to_code_are_the_same_everywhere() -> None:
    assert set(UNSEEN) == DESCRIPTIVE


def test_another_processor_is_another_key_of_what_is_trained_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved = _resolved(None)
    stages = (supernet.STAGE, quantize.STAGE, codegen.STAGE)
    for name in {name for stage in stages for name in stage.inputs}:
        (tmp_path / name).touch()
    keys = []
    for instructions in (["avx2"], ["avx2", "avx512f"]):
        monkeypatch.setattr("rules.execute.floating_point", lambda found=instructions: {"instructions": found})
        keys.append([action_key(stage, resolved, tmp_path, Files(None)) for stage in stages])
    assert [one == other for one, other in zip(*keys, strict=True)] == [False, False, True]
