"""What a change of the project does to its builds: ``doit changed base=origin/main``, for pull requests.

Exactly the builds are made that are not what they were: their keys say so, not the names of edited files.
"""

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from doit.exceptions import TaskFailed

from mcubuild import ROOT
from mcubuild.errors import BuildError, printable, shown
from mcubuild.store import Store
from rules.before import identities
from rules.foresight import foresee
from rules.options import BASE, LARGER, LINKS, SLOWER
from rules.stage import BUILD, Resolved

NAME = "changed"
COMMENT = BUILD / "changed.md"


def _git(*words: str) -> str:
    """What git says.

    Raises:
        BuildError: git is missing, or refuses.
    """
    try:
        done = subprocess.run(["git", *words], capture_output=True, encoding="utf-8", errors="replace", check=False)
    except OSError as error:
        raise BuildError(f"git: cannot be run ({error.strerror}); doit changed compares commits: install it.") from None
    if done.returncode:
        told = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise BuildError(f"git {words[0]}: ended with {done.returncode}: {told}")
    return done.stdout.strip()


def fork(base: str) -> str:
    """The commit in which this branch and ``base`` are one.

    Raises:
        BuildError: git does not know ``base``, or they have none in common.
    """
    try:
        return _git("merge-base", "--", base, "HEAD")
    except BuildError as error:
        raise BuildError(
            f"base={shown(base)}: no commit that this branch and it have in common ({error}); write a branch or commit "
            f"that is here, as git fetch brings it (actions/checkout: fetch-depth: 0)."
        ) from None


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """The project as it was in ``commit``, in a folder for the time being; what git does not keep is as it is now."""
    prefix = _git("rev-parse", "--show-prefix").rstrip("/")
    with tempfile.TemporaryDirectory(prefix="mcubuild-base-") as scratch:
        command = ["git", "archive", "--format=tar", f"{commit}:{prefix}" if prefix else commit]
        archive = subprocess.run(command, capture_output=True, check=False)
        if archive.returncode:
            raise BuildError(f"{commit[:12]}: this project is not in that commit; name a later one: base=...")
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as packed:
            packed.extractall(scratch, filter="data")
        for name in _git("ls-files", "--others", "--directory").splitlines():
            path, place = Path(name.rstrip("/")), Path(scratch, name.rstrip("/"))
            if path.parts[0] != str(BUILD) and not path.name.startswith((".", "__")) and path.suffix != ".toml":
                place.parent.mkdir(parents=True, exist_ok=True)
                if not os.path.lexists(place):
                    place.symlink_to(path.absolute())
        yield Path(scratch)


def ask(folder: Path, identities: Mapping[str, str]) -> dict[str, Any] | None:
    """What the builds in ``folder`` were, by ``rules.before``; None where its code cannot say that.

    Raises:
        BuildError: it failed.
    """
    own = (folder / "rules").is_dir()
    if own and not (folder / "rules" / "before.py").is_file():
        return None
    path = [] if own else [str(ROOT)]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "rules.before"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *path, os.environ.get("PYTHONPATH", "")])},
        input=json.dumps(identities),
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        raise BuildError(f"the project in the commit before could not be read (exit {done.returncode}); see above.")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _build(names: Sequence[str]) -> None:
    """Build ``names`` as ``doit build:NAME`` does."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-P", "-m", "rules.front", *(f"build:{name}" for name in names)]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=False)


def _current(specs: Iterable[Resolved]) -> dict[str, Any]:
    """The reports of those of ``specs`` whose builds could be made; others may have older ones."""
    made, store = dict[str, Any](), Store()
    for resolved in specs:
        if all(one.state == "up to date" for one in foresee(resolved, store)):
            name = resolved["spec"]["name"]
            made[name] = json.loads((BUILD / name / "report.json").read_text("utf-8"))
    return made


def _run() -> Any:
    from mcubuild.report.changes import Compared, Tolerance, comment, worse

    base = BASE.given or ""
    tolerance = Tolerance(SLOWER.share, LARGER.share)
    commit = fork(base)
    now, specs, broken = identities()
    with checkout(commit) as folder:
        said = ask(folder, now)
        before = {} if said is None else said["identities"]
        names = [name for name in now if now[name] != before.get(name)]
        reports = {} if said is None else said["reports"]
        old = {name: json.loads(Path(path).read_text("utf-8")) for name, path in reports.items()}
    print(f"since {commit[:12]} ({printable(base)}): {', '.join(names) or 'no build'} changed", flush=True)
    if names:
        _build(names)
    made = _current(specs[name] for name in names)
    found = [Compared(name, old.get(name), made.get(name), known=name in before) for name in names]
    removed = sorted(before.keys() - now.keys() - broken.keys())
    reasons = [reason for one in found for reason in worse(one, tolerance)]
    reasons += [f"{name}: {why}" for name, why in broken.items()]
    COMMENT.write_text(comment(found, removed, broken, tolerance, commit, LINKS.given), encoding="utf-8")
    print(f"comment: {COMMENT}")
    return TaskFailed("; ".join(printable(reason) for reason in reasons) + ".") if reasons else None


def _told() -> Any:
    try:
        return _run()
    except BuildError as error:
        return TaskFailed(str(error))


def task() -> dict[str, Any]:
    """The doit task."""
    return {
        "basename": NAME,
        "doc": "builds what differs from a branch, and compares: base=origin/main [slower=5%] [larger=1%] [links=URL]",
        "actions": [(_told, [])],
        "uptodate": [False],
        "verbosity": 2,
    }
