"""What shells complete behind ``mcubuild``: the real ones are asked."""

import os
import pty
import resource
import select
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mcubuild import ROOT
from mcubuild.errors import BuildError
from rules.commands.completion import SCRIPTS, Known, answer
from rules.front import COMMANDS


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder inside a project with three specs and a build, and ``mcubuild`` on the PATH."""
    for name in ("specs/kws.toml", "specs/kws_small.toml", "specs/doors.toml", "build/doors/report.json", "dodo.py"):
        path = tmp_path / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    command = tmp_path / "bin" / "mcubuild"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {sys.executable} -m rules.front "$@"\n')
    command.chmod(0o755)
    return tmp_path / "mine" / "specs"


def ask(project: Path, *words: str) -> list[str]:
    """What fish would be told, without descriptions."""
    known = Known({name: told for name, (told, _) in COMMANDS.items()}, {"build": {"-n": "processes"}}, project.parent)
    return [line.partition("\t")[0] for line in answer("fish", words, known).splitlines()]


def run(shell: str, script: str, project: Path) -> str:
    """What a shell prints that runs ``script`` in ``project``."""
    environment = {**os.environ, "PATH": f"{project.parent.parent / 'bin'}:{os.environ['PATH']}", "TERM": "dumb"}
    done = subprocess.run(
        [shell, *(["-f"] if shell == "zsh" else []), "-c", script],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("mcubuild bui", ["build "]),
        ("mcubuild build k", ["kws ", "kws_small "]),
        ("mcubuild build kws do", ["doors "]),
        ("mcubuild gc ", ["size="]),
        ("mcubuild bench tool", ["toolchain="]),
        ("mcubuild bench toolchain=", ["zig ", "gcc "]),
        ("mcubuild bench toolchain=g", ["gcc "]),
        ("mcubuild search:do", ["doors "]),
        ("mcubuild build -", ["-h ", "--help ", "-n "]),
        ("mcubuild diff ", ["doors "]),
        ("mcubuild build kws set bits", []),
    ],
)
def test_bash_completes(project: Path, line: str, found: list[str]) -> None:
    # As readline does it: the third argument but one is what stands behind the last = or :.
    cut = line[max(line.rfind(" "), line.rfind("="), line.rfind(":")) + 1 :]
    script = f"""eval "$(mcubuild completion bash)"
    COMP_LINE={shlex.quote(line)} COMP_POINT={len(line)}
    _mcubuild mcubuild {shlex.quote(cut)} before
    printf '%s\\n' "${{COMPREPLY[@]}}" """
    assert [word for word in run("bash", script, project).split("\n") if word] == found


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("mcubuild bench toolchain=g\t", b"toolchain=gcc "),
        ("mcubuild build do\t", b"build doors "),
        ("mcubuild info build:do\t", b"build:doors "),
        ("mcubuild export format=bin,he\t", b"format=bin,hex "),
    ],
)
def test_a_person_types_tab(project: Path, typed: str, shown: bytes) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(project)
        os.environ["PATH"] = f"{project.parent.parent / 'bin'}:{os.environ['PATH']}"
        os.execvp("bash", ["bash", "--norc", "--noprofile"])
    os.write(terminal, b'eval "$(mcubuild completion bash)"; echo rea""dy\n')
    assert b"ready" in seen(terminal, b"ready")
    os.write(terminal, typed.encode())
    assert shown in seen(terminal, shown)
    os.close(terminal)  # hangs up
    os.waitpid(pid, 0)


def seen(terminal: int, wanted: bytes, seconds: float = 20.0) -> bytes:
    """What a terminal shows until ``wanted`` is among it, or for so long."""
    found, deadline = b"", time.monotonic() + seconds
    while wanted not in found and select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0]:
        found += os.read(terminal, 4096)
    return found


@pytest.mark.needs("zsh")
def test_zsh_completes(project: Path) -> None:
    script = """autoload -Uz compinit && compinit -D -u
    eval "$(mcubuild completion zsh)"
    _describe() { print -rl -- "${whole[@]}" "open:" "${open[@]}" }
    words=(mcubuild gc "") CURRENT=3 && _mcubuild
    words=(mcubuild build k) CURRENT=3 && _mcubuild
    words=(mcubuild search:k) CURRENT=2 && _mcubuild"""
    told = run("zsh", script, project).splitlines()
    assert told[:2] == ["open:", "size=:what the store may have, in kB, MB or GB"]
    assert told[2:4] == ["kws:a spec", "kws_small:a spec"]
    assert "search\\:kws:a spec" in told


@pytest.mark.needs("fish")
def test_fish_completes(project: Path) -> None:
    script = "mcubuild completion fish | source; complete -C 'mcubuild build k'; complete -C 'mcubuild gc '"
    assert run("fish", script, project).splitlines() == [
        "kws\ta spec",
        "kws_small\ta spec",
        "size=\twhat the store may have, in kB, MB or GB",
    ]


def test_what_may_follow(project: Path) -> None:
    assert ask(project, "") == [*COMMANDS]
    assert ask(project, "build", "") == ["doors", "kws", "kws_small", "set"]
    assert ask(project, "export", "kws", "format=hex,b") == ["format=hex,bin"]
    assert ask(project, "info", "build:k") == ["build:kws", "build:kws_small"]
    assert ask(project, "diff", "a=") == ["a=doors"]
    assert ask(project, "completion", "z") == ["zsh"]
    assert ask(project, "new", "") == ask(project, "no such command", "-") == []


def test_a_shell_that_nobody_knows_is_refused(project: Path) -> None:
    with pytest.raises(BuildError, match=r"no completion for this shell; write one of bash, zsh, fish\."):
        answer("csh", (), Known({}, {}, None))
    assert answer("bash", (), Known({}, {}, None)) == SCRIPTS["bash"]


def test_it_answers_at_once(project: Path) -> None:
    """In less than 0.3 s of a processor, whatever else it has to do: the best of three."""

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert run("bash", "mcubuild completion bash build k", project) == "kws \nkws_small \n"
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(once() for _ in range(3)) < 0.3
