"""Commands about a spec: ``doit <command> spec=<file>`` does them whenever it is asked to and keeps no result."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from mcubuild.errors import BuildError
from rules.commands.bench import run
from rules.derived import Comparison, tasks_of
from rules.graph import STAGES, broken_task
from rules.options import usage
from rules.stage import BUILD, Resolved, always, brings_model, located, pipeline, stem
from rules.workers import GATHERS


def nothing_to_do(command: str, resolved: Resolved) -> str:
    """Why ``command`` is for specs that have their network trained, or searched for."""
    found, done = ("[model]", "trained") if brings_model(resolved) else ("arch", "searched for")
    return (
        f"found {found} in the spec: its network is not {done} here, so there is nothing for doit {command} to do; "
        f"name a spec without {found}."
    )


@dataclass(frozen=True)
class Command:
    """A command, as plain data."""

    name: str
    doc: str
    """With {} for the spec."""
    work: Callable[[Resolved], Mapping[str, Any] | None] | None
    """None where the builds that it derives are judged one by one, and beside each other when all are."""
    needs: tuple[str, ...] | Callable[[Resolved], tuple[str, ...]] = ()
    """Artifacts of the spec that are built first; a function where variables of the command say which."""
    optional: tuple[str, ...] | Callable[[Resolved], tuple[str, ...]] = ()
    """Artifacts that are built first as well, where the spec has a stage that writes them."""
    serves: Callable[[Resolved], bool] = always
    """Whether a spec has this command."""
    derives: Callable[[Resolved], Comparison] | None = None
    """What it compares, where that is builds of their own, which come first."""
    follows: bool = False
    """Whether it shows what the stage of that name has found, and so is part of its task of doit, which refuses."""

    def tasks(
        self,
        specs: Iterable[Resolved],
        broken: Mapping[str, str],
        named: Collection[str],
        compared: Mapping[str, Comparison | BuildError] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """A doit task for each of the specs that has this command, and a refusal for others that are ``named``.

        Args:
            specs: the valid ones.
            broken: why others are not valid, by name.
            named: on the command line.
            compared: what the command compares, by the spec's name, or why it can't; None where nobody asks for that.
        """
        if not self.follows:
            doc = ": ".join(filter(None, [self.doc.format("a spec"), usage(self.name)]))
            yield {"basename": self.name, "name": None, "doc": doc}
        for resolved in specs:
            if self.serves(resolved):
                yield from self._comparing(resolved, (compared or {}).get(resolved["spec"]["name"]))
            elif stem(resolved) in named and not self.follows:
                yield self._task(resolved, self._refuse, [])
        if not self.follows:
            yield from (broken_task(self.name, name, reason) for name, reason in broken.items())

    def _comparing(self, resolved: Resolved, compared: Comparison | BuildError | None) -> Iterator[dict[str, Any]]:
        """The task, which waits for what is compared; and one that says what that is as far as others tell it first."""
        task = self._task(resolved, self.work, self._files(resolved))
        if isinstance(compared, BuildError):
            yield broken_task(self.name, task["name"], str(compared))
            return
        if compared is not None:
            task["task_dep"] = [*chain(*map(self._waits, compared.first))]
            if self.work is not None:
                task["meta"] = GATHERS
            if compared.possible:
                choose = self._task(
                    resolved, lambda _: {"task_dep": [*chain(*map(self._waits, compared.choice()))]}, []
                )
                choose |= {"name": f"{task['name']}/choice", "task_dep": task["task_dep"], "meta": GATHERS}
                task["calc_dep"] = [f"{self.name}:{choose['name']}"]
                yield choose
        yield task

    def _waits(self, build: Resolved) -> list[str]:
        """The tasks of a build that come first: all its stages, or, where that is all there is to do, its judgement."""
        return tasks_of(build) if self.work else [f"build:{build['spec']['name']}"]

    def _task(
        self, resolved: Resolved, work: Callable[[Resolved], Mapping[str, Any] | None] | None, files: list[str]
    ) -> dict[str, Any]:
        spec = resolved["spec"]["name"]
        name = f"{spec}/table" if self.follows else spec
        return {
            "basename": self.name,
            "name": name,
            "doc": self.doc.format(spec),
            "actions": [(run, [f"{self.name}:{name}", lambda: work(resolved)])] if work else None,
            "file_dep": files,
            "uptodate": [False],
            "verbosity": 2,
        }

    def _files(self, resolved: Resolved) -> list[str]:
        needs, optional = (one(resolved) if callable(one) else one for one in (self.needs, self.optional))
        wanted = [*needs]
        if optional:
            known = {name for stage in pipeline(STAGES, resolved) for name in (*stage.inputs, *stage.outputs)}
            wanted += [name for name in optional if name in known]
        return [str(located(name, resolved, BUILD / resolved["spec"]["name"])) for name in wanted]

    def _refuse(self, resolved: Resolved) -> None:
        raise BuildError(nothing_to_do(self.name, resolved))


def compared(command: Command, specs: Iterable[Resolved]) -> dict[str, Comparison | BuildError]:
    """What ``command`` compares for each of the specs that has it, by name, or why it can't."""
    found = dict[str, Comparison | BuildError]()
    for resolved in specs:
        if command.derives is not None and command.serves(resolved):
            try:
                found[resolved["spec"]["name"]] = command.derives(resolved)
            except BuildError as error:
                found[resolved["spec"]["name"]] = error
    return found


def with_derived(specs: Iterable[Resolved], comparisons: Iterable[Comparison | BuildError]) -> list[Resolved]:
    """The builds of ``specs`` and of ``comparisons``: where these have one of them whole, as they have it.

    Raises:
        BuildError: two builds have the same name.
    """
    builds = {resolved["spec"]["name"]: resolved for resolved in specs}
    found = [(*one.first, *one.possible) for one in comparisons if isinstance(one, Comparison)]
    for one in chain(*found):
        name = one["spec"]["name"]
        other = builds.get(name, one)
        if one["file"] != other["file"]:
            raise BuildError(f"{other['file']}: a build that is compared with {one['file']} has its name; rename it.")
        builds[name] = other if "stages" in one else one
    return [*builds.values()]
