"""Builds from Python: ``from mcubuild import build``."""

import json
import os
import subprocess
import sys
from pathlib import Path

from mcubuild import ROOT
from mcubuild.errors import BuildError
from mcubuild.report.model import Report
from rules.front import project_of
from rules.stage import BUILD


def build(spec: str | Path, project: str | Path = ".") -> Report:
    """Build a spec as ``mcubuild build`` does, and read its report. Progress goes to stderr.

    Args:
        spec: a name in the project's specs/, or the path of a file, relative to ``project``.
        project: the folder of the project, or one in it.

    Returns:
        The report; that the budget is broken is a result, too: ``verdict == "fail"``, with ``reasons``.

    Raises:
        BuildError: there is no such project or spec, or a stage failed: what the build told.
    """
    folder = Path(project).resolve()
    within = project_of(folder)
    search = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "rules.front", "build", str(spec)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": search},
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    errors = [line.removeprefix("ERROR: ") for line in done.stdout.splitlines() if line.startswith("ERROR: ")]
    name = Path(spec).name.removesuffix(".toml")
    if done.returncode and not (errors and errors[0].startswith(f"build:{name}: the budget is broken")):
        raise BuildError(*(errors or [f"{spec}: the build ended with {done.returncode}; what it told is on stderr."]))
    return Report.model_validate(json.loads((within / BUILD / name / "report.json").read_text("utf-8")))
