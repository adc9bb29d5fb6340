"""All builds of a project in one page: ``doit index`` writes build/index.html; it builds nothing."""

import json
from collections.abc import Iterator
from typing import Any

from mcubuild.errors import printable, shortened, writing
from mcubuild.store import Store
from rules.commands.bench import run
from rules.foresight import foresee
from rules.graph import HISTORY, read_specs, spec_files
from rules.stage import BUILD, Resolved

NAME = "index"
PAGE = BUILD / "index.html"
_REASON = 240
"""Letters of a reason that are shown."""


def _lacks(resolved: Resolved, store: Store) -> tuple[str, str]:
    """Why there is no report of the spec as it is now, in a word and in a sentence; empty: there is one."""
    name = resolved["spec"]["name"]
    waiting = [one for one in foresee(resolved, store) if one.state != "up to date"]
    if not waiting:
        return "", ""
    for one in waiting:
        tried = one.state in ("to build", "refused")  # the key of others is not known yet
        if tried and (told := HISTORY.failure(one.resolved["spec"]["name"], one.stage.name, one.key)):
            return "failed", f"{one.stage.name}: {one.reason or told}"
    state = "of an older spec" if (BUILD / name / "report.json").is_file() else "not built"
    return state, waiting[0].reason or f"{waiting[0].stage.name} is to be made first; mcubuild why {name} tells more"


def _write() -> None:
    from mcubuild.report.variants import Variant, aligned, page, table

    specs, broken = read_specs(spec_files(None), ())
    store, found, links = Store(), list[Variant](), dict[str, str]()
    reasons = dict[str, str]()
    for resolved in specs:
        name, spec = resolved["spec"]["name"], resolved["spec"]
        state, reasons[name] = _lacks(resolved, store)
        report = None if state else json.loads((BUILD / name / "report.json").read_text("utf-8"))
        found.append(Variant(name, {"task": spec["task"] or "", "board": spec["board"]}, report, state))
        if (BUILD / name / "report.html").is_file():
            links[name] = f"{name}/report.html"
    found += [Variant(name, {}, None, "not valid") for name in broken]
    told = [f"{name}: {shortened(printable(why), _REASON)}" for name, why in {**reasons, **broken}.items() if why]
    made = sum(one.report is not None for one in found)
    with writing(BUILD):
        title = f"{made} of {len(found)} builds are those of their specs"
        PAGE.write_text(page("Builds", title, found, links, told), "utf-8")
    print(*aligned(table(found)), *told, f"page: {PAGE}", sep="\n")


def tasks() -> Iterator[dict[str, Any]]:
    """The doit task."""
    yield {
        "basename": NAME,
        "doc": "all builds of the project in one page, build/index.html",
        "actions": [(run, [NAME, _write])],
        "uptodate": [False],
        "verbosity": 2,
    }
