"""A spec's searched network beside published ones.

``doit baselines spec=<file> [archs=NAME,...] [seeds=N] [trainings=N]``

Each network is a build derived from the spec's, with the stages that any build has.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcubuild.errors import BuildError
from rules.command import Command
from rules.derived import SAMPLES, Comparison, derived, folder, lacking, reseeded, upto
from rules.graph import STAGES
from rules.options import ARCHS, SEEDS, TRAININGS
from rules.stage import BUILD, Resolved, leading_to, pipeline, trains
from rules.stages import accuracy, choose, finetune, search, train

if TYPE_CHECKING:
    from mcubuild.bench.comparison import Contender

_NAME = "baselines"
_SCORE = accuracy.STAGE.outputs[0]


def variant(resolved: Resolved, arch: str | None, engine: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The spec's fields with another network, searched for if ``arch`` is None, and other values of [engine]."""
    from mcubuild.spec.search import SearchSettings

    spec = resolved["spec"]
    fields: dict[str, Any] = {"arch": arch}
    if engine:
        fields["engine"] = {**spec["engine"], **engine}
        fields["search"] = {**spec["search"], "choose": None}  # another search, which may not know that network
    if arch is not None:
        fields |= {"search": SearchSettings().model_dump(mode="json"), "start": None}
    return fields


def known_archs(default: Sequence[str]) -> list[str]:
    """The published networks that ``archs=NAME,...`` names, or those of ``default``.

    Raises:
        BuildError: there is no such network.
    """
    from mcubuild.nas.space.baselines import BASELINES

    names = ARCHS.words or list(default)
    unknown = [name for name in names if name not in BASELINES]
    if unknown:
        raise BuildError(f"archs={unknown[0]}: there is no such network; write some of {', '.join(BASELINES)}.")
    return names


@dataclass(frozen=True)
class _Network:
    """A network that is compared: its build, and the same with other seeds, as far as the accuracy."""

    build: Resolved
    others: Sequence[Resolved]

    @property
    def builds(self) -> list[Resolved]:
        return [self.build, *self.others]

    def contender(self, name: str) -> "Contender":
        """What came out, under that name."""
        from mcubuild.bench.comparison import Missing, read_built

        for one in self.builds:
            if (reason := lacking(one)) is not None:
                return Missing(name, reason)
        return read_built(name, folder(self.build), [folder(one) for one in self.others])


@dataclass(frozen=True)
class _Networks:
    """All that may be compared."""

    searched: _Network
    alone: _Network
    """The same network, trained from scratch."""
    published: Mapping[str, _Network]
    layerwise: Mapping[str | None, _Network]
    """Each chosen for an engine that works layer by layer; None is the one that is searched for."""
    searches: Sequence[Resolved]
    """With several seeds."""

    def strongest(self) -> str | None:
        """The best of those that are published."""
        from mcubuild.bench.comparison import best

        found = best([network.contender(name) for name, network in self.published.items()], [*self.published])
        return found.name if found else None


def _networks(resolved: Resolved) -> _Networks:
    """See _Networks.

    Raises:
        BuildError: the spec's task has no published networks, or there is none of a name that is asked for.
    """
    from mcubuild.bench.comparison import LAYERWISE
    from mcubuild.nas.space.baselines import BASELINES

    if resolved["spec"]["task"] == "anomaly_detection":
        raise BuildError(
            'task: found "anomaly_detection"; the published networks that are known here are no autoencoders: ask for '
            "another spec."
        )
    prefix = f"{resolved['spec']['name']}-{_NAME}"

    def network(title: str, fields: Mapping[str, Any], whole: Resolved | None = None) -> _Network:
        build = whole or derived(resolved, f"{prefix}-{title}", fields, sharing=SAMPLES)
        others = [
            derived(
                resolved,
                f"{prefix}-{title}-training{number}",
                {**fields, **reseeded(build, number)},
                sharing=SAMPLES,
                stages=upto({_SCORE}, {**build, "shares": {}}),
            )
            for number in range(1, TRAININGS.number)
        ]
        return _Network(build, others)

    fields = variant(resolved, None)
    searched = network("searched", fields)
    stages = pipeline(STAGES, searched.build)
    found = leading_to({*choose.STAGE.outputs}, stages)
    names = [train.NAME if stage.name == finetune.STAGE.name else stage.name for stage in stages]
    alone = derived(searched.build, f"{prefix}-alone", sharing=(*SAMPLES, *found), stages=names)
    archs = known_archs([*BASELINES])
    before = [stage for stage in found if stage.name not in (search.STAGE.name, choose.STAGE.name)]
    return _Networks(
        searched,
        network("alone", fields, alone),
        {arch: network(arch, variant(resolved, arch)) for arch in archs},
        {
            arch: network("-".join(filter(None, [arch, "layerwise"])), variant(resolved, arch, LAYERWISE))
            for arch in (None, *archs)
        },
        [
            derived(
                searched.build,
                f"{prefix}-seed{number}",
                reseeded(searched.build, number),
                sharing=before,
                stages=[search.STAGE.name],
            )
            for number in range(SEEDS.number)
        ],
    )


def _derives(resolved: Resolved) -> Comparison:
    found = _networks(resolved)
    first = [found.searched, found.alone, *found.published.values(), found.layerwise[None]]
    possible = [network for arch, network in found.layerwise.items() if arch]

    def choice() -> list[Resolved]:
        strongest = found.strongest()
        return found.layerwise[strongest].builds if strongest else []

    return Comparison(
        [*(one for network in first for one in network.builds), *found.searches],
        [one for network in possible for one in network.builds],
        choice,
    )


def _corners(found: _Networks) -> Iterator["Contender"]:
    """The searched network and the best published one, chosen for each engine."""
    from mcubuild.bench.comparison import ENGINES, SEARCHED

    strongest = found.strongest()
    for title, engine in ENGINES.items():
        for arch in (None, strongest) if strongest else (None,):
            own = found.searched if arch is None else found.published[arch]
            yield (found.layerwise[arch] if engine else own).contender(f"{arch or SEARCHED}, {title}")


def _compare(resolved: Resolved) -> None:
    from mcubuild.bench.comparison import ALONE, SEARCHED, Missing, best_so_far, integers, lines, plots, table
    from mcubuild.report.figures import render

    found = _networks(resolved)
    searched = found.searched.contender(SEARCHED)
    if isinstance(searched, Missing):
        raise BuildError(searched.reason)
    contenders = [
        searched,
        found.alone.contender(ALONE),
        *(network.contender(arch) for arch, network in found.published.items()),
    ]
    corners = [*_corners(found)]
    curves = best_so_far([folder(one) / search.STAGE.outputs[0] for one in found.searches])
    name, trainings = resolved["spec"]["name"], TRAININGS.number
    page, kind = BUILD / name / f"{_NAME}.html", integers([searched])
    page.parent.mkdir(exist_ok=True)
    several = "" if trainings == 1 else f", mean and standard deviation of {trainings} trainings"
    subtitle = f"{resolved['board']['title']}; {kind} accuracy on the test samples{several}; latency modelled"
    pictures = plots(contenders, curves)
    page.write_text(
        render(f"{name}: beside published networks", subtitle, pictures, table([*contenders, *corners])),
        encoding="utf-8",
    )
    print("", *lines(contenders, corners, curves), f"picture: {page}", sep="\n")


COMMAND = Command(
    name=_NAME,
    doc="the network searched for {} beside published ones",
    work=_compare,
    derives=_derives,
    serves=trains,
)
