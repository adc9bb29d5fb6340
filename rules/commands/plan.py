"""What a build would run, for how long, and why: ``doit plan spec=<file>`` and ``doit why spec=<file>``.

Both build nothing. ``of=curve`` (or another comparison) is about the builds that this makes.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from mcubuild.errors import shown
from mcubuild.shared import shared_store
from mcubuild.store import Store
from mcubuild.units import format_time
from rules.command import Command
from rules.comparisons import asked, builds
from rules.execute import code_files, source_digests
from rules.foresight import Foreseen, foresee
from rules.graph import HISTORY
from rules.history import definitions
from rules.known import FILES
from rules.options import OF, changes
from rules.stage import BUILD, Resolved

_MOST_CHANGES = 12
"""Changes of a stage that are listed; of more, the number."""
_MOST_NAMES = 5
"""Artifacts of a line that are named; of more, the number."""
_DONE_BY_A_BUILD = ("to build", "depends", "from store", "from shared")
STATES = {"depends": "perhaps"}
"""What states are called that have another name for people."""


def _plan(resolved: Resolved) -> None:
    name = resolved["spec"]["name"]
    found, more = _foreseen(resolved)
    total, unknown = 0.0, list[str]()
    width = max(15, *(len(one.resolved["spec"]["name"]) for one in found))
    for one in found:
        spec = one.resolved["spec"]["name"]
        line = f"{spec:<{width}} {one.stage.name:<11} {STATES.get(one.state, one.state):<11}"
        if one.state in ("to build", "depends"):
            seconds, of = expected(one.stage.name, spec)
            if seconds is None:
                unknown.append(one.stage.name)
            else:
                total += seconds
                line += f" {format_time(seconds):>8}" + (f"   (as in {of})" if of != spec else "")
        print(f"{line}   {one.reason}".rstrip())
    stages = {state: sum(one.state == state for one in found) for state in _DONE_BY_A_BUILD}
    if more:
        print(f"{name}: and some of {more} other builds; these decide which.")
    elif not sum(stages.values()):
        print(f"{name}: nothing to do.")
        return
    also = f", {stages['from shared']} from the shared one" if stages["from shared"] else ""
    parts = [f"{stages['to build']} to build", f"{stages['depends']} perhaps, as they read what those make"]
    print(f"{name}: {', '.join(parts)}, {stages['from store']} from the store{also}.")
    if total:
        least = f"; not counted, as they never ran here: {', '.join(unknown)}" if unknown else ""
        print(f"{name}: at most {format_time(total)} by what stages took here last{least}.")
    elif unknown:
        print(f"{name}: none of them ever ran here; mcubuild forecast {name} times steps of the trainings.")


def _foreseen(resolved: Resolved) -> tuple[list[Foreseen], int]:
    """What the build would do, or what the comparison would that ``of=`` names; and how many other builds there are, of
    which these decide.
    """
    (own, *others), more = builds(OF.chosen, resolved) if OF.chosen else ([resolved], 0)
    return foresee(own, Store(), shared_store(), others), more


def expected(stage: str, spec: str) -> tuple[float | None, str]:
    """How long a stage may take, in seconds, and of which spec that is known: its own, or the median of others."""
    times = HISTORY.times(stage)
    if spec in times:
        return times[spec], spec
    return (median(times.values()), "other specs") if times else (None, "")


def _why(resolved: Resolved) -> None:
    found, _ = _foreseen(resolved)
    makers = {name: one.stage.name for one in found for name in one.stage.outputs}
    differs = False
    for one in found:
        if one.state == "up to date":
            continue
        differs = True
        spec = one.resolved["spec"]["name"]
        print(f"{spec}: {one.stage.name} ({STATES.get(one.state, one.state)}):")
        lines = [one.reason] if one.reason else [*_changes(one, makers)]
        for line in lines[:_MOST_CHANGES]:
            print(f"    {line}")
        if len(lines) > _MOST_CHANGES:
            print(f"    ... and {len(lines) - _MOST_CHANGES} more")
    if not differs:
        print(f"{resolved['spec']['name']}: everything is up to date.")


def _changes(one: Foreseen, makers: Mapping[str, str]) -> Iterator[str]:
    """What is another than when the stage's artifacts in build/ were made, a line each."""
    folder = BUILD / one.resolved["spec"]["name"]
    made = {name: FILES.made(folder / name) for name in one.stage.outputs}
    keys = {found.key for found in made.values() if found}
    if not keys:
        yield "it was never built here"
    elif len(keys) > 1 or (before := HISTORY.ingredients(next(iter(keys)))) is None:
        yield "what it was made from is not known here"
    else:
        yield from _differences(before, one)
        if one.key in keys:
            for name, found in made.items():
                if found is None or not FILES.holds(folder / name, found):
                    there = (folder / name).exists()
                    yield f"{folder / name}: {'it is not what the stage made' if there else 'it is gone'}"
    if one.waits:
        stages = dict.fromkeys(makers.get(name.rpartition("start/")[2], "an earlier stage") for name in one.waits)
        more = f" and {len(one.waits) - _MOST_NAMES} more" if len(one.waits) > _MOST_NAMES else ""
        yield f"reads {', '.join(one.waits[:_MOST_NAMES])}{more}, which may change: {', '.join(stages)} first"


def _differences(before: Mapping[str, Any], one: Foreseen) -> Iterator[str]:
    now, resolved = json.loads(json.dumps(one.ingredients)), one.resolved
    old, new = _flat(before["settings"]), _flat(now["settings"])
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            where = f"board {resolved['spec']['board']}" if key.startswith("board.") else said_in(key, resolved)
            yield f"{where}: {key}: {_value(old, key)} -> {_value(new, key)}"
    code = code_files(one.stage)
    for name in sorted(before["code"].keys() | now["code"].keys()):
        if before["code"].get(name) != now["code"].get(name):
            yield f"{name}: {_code_change(before['code'].get(name), code.get(name))}"
    for kind in ("libraries", "identities", "arithmetic"):
        old, new = _flat({kind: before[kind]}), _flat({kind: now[kind]})
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) != new.get(key):
                yield f"{key.replace('.', ' ', 1)}: {_value(old, key)} -> {_value(new, key)}"
    for name, digest in now["inputs"].items():
        if before["inputs"].get(name) != digest:
            yield f"{name}: an earlier stage makes it another"
    if before["sources"] != now["sources"]:
        yield from _file_changes(before.get("files", {}), one)


def said_in(key: str, resolved: Resolved) -> str:
    """Where a key of the spec has its value from: the command line, the spec's file, or one that this extends."""
    if key in changes():
        return "set="
    own = resolved["file"]
    for file in [own, *(file for file in reversed(resolved["files"]) if file != own)]:
        try:
            values = tomllib.loads(Path(file).read_text("utf-8"))
        except (OSError, ValueError):
            continue
        if _has(values, key) or _has(values.get("matrix"), key):
            return str(file)
    return str(own)


def _has(values: Any, key: str) -> bool:
    """Whether a table has the dotted key, or a value that stands for the tables on the way to it."""
    for part in key.split("."):
        if not isinstance(values, dict):
            return values is not None
        if part not in values:
            return False
        values = values[part]
    return True


def _file_changes(old: Mapping[str, str], one: Foreseen) -> Iterator[str]:
    new = source_digests(one.stage, one.resolved, FILES)
    if not old:
        yield f"files that it reads changed: there are {len(new)} now"
        return
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield f"{name}: {'new' if name not in old else 'gone' if name not in new else 'changed'}"


def _code_change(old: str | None, new: Path | None) -> str:
    if old is None or new is None:
        return "now read, too" if old is None else "no longer read"
    before = HISTORY.definitions(old)
    if before is None:
        return "changed"
    try:
        now = definitions(new.read_text("utf-8"))
    except (OSError, SyntaxError, ValueError):
        return "changed"
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if not names:
        return "changed in the order of what it defines"
    return f"changed: {', '.join(name or 'outside of functions' for name in names)}"


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """A value by dotted keys down to the leaves."""
    if not isinstance(value, dict):
        return {prefix: value}
    found = dict[str, Any]()
    for key, inner in value.items():
        found |= _flat(inner, f"{prefix}.{key}" if prefix else key)
    return found


def _value(values: Mapping[str, Any], key: str) -> str:
    return shown(values[key]) if key in values else "nothing"


PLAN = Command(
    name="plan",
    doc="what the build of {} would run, for how long, and what the store has",
    work=_plan,
    serves=asked,
)
WHY = Command(
    name="why",
    doc="why each stage of {} would run: fields, files, functions, artifacts",
    work=_why,
    serves=asked,
)
READING = frozenset({"diff", "changed", PLAN.name, WHY.name})
"""Commands that write nothing themselves, and so may run beside a build, or have one run."""
