"""What a stage is: a function of files and settings, declared so that nothing else can influence its result."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import reduce
from math import inf
from operator import getitem
from pathlib import Path
from typing import Any

from rules.job import Job, keys_of

Resolved = Mapping[str, Any]
"""A validated spec as JSON: {"spec": {...}, "board": {...}, "folder": folder of the spec file}, and, if it starts from
another spec, that one as "start"; if only some of its stages are built, the names of these "stages". "file" is what it
is written in, "files" are that and those that it extends, and "chosen" what [matrix] gives it. Of a build that is
derived from it, "shares" are the artifacts that others make, with the names of their builds, and "part" says that it is
not judged alone."""

BUILD = Path("build")
"""Results, a folder a spec; relative to the checkout, which doit makes the working directory."""
START = "start/"
"""In front of the names of artifacts that belong to the spec which the build starts from."""


def _no_identities(resolved: Resolved) -> dict[str, str]:
    return {}


def _no_sources(resolved: Resolved) -> dict[str, Path]:
    return {}


def _nothing(resolved: Resolved) -> tuple[str, ...]:
    return ()


def _in_place(resolved: Resolved) -> None:
    pass


def _as_declared(resolved: Resolved, artifact: str) -> str:
    return artifact


def always(resolved: Resolved) -> bool:
    """Any spec."""
    return True


def listed(stage: str) -> Callable[[Resolved], bool]:
    """Whether a build is derived to have the stage of that name, which no spec has by itself."""
    return lambda resolved: stage in resolved.get("stages", ())


def brings_model(resolved: Resolved) -> bool:
    """Whether the spec names a network that exists already ([model])."""
    return resolved["spec"]["model"] is not None


def trains(resolved: Resolved) -> bool:
    """Whether the network is trained here."""
    return not brings_model(resolved)


def scales(resolved: Resolved) -> bool:
    """Whether the spec names a published network to be scaled and trained (arch)."""
    return resolved["spec"]["arch"] is not None


def searches(resolved: Resolved) -> bool:
    """Whether the network is searched for."""
    return trains(resolved) and not scales(resolved)


def starts(resolved: Resolved) -> bool:
    """Whether training begins with what another spec's build has learned."""
    return resolved.get("start") is not None


def stem(resolved: Resolved) -> str:
    """What the spec's file is called; of its builds, if [matrix] makes several, each has a longer name."""
    return Path(resolved["file"]).stem if "file" in resolved else str(resolved["spec"]["name"])


def located(name: str, resolved: Resolved, folder: Path) -> Path:
    """Where the artifact ``name`` is; those of the spec itself are in ``folder``."""
    if name in _shared(resolved):
        return BUILD / _shared(resolved)[name] / name
    if not name.startswith(START):
        return folder / name
    start: str = resolved["start"]["spec"]["name"]
    return BUILD / start / name.removeprefix(START)


def _shared(resolved: Resolved) -> Mapping[str, str]:
    """Artifacts that other builds make, with the names of these."""
    shares: Mapping[str, str] = resolved.get("shares", {})
    return shares


def maker(artifact: str, resolved: Resolved) -> str:
    """The name of the build that makes the artifact for ``resolved``."""
    return _shared(resolved).get(artifact, resolved["spec"]["name"])


UNSEEN: Mapping[str, Any] = {
    "title": "",
    "source": "",
    "openocd": None,
    "pyocd_target": None,
    "active_power_mw": inf,
    "desk": None,
}
"""Fields of the board that neither code nor figures of most stages depend on, and what these stages see instead."""
UNNAMED = tuple(f"board.{field}" for field in UNSEEN if field not in ("active_power_mw", "desk"))
"""What the board is called, and by whom."""
POWER = ("board.active_power_mw",)
COMPILING = ("firmware.toolchain", "firmware.optimize", "firmware.prefix")
"""How the C is compiled and called, which plans and estimates do not depend on."""
LIMITS = ("budget.flash", "budget.latency", "budget.energy")
"""Of the budget, what plans do not depend on."""
QUALITY = ("budget.accuracy", "budget.strict")
"""What the report alone judges."""


@dataclass(frozen=True)
class Stage:
    """A stage of the pipeline, as plain data."""

    name: str
    doc: str
    inputs: tuple[str, ...]
    """Artifacts of earlier stages that it reads; ``start/<artifact>`` is that of the spec which the build starts
    from."""
    outputs: tuple[str, ...]
    """Artifacts that it writes: files, relative to the folder of the spec."""
    settings: tuple[str, ...]
    """Fields of the spec that it depends on, dotted; ``spec`` is all of it, ``board`` the whole board file."""
    run: Callable[[Job], None]
    """The wiring to the library; the modules it imports, and what they import, are what the stage depends on."""
    templates: tuple[str, ...] = ()
    """Patterns of other files that it depends on, relative to the checkout."""
    own: tuple[tuple[str, Path], ...] = ()
    """Files of the user's with code that it runs, by names that are the same everywhere; ``pipeline`` fills it in."""
    owns: Callable[[Resolved], Mapping[str, Path]] = _no_sources
    """Those that it has for a spec."""
    task: str | None = None
    """The spec's, of which alone it asks the room; None: of any. ``pipeline`` fills it in."""
    identities: Callable[[Resolved], dict[str, str]] = _no_identities
    """Names and versions of tools that it runs."""
    sources: Callable[[Resolved], Mapping[str, Path]] = _no_sources
    """Files of the user that it reads, and folders, with all that is in them, by names that are the same on every
    machine."""
    fetch: Callable[[Resolved], None] = _in_place
    """Brings sources into place that everybody can get; called before they are looked at, and no part of the stage."""
    called: Callable[[Resolved, str], str] = _as_declared
    """What an artifact that it writes is called, if the spec names it, wherever it is read, too."""
    optional: tuple[str, ...] = ()
    """Artifacts that it reads as well, where the spec (or the one that it starts from) has a stage that writes them."""
    needless: Callable[[Resolved], tuple[str, ...]] = _nothing
    """Those of its ``inputs`` that it does without where the spec says as much."""
    serves: Callable[[Resolved], bool] = always
    """Whether a spec has this stage."""
    ignored: tuple[str, ...] = ()
    """Fields inside of ``settings`` that change nothing here; the stage sees their defaults, of a board ``UNSEEN``."""
    ignored_without_energy: tuple[str, ...] = ()
    """Those that change nothing either where the budget has no energy."""
    stored: bool = True
    """Whether the store keeps the result; a measurement of silicon belongs to one board on one day."""

    def spec(self, resolved: Resolved) -> dict[str, Any]:
        """The spec as JSON, without what the stage ignores."""
        spec: dict[str, Any] = deepcopy(resolved["spec"])
        for field in self.ignored:
            *tables, key = keys_of(field)
            if tables != ["board"]:
                reduce(getitem, tables, spec).pop(key, None)
        return spec

    def unseen(self, resolved: Resolved) -> dict[str, Any]:
        """The fields of the board that the stage ignores, with the values that it sees; of its desk no stage knows."""
        ignored = {*self.ignored, *(["board.desk"] if "board" in self.settings else [])}
        if resolved["spec"]["budget"]["energy"] is None:
            ignored.update(self.ignored_without_energy)
        return {field: value for field, value in UNSEEN.items() if f"board.{field}" in ignored}

    def read(self, resolved: Resolved, folder: Path) -> dict[str, Path]:
        """Where the artifacts are that it reads, by name; those of the spec itself are in ``folder``."""
        return {name: located(name, resolved, folder) for name in self.inputs}

    def selected(self, resolved: Resolved) -> dict[str, Any]:
        """The declared settings as JSON."""
        values: dict[str, Any] = {}
        spec = self.spec(resolved)
        for field in self.settings:
            if field in self.ignored:
                continue
            if field == "board":
                unseen = self.unseen(resolved)
                values[field] = {key: value for key, value in resolved["board"].items() if key not in unseen}
                continue
            values[field] = reduce(getitem, keys_of(field), spec)
        return values


def leading_to(artifacts: Set[str], stages: Sequence[Stage]) -> list[Stage]:
    """Those of ``stages`` that it takes to make ``artifacts``."""
    needed, found = {*artifacts}, list[Stage]()
    for stage in reversed(stages):
        if needed & set(stage.outputs):
            needed.update(stage.inputs)
            found.insert(0, stage)
    return found


def pipeline(stages: Iterable[Stage], resolved: Resolved) -> tuple[Stage, ...]:
    """The stages of a spec, in order: optional inputs that exist have become inputs, and artifacts have its names.

    Stages that make what it shares with another build are not among them, nor those that it does not name, if it does.
    """
    stages, serving, asked = tuple(stages), list[Stage](), resolved.get("stages")
    written: dict[str, str] = {}
    if starts(resolved):
        theirs = (START + name for stage in pipeline(stages, resolved["start"]) for name in stage.outputs)
        written = {name: name for name in theirs}
    for stage in stages:
        if stage.serves(resolved):
            made = {name: stage.called(resolved, name) for name in stage.outputs}
            if _shared(resolved).keys() >= {*made.values()}:
                written |= made
                continue
            if asked is not None and stage.name not in asked:
                continue
            needed = (name for name in stage.inputs if name not in stage.needless(resolved))
            inputs = (*needed, *(name for name in stage.optional if name in written))
            written |= made
            inputs = tuple(written.get(name, name) for name in inputs)
            own, task = tuple(sorted(stage.owns(resolved).items())), resolved["spec"].get("task")
            outputs = tuple(made.values())
            serving.append(replace(stage, inputs=inputs, optional=(), outputs=outputs, own=own, task=task))
    return tuple(serving)
