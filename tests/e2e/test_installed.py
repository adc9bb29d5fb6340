"""mcubuild installed into an environment of its own, by wheel and by source distribution, and used in a project."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import tomli

from mcubuild import ROOT
from tests.e2e.checkout import SPEC, Run

pytestmark = pytest.mark.slow

_SDIST = "import setuptools.build_meta as backend, sys; print(backend.build_sdist(sys.argv[1]))"


@dataclass(frozen=True)
class Installed:
    """An environment with mcubuild, whose libraries are those that run this test."""

    python: Path
    folder: Path
    store: Path

    def run(self, project: Path, *words: str, **environment: str) -> Run:
        """Run ``mcubuild`` in ``project``."""
        return self._run(project, [str(self.python.with_name("mcubuild")), *words], environment)

    def python_says(self, project: Path, program: str) -> Run:
        """Run a Python program in ``project``."""
        return self._run(project, [str(self.python), "-c", program], {})

    def _run(self, project: Path, command: list[str], environment: Mapping[str, str]) -> Run:
        outside = {key: value for key, value in os.environ.items() if not key.startswith(("COV_", "PYTHONPATH"))}
        done = subprocess.run(
            command,
            cwd=project,
            env={**outside, "MCUBUILD_STORE": str(self.store), "OMP_NUM_THREADS": "1", **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=900,
        )
        return Run(done.returncode, done.stdout + done.stderr)


def _wheel(source: Path, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", str(source), "-w", str(folder)]
    subprocess.run(command, check=True, timeout=600)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--no-deps", str(wheel)], check=True, timeout=600)
    own = next((folder / "env" / "lib").glob("python*/site-packages"))
    (own / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    yield Installed(python, folder, folder / "store")


@pytest.fixture(scope="module")
def project(installed: Installed) -> Path:
    """A new project whose spec builds in seconds, built."""
    made = installed.run(installed.folder, "new", "mine", "--spec", "net")
    assert made.code == 0, made.output
    folder = installed.folder / "mine"
    (folder / "specs" / "net.toml").write_text(SPEC)
    built = installed.run(folder, "build", "net")
    assert "built" in built.stages.values(), built.output
    assert (folder / "build" / "net" / "report.json").is_file(), built.output
    return folder


def test_the_wheel_holds_all_files(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    wanted = {name for name in listed if name.startswith(("mcubuild/", "rules/"))}
    wanted |= {f"mcubuild/{name}" for name in listed if name.startswith(("boards/", "kernels_templates/"))}
    assert packed == wanted


def test_the_source_distribution_makes_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    env = tmp_path / "env"
    venv.create(env, with_pip=True)
    python = str(env / "bin" / "python")
    needs = tomli.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    subprocess.run([python, "-m", "pip", "install", "--quiet", *needs], check=True, timeout=600)
    subprocess.run([python, "-c", _SDIST, str(tmp_path)], cwd=ROOT, check=True, capture_output=True, timeout=600)
    again = _wheel(next(tmp_path.glob("*.tar.gz")), tmp_path)
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(again) as other:
        assert {name: one.read(name) for name in one.namelist() if "RECORD" not in name} == {
            name: other.read(name) for name in other.namelist() if "RECORD" not in name
        }


def test_projects_share_a_store(installed: Installed, project: Path) -> None:
    assert installed.run(installed.folder, "new", "other", "--spec", "net").code == 0
    other = installed.folder / "other"
    (other / "specs" / "net.toml").write_text(SPEC)
    assert set(installed.run(other, "build", "net").stages.values()) == {"from store"}
    assert set(installed.run(other / "specs", "build").stages.values()) == {"up to date"}


def test_own_boards_and_templates_come_first(installed: Installed, project: Path) -> None:
    assert installed.run(installed.folder, "new", "own", "--spec", "net").code == 0
    own = installed.folder / "own"
    board = (ROOT / "boards" / "stm32f412.toml").read_text()
    (own / "boards" / "mine.toml").write_text(board.replace('"STM32F412xG"', '"Mine"'))
    (own / "specs" / "net.toml").write_text(SPEC.replace('"stm32f412"', '"mine"'))
    template = own / "kernels_templates" / "firmware" / "main.c.j2"
    template.parent.mkdir(parents=True)
    template.write_text("/* of this project */\n" + (ROOT / "kernels_templates/firmware/main.c.j2").read_text())
    run = installed.run(own, "firmware:net")
    assert run.stages["net", "supernet"] == "from store"  # the same chip by another name
    assert run.stages["net", "codegen"] == "built", run.output
    assert (own / "build/net/c/firmware/main.c").read_text().startswith("/* of this project */")
    (own / "boards" / "mine.toml").write_text(board.replace('core = "cortex-m4"', 'core = "cortex-m5"'))
    assert "boards/mine.toml:4: core" in installed.run(own, "build").output
    (own / "specs" / "net.toml").write_text(SPEC.replace('"stm32f412"', '"stm32f413"'))
    told = installed.run(own, "build").output
    assert "specs/net.toml: board: unknown board 'stm32f413'; known boards: mine, stm32f412" in told


def test_doit_knows_the_same_words(installed: Installed, project: Path) -> None:
    program = "import sys; from doit.__main__ import main; sys.argv[1:] = ['build', 'spec=net']; main()"
    assert set(installed.python_says(project, program).stages.values()) == {"up to date"}


def test_a_build_from_python_gives_its_report(installed: Installed, project: Path) -> None:
    program = "from mcubuild import build; report = build('net'); print(report.verdict, report.flash_bytes > 1000)"
    assert "pass True" in installed.python_says(project, program).output
    program = "from mcubuild import build; build('nat')"
    assert "spec=nat: there is no such file" in installed.python_says(project, program).output


def test_outside_of_a_project_it_says_so(installed: Installed, tmp_path: Path) -> None:
    run = installed.run(tmp_path, "build")
    assert run.code == 3
    assert "mcubuild new" in run.output
