"""Which stages a spec has, and what they read."""

from dataclasses import replace

from rules import codegen, quantize, search, space, tune
from rules.stage import Job, Resolved, Stage, pipeline


def _run(job: Job) -> None:
    raise AssertionError("the pipeline is only put together here")


def _wanted(resolved: Resolved) -> bool:
    return bool(resolved["wanted"])


MAKER = Stage("maker", "writes a", inputs=(), outputs=("a",), settings=(), run=_run)
EXTRA = Stage("extra", "writes b", inputs=("a",), outputs=("b",), settings=(), run=_run, serves=_wanted)
READER = Stage("reader", "reads both", inputs=("a",), outputs=("c",), settings=(), run=_run, optional=("b",))


def test_a_stage_that_does_not_serve_is_left_out_and_its_artifacts_with_it() -> None:
    found = pipeline((MAKER, EXTRA, READER), {"wanted": False})
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


def test_code_is_generated_with_the_tuned_kernels() -> None:
    stages = (quantize.STAGE, tune.STAGE, codegen.STAGE)
    for wanted in (False, True):
        found = pipeline(stages, {"spec": {"engine": {"tune": wanted}}})
        assert ("tune.json" in found[-1].inputs) == wanted == (len(found) == 3)


def test_optional_artifacts_become_inputs_where_a_stage_writes_them() -> None:
    found = pipeline((MAKER, EXTRA, READER), {"wanted": True})
    assert [(stage.name, stage.inputs) for stage in found] == [
        ("maker", ()),
        ("extra", ("a",)),
        ("reader", ("a", "b")),
    ]
