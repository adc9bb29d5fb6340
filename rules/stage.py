"""What a stage is: a function of files and settings, declared so that nothing else can influence its result."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import reduce
from math import inf
from operator import getitem
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # pydantic is not imported while the graph is built
    from mcubuild.board import Board
    from mcubuild.spec.deployment import Deployment
    from mcubuild.spec.spec import Spec

Resolved = Mapping[str, Any]
"""A validated spec as JSON: {"spec": {...}, "board": {...}, "folder": folder of the spec file}, and, if it starts from
another spec, that one as "start"; if it is built only as far as such another one needs, the names of its "stages".
"file" is what it is written in, "files" are that and those that it extends, and "chosen" what [matrix] gives it.
"shares" are the "artifacts" that a build takes from another one, whose name is "with"."""

BUILD = Path("build")
"""Results, a folder a spec; relative to the checkout, which doit makes the working directory."""
START = "start/"
"""In front of the names of artifacts that belong to the spec which the build starts from."""


@dataclass(frozen=True)
class Job:
    """One run of a stage: its inputs, the settings it declared, and where to write."""

    inputs: Path
    """The folder with the artifacts of the spec; a stage may open those it declared."""
    declared: tuple[str, ...]
    names: tuple[str, ...]
    spec: "Spec"
    board: "Board"
    identities: Mapping[str, str]
    """Names and versions of the declared tools."""
    code: str
    """Digest of the stage's code, its libraries and its tools, for parts of the result that the store is to keep."""
    root: Path
    """Folder of the spec file: relative paths in the spec start here."""
    out: Path
    """Empty folder for the outputs."""
    work: Path
    """Folder for checkpoints; what an interrupted run left there is still there."""

    def file(self, name: str) -> Path:
        """The declared input artifact ``name``.

        Raises:
            KeyError: the stage did not declare it, so a change of it would go unnoticed.
        """
        if name not in self.names:
            raise KeyError(f"the stage reads {name!r} without declaring it")
        return self.inputs / name

    def find(self, name: str) -> Path | None:
        """The optional input artifact ``name``; None where the spec has no stage that writes it."""
        return self.file(name) if name in self.names else None

    def __getitem__(self, field: str) -> Any:
        """The declared setting ``field``: ``"search"``, ``"budget.sram"``, ..., the whole ``"spec"`` or ``"board"``.

        Raises:
            KeyError: the stage did not declare it, so a change of it would go unnoticed.
        """
        if field not in self.declared:
            raise KeyError(f"the stage uses {field!r} without declaring it")
        if field == "board":
            return self.board
        value: Any = self.spec
        for part in _path(field):
            value = getattr(value, part)
        return value

    @property
    def deployment(self) -> "Deployment":
        """What the spec builds for, with defaults of what the stage ignores.

        Raises:
            KeyError: the stage did not declare ``DEPLOYMENT``.
        """
        from mcubuild.spec.deployment import Deployment

        board, *fields = (self[field] for field in DEPLOYMENT)
        return Deployment(board, *fields)


def _path(field: str) -> list[str]:
    return [] if field == "spec" else field.split(".")


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
        other: str = resolved["shares"]["with"]
        return BUILD / other / name
    if not name.startswith(START):
        return folder / name
    start: str = resolved["start"]["spec"]["name"]
    return BUILD / start / name.removeprefix(START)


def _shared(resolved: Resolved) -> Sequence[str]:
    """Artifacts that another build makes."""
    artifacts: Sequence[str] = resolved["shares"]["artifacts"] if "shares" in resolved else ()
    return artifacts


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
BITS = ("bits.weights", "bits.activations", "bits.ends")
"""Of a network that is trained here; all others say them themselves."""
DEPLOYMENT = ("board", "engine", "firmware", *BITS, "budget")
"""What a stage declares that builds for the spec's ``Deployment``, without what it ignores of that."""
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
            *tables, key = _path(field)
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
            values[field] = reduce(getitem, _path(field), spec)
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

    Stages that make what it shares with another build are not among them.
    """
    stages, serving = tuple(stages), list[Stage]()
    written: dict[str, str] = {}
    if starts(resolved):
        theirs = (START + name for stage in pipeline(stages, resolved["start"]) for name in stage.outputs)
        written = {name: name for name in theirs}
    for stage in stages:
        if stage.serves(resolved):
            made = {name: stage.called(resolved, name) for name in stage.outputs}
            if set(made.values()) <= set(_shared(resolved)):
                written |= made
                continue
            needed = (name for name in stage.inputs if name not in stage.needless(resolved))
            inputs = (*needed, *(name for name in stage.optional if name in written))
            written |= made
            inputs = tuple(written.get(name, name) for name in inputs)
            own = tuple(sorted(stage.owns(resolved).items()))
            serving.append(replace(stage, inputs=inputs, optional=(), outputs=tuple(made.values()), own=own))
    return tuple(serving)
