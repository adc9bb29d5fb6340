"""Misspelt words of the command line are refused with the nearest right one; none is ignored in silence."""

import subprocess
import sys

import pytest

from mcubuild import ROOT
from mcubuild.errors import BuildError
from rules import arguments, options


def given(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setattr(sys, "argv", ["doit", *line.split()])
    values = dict(word.split("=", 1) for word in line.split() if "=" in word)
    monkeypatch.setattr(options, "get_var", lambda name, default=None: values.get(name, default))


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("", []),
        ("build spec=a.toml", ["build"]),
        ("-n 2 build", ["build"]),
        ("run -n 2 search:a spec=a.toml", ["search:a"]),
        ("list --all", []),
        ("info build:a", ["build:a"]),
        ("help build", []),
        ("--nonsense build", []),
    ],
)
def test_what_is_asked_for(monkeypatch: pytest.MonkeyPatch, line: str, asked: list[str]) -> None:
    given(monkeypatch, line)
    assert arguments.asked_for() == asked


@pytest.mark.parametrize(
    "line",
    [
        "spec=a.toml",
        "build spec=a.toml,b.toml",
        "list spec=a.toml",
        "baselines:a spec=a.toml archs=resnet8 seeds=3 trainings=2",
        "latency spec=a.toml networks=5",
        "curve spec=a.toml sizes=20,all draws=2 archs=resnet8",
        "bits spec=a.toml widths=8,4x4,mixed",
        "bench models=x curve=y toolchain=gcc",
        "bench latency=50",
        "paper figure=3 samples=100",
        "diff a=x b=y",
        "diff bench a=x b=y models=z",
    ],
)
def test_variables_of_their_commands(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    given(monkeypatch, line)
    arguments.check_variables()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("build sepc=a.toml", "sepc=: doit build has no such variable; allowed: spec=, set=; did you mean spec=?"),
        ("sepc=a.toml", "did you mean spec="),
        ("bench model=x", "allowed: models=, curve=, latency=, widths=, toolchain=; did you mean models="),
        ("bench spec=a.toml", "spec=: doit bench has no such variable; allowed: models="),
        ("build archs=resnet8", "archs= belongs to doit baselines"),
        ("diff A=x b=y", "A=: doit diff has no such variable; allowed: a=, b="),
        ("schema spec=a.toml", "allowed: none"),
        ("build spec=a.toml spec=b.toml", "spec= stands there 2 times, .* spec=a.toml,b.toml"),
    ],
)
def test_variables_that_nothing_reads(monkeypatch: pytest.MonkeyPatch, line: str, told: str) -> None:
    given(monkeypatch, line)
    with pytest.raises(BuildError, match=told):
        arguments.check_variables()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "bench toolchain=clang",
            "toolchain=clang: there is no such toolchain here; write toolchain=zig or toolchain=gcc",
        ),
        ("paper figure=4", "figure=4: .* write figure=3 or figure=12"),
        ("baselines seeds=2", "seeds=2: must be a whole number, at least 3; such as seeds=3"),
        ("curve draws=many", "draws=many: must be a whole number"),
    ],
)
def test_values_are_checked_before_anything_runs(monkeypatch: pytest.MonkeyPatch, line: str, told: str) -> None:
    given(monkeypatch, line)
    with pytest.raises(BuildError, match=told):
        arguments.check_variables()


def test_help_tells_each_variable_of_a_command() -> None:
    for command, has in options.OPTIONS.items():
        told = list(options.lines(command))
        assert [line.split("=")[0].strip() for line in told] == [option.name for option in has]
        assert all(option.doc in line for option, line in zip(has, told, strict=True))
    assert options.usage("baselines") == "[archs=NAME[,NAME...]] [seeds=N] [trainings=N]"
    shown = subprocess.run(
        [sys.executable, "-m", "doit", "help", "build"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert shown.splitlines()[1:] == list(options.lines("build"))


def test_tasks_that_there_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks, files = {"build", "build:quickstart", "search", "search:quickstart"}, {"build/quickstart/report.json"}
    for line in ("", "build", "search:quickstart", "build/quickstart/report.json", "build:*", "list"):
        given(monkeypatch, line)
        arguments.check_tasks(tasks, files)
    for line, told in {
        "biuld": "'biuld': there is no such task.* did you mean build",
        "search:quikstart": "did you mean search:quickstart",
        "lsit": "did you mean list",
        "xyzzy": "`doit list` shows the tasks",
        "build -n 2": "options stand before the names of tasks: doit -n ... build",
    }.items():
        given(monkeypatch, line)
        with pytest.raises(BuildError, match=told):
            arguments.check_tasks(tasks, files)


def test_specs_matter_unless_only_commands_without_one_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for line, matter in {"": True, "build": True, "list": True, "diff": False, "bench:tables paper": False}.items():
        given(monkeypatch, line)
        assert arguments.needs_specs() == matter
