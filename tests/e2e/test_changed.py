"""A pull request in a project of its own: what it affects is built and compared, by the steps of its CI files."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from mcubuild import ROOT
from rules.commands.new import DEFAULTS, Answers, create
from tests.e2e.checkout import SPEC

CALL = 'exec "{python}" -P -m rules.front "$@"\n'


class Project:
    """A generated project under version control."""

    def __init__(self, folder: Path) -> None:
        self.path, tools = folder / "mine", folder / "bin"
        create(self.path, Answers(**DEFAULTS), "net")
        tools.mkdir()
        (tools / "mcubuild").write_text("#!/bin/sh\n" + CALL.format(python=sys.executable))
        (tools / "pip").write_text("#!/bin/sh\n")  # what it would install runs this test
        (tools / "gh").write_text('#!/bin/sh\necho "$@" > gh-was-asked\n')
        for tool in tools.iterdir():
            tool.chmod(0o755)
        self.environment = {
            **os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1",
            "MCUBUILD_STORE": str(folder / "store"), "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
            **{f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }  # fmt: skip
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> None:
        subprocess.run(["git", *words], cwd=self.path, env=self.environment, check=True, capture_output=True)

    def commit(self, **specs: str) -> None:
        for name, text in specs.items():
            (self.path / "specs" / f"{name}.toml").write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "specs")

    def run(self, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command, cwd=self.path, env={**self.environment, **environment}, capture_output=True, text=True, timeout=900
        )

    def steps(self, inputs: dict[str, str]) -> list[tuple[str, int, str]]:
        """Run the shell steps of the action; name, exit code and output of each."""
        action = yaml.safe_load((self.path / ".github/actions/firmware/action.yml").read_text())
        given = {name: value["default"] for name, value in action["inputs"].items()} | inputs
        done = []
        for step in action["runs"]["steps"]:
            if "run" in step:
                assert "${{" not in step["run"], "what is put into a script may be a script itself"
                wanted = {key: value for key, value in step.get("env", {}).items() if "inputs." in value}
                values = {key: given[value.split("inputs.")[1].split(" ")[0]] for key, value in wanted.items()}
                run = self.run("bash", "-eo", "pipefail", "-c", step["run"], **values)
                done.append((step["name"], run.returncode, run.stdout + run.stderr))
        return done


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.mark.slow
@pytest.mark.needs("git")
def test_a_pull_request(project: Project) -> None:
    project.commit(net=SPEC, same=SPEC.replace("f412", "f746"))
    assert [(name, code) for name, code, _ in project.steps({})] == [
        (name, 0) for name in ("Install", "Build", "Trim the store", "Job summary")
    ]
    comment, summary = project.path / "build" / "changed.md", Path(project.environment["GITHUB_STEP_SUMMARY"])
    assert "net" in summary.read_text() and not comment.exists()

    project.git("checkout", "-q", "-b", "feature")
    project.commit(net="# a remark\n" + SPEC, other=SPEC.replace("bits = 8", "bits = 4"))
    done = {name: (code, output) for name, code, output in project.steps({"base": "main"})}
    assert done["Build"][0] == 0, done["Build"]
    assert "(main): other changed" in done["Build"][1]
    text = comment.read_text()
    assert "| other (new) |" in text and "| net |" not in text and "✅ Firmware: 1 build changed" in text
    assert text in summary.read_text()

    project.commit(
        other=SPEC.replace("bits = 8", "bits = 4"), net=SPEC.replace('"O2"', '"O3"') + '[firmware]\noptimize = "Os"\n'
    )
    worse = project.run("mcubuild", "changed", "base=main", "slower=0%")
    assert worse.returncode == 1 and "net: latency got worse" in worse.stdout, worse.stdout + worse.stderr
    row = next(line for line in comment.read_text().splitlines() if line.startswith("| net |"))
    assert row.count("→") >= 3 and "- **net: latency got worse" in comment.read_text()

    project.commit(net=SPEC.replace('sram = "128kB"', 'sram = "1kB"'), typo="bords = 3")
    broken = project.run("mcubuild", "changed", "base=main")
    assert broken.returncode == 1
    assert "net: could not be built" in broken.stdout and "typo: specs/typo.toml" in broken.stdout

    for words, told in (
        (["base=nowhere"], "base='nowhere': no commit that this branch and it have in common"),
        (["slower=much"], "slower='much': must be a share, such as slower=5%"),
    ):
        refused = project.run("mcubuild", "changed", *words)
        assert refused.returncode and told in refused.stdout + refused.stderr


@pytest.mark.slow
@pytest.mark.needs("git")
def test_other_photos_by_their_manifest(project: Project) -> None:
    """Data that git does not keep counts by the file beside it that says which it is."""
    spec = SPEC.replace('"digits"', '{ kind = "image_folder", path = "../data/parts" }')
    (project.path / ".gitignore").write_text("build/\ndata/parts/\n")
    (project.path / "data" / "parts.sha256").write_text("1\n")
    (project.path / "data" / "parts").mkdir()
    project.commit(net=spec, same=SPEC)
    project.git("checkout", "-q", "-b", "feature")
    (project.path / "data" / "parts.sha256").write_text("2\n")
    project.commit()
    found = project.run("mcubuild", "changed", "base=main")
    assert "(main): net changed" in found.stdout, found.stdout + found.stderr


def _jobs(value: Any) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = [step for job in value["jobs"].values() for step in job["steps"]]
    return steps


def test_the_workflow_uses_the_action_as_it_is(project: Project) -> None:
    workflow = yaml.safe_load((project.path / ".github/workflows/firmware.yml").read_text())
    action = yaml.safe_load((project.path / ".github/actions/firmware/action.yml").read_text())
    assert set(workflow[True]) == {"push", "pull_request", "workflow_call"}  # YAML takes `on` for a switch
    (used,) = (step for step in _jobs(workflow) if step.get("uses", "").startswith("./"))
    assert (project.path / used["uses"]).is_dir() and used["with"].keys() <= action["inputs"].keys()
    for step in (*_jobs(workflow), *action["runs"]["steps"]):
        assert ("run" in step) != ("uses" in step) and "${{" not in step.get("run", "")
        assert "@v" in step.get("uses", "@v") or step["uses"].startswith("./")
    assert all("shell" in step for step in action["runs"]["steps"] if "run" in step)
    (job,) = yaml.safe_load((project.path / ".gitlab-ci.yml").read_text()).values()
    assert {"image", "rules", "variables", "cache", "script", "after_script", "artifacts"} == job.keys()
    for script in (*job["script"], *job["after_script"], *(s["run"] for s in action["runs"]["steps"] if "run" in s)):
        assert project.run("bash", "-n", "-c", script).returncode == 0


@pytest.mark.needs("actionlint")
def test_actionlint_finds_nothing(project: Project) -> None:
    found = project.run(str(shutil.which("actionlint")), "-shellcheck=", "-pyflakes=")
    assert found.returncode == 0, found.stdout
