"""Builds that are derived from a spec's, to be compared with it: another network, other bits, part of the samples.

Such a build is the spec with some fields of its own, under a name of its own, and takes from other builds what these
make for it. Its stages are tasks as those of any build: keyed, kept by the store, run in several processes.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcubuild.errors import BuildError
from rules.execute import action_key, difference
from rules.graph import HISTORY, STAGES
from rules.known import FILES
from rules.stage import BUILD, Resolved, Stage, leading_to, pipeline
from rules.stages import data, dataset, outline

SAMPLES = (dataset.STAGE, data.STAGE, outline.STAGE)
"""What depends on the samples alone."""
_SEEDS = 2**31
"""As many as a spec may name."""


@dataclass(frozen=True)
class Comparison:
    """Builds that are compared."""

    first: Sequence[Resolved]
    """Those that are made in any case."""
    possible: Sequence[Resolved] = ()
    """Others, in order."""
    choice: Callable[[], Sequence[Resolved]] = tuple
    """Which of these are made, asked when the first are there."""


def derived(
    base: Resolved,
    name: str,
    fields: Mapping[str, Any] | None = None,
    *,
    sharing: Iterable[Stage] = (),
    stages: Sequence[str] | None = None,
    part: bool = True,
) -> Resolved:
    """The build of ``base`` with other ``fields``; itself where these are its own and it makes what is asked for.

    Args:
        base: what to begin with.
        name: of the build.
        fields: of the spec, whole tables.
        sharing: stages whose artifacts it takes from ``base``, or from where this has them.
        stages: the names of those that it has; None: all that a spec like it has.
        part: of a comparison, not judged alone.
    """
    spec = {**base["spec"], **(fields or {})}
    if spec == base["spec"] and {*(stages or ())} <= {stage.name for stage in pipeline(STAGES, base)}:
        return base
    names, own = {stage.name for stage in sharing}, base["spec"]["name"]
    shared = [artifact for one in pipeline(STAGES, base) if one.name in names for artifact in one.outputs]
    found = {**base, "spec": {**spec, "name": name}, "shares": {**base.get("shares", {}), **dict.fromkeys(shared, own)}}
    if spec["start"] is None:
        found["start"] = None
    if stages is not None:
        found["stages"] = [*stages]
    return {**found, "part": True} if part else found


def reseeded(resolved: Resolved, number: int) -> dict[str, Any]:
    """The spec's fields with another seed for each ``number``; a network that it chooses need not turn up with that."""
    fields: dict[str, Any] = {"seed": (resolved["spec"]["seed"] + number) % _SEEDS}
    if resolved["spec"]["search"] is not None:
        fields["search"] = {**resolved["spec"]["search"], "choose": None}
    return fields


def upto(artifacts: Collection[str], resolved: Resolved) -> list[str]:
    """The names of the stages that ``resolved`` takes to make ``artifacts``."""
    return [stage.name for stage in leading_to({*artifacts}, pipeline(STAGES, resolved))]


def tasks_of(resolved: Resolved) -> list[str]:
    """The tasks of doit that make the build."""
    return [f"{stage.name}:{resolved['spec']['name']}" for stage in pipeline(STAGES, resolved)]


def folder(resolved: Resolved) -> Path:
    """Of its artifacts."""
    name: str = resolved["spec"]["name"]
    return BUILD / name


def lacking(resolved: Resolved) -> str | None:
    """Why the build is not there as it would be made now; None if it is."""
    place = folder(resolved)
    waiting = [stage for stage in pipeline(STAGES, resolved) if difference(stage, resolved, place, FILES) is not None]
    if not waiting:
        return None
    try:
        key = action_key(waiting[0], resolved, place, FILES)
    except (BuildError, OSError):
        key = None
    return HISTORY.failure(resolved["spec"]["name"], waiting[0].name, key) or "it was not built."


def settled(builds: Iterable[Resolved]) -> bool:
    """Whether all of the parts ``builds`` that can be made is there.

    A stage for which no network fits is left out, as are those that read what it would make; makers come first.
    """
    left = set[Path]()
    for one in builds:
        place = folder(one)
        for stage in pipeline(STAGES, one):
            if difference(stage, one, place, FILES) is None:
                continue
            if left.isdisjoint(stage.read(one, place).values()) and not _unfit(stage, one):
                return False
            left |= {place / name for name in stage.outputs}
    return True


def _unfit(stage: Stage, resolved: Resolved) -> bool:
    """Whether no network of a part was found to fit."""
    try:
        key = action_key(stage, resolved, folder(resolved), FILES)
    except (BuildError, OSError):
        return False
    return bool(resolved.get("part")) and HISTORY.unfit(resolved["spec"]["name"], stage.name, key)
