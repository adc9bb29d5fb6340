"""Which stages a spec has, and what they read."""

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


def test_optional_artifacts_become_inputs_where_a_stage_writes_them() -> None:
    found = pipeline((MAKER, EXTRA, READER), {"wanted": True})
    assert [(stage.name, stage.inputs) for stage in found] == [
        ("maker", ()),
        ("extra", ("a",)),
        ("reader", ("a", "b")),
    ]
