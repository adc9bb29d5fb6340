"""The stages of a spec as a picture: ``doit graph spec=<file>`` writes Mermaid, which GitHub and editors draw."""

from collections.abc import Iterator, Mapping, Sequence

from mcubuild.errors import writing
from mcubuild.shared import shared_store
from mcubuild.store import Store
from mcubuild.units import format_time
from rules.command import Command
from rules.commands.plan import STATES, expected
from rules.foresight import Foreseen, foresee
from rules.stage import BUILD, START, Resolved

_COLOURS = {
    "up to date": "#cfe8d8",
    "from store": "#cfe0f2",
    "from shared": "#cfe0f2",
    "to build": "#f7d9b5",
    "perhaps": "#fbf0d0",
    "refused": "#f4c4c0",
}


def reads(found: Sequence[Foreseen]) -> dict[int, set[int]]:
    """Of each stage, by index, those that it reads of directly: not what others read of that it reads of anyway."""
    makers = {(one.resolved["spec"]["name"], name): at for at, one in enumerate(found) for name in one.stage.outputs}
    direct, behind = dict[int, set[int]](), dict[int, set[int]]()
    for at, one in enumerate(found):
        spec, start = one.resolved["spec"]["name"], one.resolved.get("start")
        before = set[int]()
        for name in one.stage.inputs:
            owner = start["spec"]["name"] if start and name.startswith(START) else spec
            before.add(makers[owner, name.removeprefix(START)])
        behind[at] = before.union(*(behind[other] for other in before))
        direct[at] = before - set().union(*(behind[other] for other in before))
    return direct


def mermaid(found: Sequence[Foreseen], times: Mapping[int, float | None]) -> Iterator[str]:
    """The lines of the picture.

    Args:
        found: the stages in order, and what a build would do about each.
        times: how long those that would be made may take, in seconds, by index.
    """
    yield "flowchart LR"
    specs = dict.fromkeys(one.resolved["spec"]["name"] for one in found)
    for number, spec in enumerate(specs):
        yield f'    subgraph spec{number}["{spec}"]'
        for at, one in enumerate(found):
            if one.resolved["spec"]["name"] == spec:
                state = STATES.get(one.state, one.state)
                seconds = times.get(at)
                told = f", {format_time(seconds)}" if seconds is not None else ""
                label = f"{one.stage.name}<br/><small>{state}{told}</small>"
                yield f'        stage{at}["{label}"]:::{state.replace(" ", "_")}'
        yield "    end"
    for at, before in reads(found).items():
        yield from (f"    stage{other} --> stage{at}" for other in sorted(before))
    for state, colour in _COLOURS.items():
        yield f"    classDef {state.replace(' ', '_')} fill:{colour},stroke:#56616d,color:#1a1f25"


def _draw(resolved: Resolved) -> None:
    name = resolved["spec"]["name"]
    found = foresee(resolved, Store(), shared_store())
    times = {
        at: expected(one.stage.name, one.resolved["spec"]["name"])[0]
        for at, one in enumerate(found)
        if one.state in ("to build", "depends")
    }
    path = BUILD / name / "graph.md"
    with writing(BUILD):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(["```mermaid", *mermaid(found, times), "```", ""]), encoding="utf-8")
    print(f"{path}: {len(found)} stages, in Mermaid")


COMMAND = Command(name="graph", doc="the stages of {} and what a build would do about each, as a picture", work=_draw)
