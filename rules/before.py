"""What the specs of a project stand for: an identity of each build, without building anything.

``python -m rules.before`` is asked in a checkout of an earlier commit; so its code and its tools answer for it.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from mcubuild.errors import BuildError
from mcubuild.store import Store, digest_file, digest_json
from rules.execute import execute, ingredients, key_of
from rules.foresight import foresee
from rules.graph import STAGES, read_specs, spec_files, started
from rules.known import FILES
from rules.stage import BUILD, START, Resolved, pipeline

_MANIFESTS = (".sha256", ".dvc")
"""Behind the name of a folder of data: files kept under version control that say which data belongs to a commit."""
_REQUIREMENTS = ("requirements*.txt", "pyproject.toml", "uv.lock")
"""Which mcubuild a project wants."""


def identity(resolved: Resolved) -> str:
    """Of all that the build depends on: each stage by its key, in which artifacts stand by the keys that make them.

    Raises:
        BuildError: a file of the user cannot be read.
    """
    known: dict[str, dict[str, str]] = {}
    keys = list[str]()
    for one, stages in reversed([(resolved, pipeline(STAGES, resolved)), *started(resolved)]):
        start = known.get(one["start"]["spec"]["name"], {}) if one.get("start") else {}
        own = {f"{START}{name}": key for name, key in start.items()}
        made = known.setdefault(one["spec"]["name"], {})
        for stage in stages:
            inputs = {name: (made | own)[name] for name in stage.inputs}
            keys.append(key_of(ingredients(stage, one, inputs, FILES)))
            made |= dict.fromkeys(stage.outputs, keys[-1])
    return digest_json([keys, [*_said_of_data(resolved)]])


def _said_of_data(resolved: Resolved) -> Iterator[str]:
    settings = resolved["spec"]["dataset"]
    path = settings and settings.get("path")
    if isinstance(path, str):
        whole = Path(resolved["folder"], path)
        files = [whole.with_name(whole.name + ending) for ending in _MANIFESTS]
        yield from (digest_file(file) for file in files if file.is_file())
    files = sorted(file for pattern in _REQUIREMENTS for file in Path().glob(pattern))
    yield from (digest_file(file) for file in files)


def identities() -> tuple[dict[str, str], dict[str, Resolved], dict[str, str]]:
    """Of the builds of the project in the working directory: identities, and specs; and why others are not valid."""
    specs, broken = read_specs(spec_files(None), ())
    found, valid = dict[str, str](), dict[str, Resolved]()
    for resolved in specs:
        name = resolved["spec"]["name"]
        try:
            found[name] = identity(resolved)
            valid[name] = resolved
        except BuildError as error:
            broken[name] = str(error)
    return found, valid, broken


def from_store(resolved: Resolved) -> bool:
    """Whether the store has the whole build, whose artifacts then are in build/."""
    store = Store()
    while todo := [one for one in foresee(resolved, store) if one.state != "up to date"]:
        if todo[0].state != "from store":
            return False
        execute(todo[0].stage, todo[0].resolved, BUILD / todo[0].resolved["spec"]["name"], FILES)
    return True


def main() -> None:
    """Answer on stdout what the builds are, and fetch those that are not as they were said to be on stdin."""
    asked: Mapping[str, str] = json.load(sys.stdin)
    with redirect_stdout(sys.stderr):
        BUILD.mkdir(exist_ok=True)
        found, valid, broken = identities()
        reports = dict[str, Any]()
        for name, resolved in valid.items():
            if asked.get(name) != found[name] and from_store(resolved):
                reports[name] = str((BUILD / name / "report.json").absolute())
    json.dump({"identities": found, "broken": broken, "reports": reports}, sys.stdout)


if __name__ == "__main__":
    main()
