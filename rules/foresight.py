"""What a build would do, without doing it: the action keys follow from what build/ and the store have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mcubuild.errors import BuildError
from mcubuild.shared import SharedStore
from mcubuild.store import Store
from rules.execute import ingredients, key_of
from rules.graph import STAGES, started
from rules.known import FILES
from rules.stage import BUILD, START, Resolved, Stage, pipeline

State = Literal["up to date", "from store", "from shared", "to build", "depends", "refused"]
"""``depends``: earlier stages are made anew, and what they make decides whether this one is."""


@dataclass(frozen=True)
class Foreseen:
    """What a build would do about a stage."""

    stage: Stage
    resolved: Resolved
    state: State
    ingredients: Mapping[str, Any]
    """What its result depends on, as far as that is known now: without artifacts that are made anew."""
    key: str | None
    """Its action key, if that is known."""
    waits: tuple[str, ...] = ()
    """Artifacts that it reads and that are made anew."""
    reason: str = ""
    """Why it can't be built."""


def foresee(
    resolved: Resolved, store: Store, shared: SharedStore | None = None, others: Sequence[Resolved] = ()
) -> list[Foreseen]:
    """What a build of the spec would do, stage by stage in order, first those of specs that it starts from.

    Args:
        resolved: the spec's build.
        store: what it may find there.
        shared: the same of several machines.
        others: builds that are derived from it, which come after.
    """
    found = list[Foreseen]()
    known: dict[str, dict[str, str]] = {}
    """SHA-256 of artifacts as they will be, by spec and name, as far as that is known."""
    first = [(resolved, pipeline(STAGES, resolved)), *started(resolved)]
    for one, stages in (*reversed(first), *((other, pipeline(STAGES, other)) for other in others)):
        own = known.setdefault(one["spec"]["name"], {})
        start = known.get(one["start"]["spec"]["name"], {}) if one.get("start") else {}
        taken = ((name, known.get(other, {}).get(name)) for name, other in one.get("shares", {}).items())
        digests = {f"{START}{name}": digest for name, digest in start.items()}
        digests |= {name: digest for name, digest in taken if digest is not None} | own
        for stage in stages:
            seen, made = _foresee(stage, one, digests, store, shared)
            digests |= made
            own |= made
            found.append(seen)
    return found


def _foresee(
    stage: Stage, resolved: Resolved, digests: Mapping[str, str], store: Store, shared: SharedStore | None
) -> tuple[Foreseen, Mapping[str, str]]:
    """What a build would do about one stage, and the SHA-256 of what it would make, where that is known."""
    inputs = {name: digests[name] for name in stage.inputs if name in digests}
    waits = tuple(name for name in stage.inputs if name not in digests)
    try:
        depends = ingredients(stage, resolved, inputs, FILES)
    except BuildError as error:
        return Foreseen(stage, resolved, "refused", {}, None, waits, str(error)), {}
    if waits:
        return Foreseen(stage, resolved, "depends", depends, None, waits), {}
    key = key_of(depends)
    folder = BUILD / resolved["spec"]["name"]
    made = {name: FILES.made(folder / name) for name in stage.outputs}
    current = {
        name: one.digest for name, one in made.items() if one and one.key == key and FILES.holds(folder / name, one)
    }
    if len(current) == len(stage.outputs):
        return Foreseen(stage, resolved, "up to date", depends, key), current
    stored = store.contents(key, stage.outputs) if stage.stored else None
    if stored is not None:
        return Foreseen(stage, resolved, "from store", depends, key), stored
    if stage.stored and shared and (stored := shared.contents(key, stage.outputs)) is not None:
        return Foreseen(stage, resolved, "from shared", depends, key), stored
    return Foreseen(stage, resolved, "to build", depends, key), {}
