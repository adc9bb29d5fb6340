"""What changed between two builds: ``doit diff a=<build> b=<build>``; it builds nothing and needs no spec."""

import sys
from pathlib import Path
from typing import Any

from doit import loader
from doit.exceptions import TaskFailed

from mcubuild.errors import BuildError
from rules.known import FILES
from rules.options import A, B
from rules.stage import BUILD

NAME = "diff"
USAGE = "write doit diff a=<build> b=<build>; each is the name of a build, a folder with a report.json, or such a file"


def _run() -> Any:
    from mcubuild.report.diff import compare, read, show

    names = {option.name: option.given for option in (A, B)}
    missing = [f"{side}=" for side, name in names.items() if not name]
    if missing:
        return TaskFailed(f"{' and '.join(missing)} missing: {USAGE}.")
    try:
        a, b = (name or "" for name in names.values())
        for name in (a, b):
            _check(BUILD / name / "report.json")
        before, after = (read(name, BUILD, Path(loader.initial_workdir or ".")) for name in (a, b))
    except BuildError as error:
        return TaskFailed(str(error))
    show(compare(before, after), a, b, sys.stdout, drawn=sys.stdout.isatty())
    return None


def _check(report: Path) -> None:
    """Refuse a build's report that is not the one that was made.

    Raises:
        BuildError: something else has changed it.
    """
    made = FILES.made(report)
    if made and report.is_file() and not FILES.holds(report, made):
        raise BuildError(f"{report}: not what the build made; the next build of that spec restores it.")


def task() -> dict[str, Any]:
    """The doit task."""
    return {
        "basename": NAME,
        "doc": "what changed between two builds: doit diff a=<build> b=<build>",
        "actions": [(_run, [])],
        "uptodate": [False],
        "verbosity": 2,
    }
