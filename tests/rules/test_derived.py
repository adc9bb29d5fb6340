"""Builds that commands derive from a spec's, to compare them."""

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from doit import cmd_run
from doit.cmd_base import ModuleTaskLoader
from doit.doit_cmd import DoitMain

from mcubuild.errors import BuildError
from rules import options
from rules.command import compared, with_derived
from rules.commands import baselines, curve, plan
from rules.comparisons import COMPARISONS, builds
from rules.derived import SAMPLES, derived, settled
from rules.graph import HISTORY, STAGES, tasks
from rules.resolve import resolve
from rules.stage import Resolved, Stage, pipeline
from rules.workers import GATHERS, Tolerant, Unfit, Workers

SPEC = 'task = "image_classification"\ndataset = "digits"\nboard = "stm32f412"\nbudget.latency = "5ms"\n'
START = f'start = "other"\n{SPEC}'
TIMED = f"{SPEC}[search]\ntime = '1min'\n"
PUBLISHED = f'arch = "resnet8"\n{SPEC}'


def given(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    monkeypatch.setattr(options, "get_var", lambda name, default: variables.get(name, default))


def resolved(folder: Path, text: str = SPEC, name: str = "net") -> Resolved:
    (folder / "other.toml").write_text(SPEC)
    (folder / f"{name}.toml").write_text(text)
    (found,) = resolve(folder / f"{name}.toml", folder / "memory")
    return found


@pytest.fixture
def net(tmp_path: Path) -> Resolved:
    return resolved(tmp_path)


def names(build: Resolved) -> set[str]:
    return {stage.name for stage in pipeline(STAGES, build)}


def test_a_build_that_differs_in_nothing_is_the_specs_own(net: Resolved) -> None:
    assert derived(net, "net-same", {"seed": net["spec"]["seed"]}, stages=["search"]) is net
    other = derived(net, "net-other", {"seed": 7}, sharing=SAMPLES)
    assert other["spec"] == {**net["spec"], "name": "net-other", "seed": 7} and other["part"]
    assert {*names(net)} - names(other) == {stage.name for stage in SAMPLES}


def test_what_it_shares_may_come_from_several_builds(net: Resolved) -> None:
    first = derived(net, "net-first", {"seed": 7}, sharing=SAMPLES)
    space = [stage for stage in pipeline(STAGES, first) if stage.name == "space"]
    second = derived(first, "net-second", {"seed": 8}, sharing=space)
    assert second["shares"]["contenders.json"] == "net-first" and second["shares"]["train.npz"] == "net"


@pytest.mark.parametrize("text", [SPEC, START, TIMED, PUBLISHED], ids=["spec", "start", "time", "arch"])
@pytest.mark.parametrize("command", COMPARISONS)
def test_every_artifact_that_is_read_is_made_by_one_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, text: str
) -> None:
    given(monkeypatch, trainings="2", archs="resnet8,ds_cnn", draws="2", sizes="20,all")
    specs = [resolved(tmp_path, text)]
    found = compared(COMPARISONS[command], specs)
    assert found or (command, text) == ("bits", PUBLISHED)
    made = [
        *tasks(with_derived(specs, found.values()), {}, ()),
        *COMPARISONS[command].tasks(specs, {}, (), found),
    ]
    known = [f"{task['basename']}:{task['name']}" for task in made]
    assert len({*known}) == len(known)
    targets = [target for task in made for target in task.get("targets", ())]
    assert len({*targets}) == len(targets)
    for task in made:
        assert {*task.get("task_dep", ()), *task.get("calc_dep", ())} <= {*known}
        read = {path for path in task.get("file_dep", ()) if path.startswith("build/")}
        assert read <= {*targets}


def test_the_same_network_without_what_it_has_inherited(net: Resolved, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, trainings="2")
    found = baselines._networks(net)
    assert found.searched.build is net and found.searches[0] is net
    alone, again = found.alone.builds
    assert "train" in names(alone) and not names(alone) & {"finetune", "search", "supernet", "dataset"}
    assert alone["shares"]["arch.json"] == "net"
    assert {"train", "search", "supernet"} <= names(again) and not names(again) & {"finetune", "dataset", "report"}
    assert again["spec"]["seed"] == net["spec"]["seed"] + 1 and again["shares"]["train.npz"] == "net"


def test_a_spec_may_not_have_the_name_of_a_derived_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch)
    specs = [resolved(tmp_path), resolved(tmp_path, SPEC, "net-bits-4")]
    with pytest.raises(BuildError, match=r"net-bits-4\.toml: a build that is compared with .*net\.toml has its name"):
        with_derived(specs, compared(COMPARISONS["bits"], specs[:1]).values())


def test_what_cannot_be_compared_is_told_by_its_own_task(net: Resolved, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, archs="lenet")
    found = compared(baselines.COMMAND, [net])
    assert isinstance(found["net"], BuildError) and with_derived([net], found.values()) == [net]
    *_, task = baselines.COMMAND.tasks([net], {}, (), found)
    assert "archs=lenet" in task["actions"][0]().get_msg()


def test_what_a_plan_of_a_comparison_lists(net: Resolved, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, sizes="20", draws="1", archs="none", widths="8,4")
    (own, *others), more = builds("ablation", net)
    assert "report" not in names(own) and "quantize" in names(own) and len(others) == 11 and not more
    (own, *others), more = builds("curve", net)
    assert names(own) == {"dataset"} and (others, more) == ([], 6)
    (own, *others), more = builds("bits", net)
    assert "report" in names(own) and [one["spec"]["name"] for one in others] == ["net-bits-4"]
    given(monkeypatch, of="bits")
    assert plan.PLAN.serves(net) and not plan.PLAN.serves({**net, "spec": {**net["spec"], "arch": "resnet8"}})


def test_a_comparison_is_settled_where_a_network_does_not_fit(net: Resolved, monkeypatch: pytest.MonkeyPatch) -> None:
    """What reads it will never be there, and keeps nobody from choosing."""
    given(monkeypatch)
    first = COMPARISONS["baselines"].derives(net).first  # type: ignore[misc]
    assert first[0] is net
    part = next(one for one in first if one.get("part") and {"scale", "train", "quantize"} <= names(one))
    name = part["spec"]["name"]
    absent, unfit = {("dataset", "net"), ("scale", name), ("train", name), ("quantize", name)}, set[tuple[str, str]]()

    def difference(stage: Stage, one: Resolved, folder: Path, files: object) -> str | None:
        return "not there" if (stage.name, one["spec"]["name"]) in absent else None

    monkeypatch.setattr("rules.derived.difference", difference)
    monkeypatch.setattr("rules.derived.action_key", lambda *_: "key")
    monkeypatch.setattr(HISTORY, "unfit", lambda spec, stage, key: (stage, spec) in unfit)
    assert not settled(first)
    unfit.add(("scale", name))
    assert not settled(first), "the spec's own data are yet to be made"
    absent.remove(("dataset", "net"))
    assert settled(first)
    assert not settled([{**one, "part": False} for one in first]), "a build of its own fails"
    unfit.clear()
    assert not settled(first)


def test_a_curve_takes_of_the_spec_s_own_build_what_learns(net: Resolved, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, sizes="all", draws="1", archs="none")
    searched, *_ = curve._learners(net)
    assert searched.build["spec"] == net["spec"] and searched.samples is net
    assert "accuracy" in names(searched.build) and not names(searched.build) & {"firmware", "report"}


def _unfit() -> Any:
    return Unfit("nothing fits")


def _read(path: Path) -> None:
    path.touch()


@pytest.mark.parametrize("processes", ["0", "2"])
def test_what_does_not_fit_fails_nothing_but_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], processes: str
) -> None:
    """What reads it is left out, too; the comparison is not, nor what its choice adds."""
    monkeypatch.setattr(cmd_run, "Runner", Tolerant)
    monkeypatch.setattr(cmd_run, "MRunner", Workers)
    both: Mapping[str, Any] = {"meta": GATHERS}
    tasks = ModuleType("tasks")

    def task_all() -> Any:
        yield {"basename": "unfit", "actions": [_unfit]}
        yield {"basename": "reads", "actions": [(_read, [tmp_path / "reads"])], "task_dep": ["unfit"]}
        yield {"basename": "late", "actions": [(_read, [tmp_path / "late"])]}
        choice = [lambda: {"task_dep": ["late"]}]
        yield {"basename": "choice", "actions": choice, "task_dep": ["reads"], **both}
        compares = [(_read, [tmp_path / "compares"])]
        yield {"basename": "compares", "actions": compares, "task_dep": ["reads"], "calc_dep": ["choice"], **both}

    tasks.task_all = task_all  # type: ignore[attr-defined]
    tasks.DOIT_CONFIG = {"dep_file": str(tmp_path / "db"), "backend": "json"}  # type: ignore[attr-defined]
    monkeypatch.setattr(sys, "argv", ["doit"])
    assert DoitMain(ModuleTaskLoader(tasks)).run(["run", "-n", processes, "compares"]) == 0, capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} >= {"late", "compares"} and not (tmp_path / "reads").exists()
