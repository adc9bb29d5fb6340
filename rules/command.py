"""Commands about a spec: ``doit <command> spec=<file>`` does them whenever it is asked to and keeps no result."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mcubuild.errors import BuildError
from rules.commands.bench import run
from rules.graph import STAGES, broken_task
from rules.options import usage
from rules.stage import BUILD, Resolved, always, brings_model, located, pipeline, stem


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
    work: Callable[[Resolved], None]
    needs: tuple[str, ...] | Callable[[Resolved], tuple[str, ...]] = ()
    """Artifacts of the spec that are built first; a function where variables of the command say which."""
    optional: tuple[str, ...] | Callable[[Resolved], tuple[str, ...]] = ()
    """Artifacts that are built first as well, where the spec has a stage that writes them."""
    serves: Callable[[Resolved], bool] = always
    """Whether a spec has this command."""
    follows: bool = False
    """Whether it shows what the stage of that name has found, and so is part of its task of doit, which refuses."""

    def tasks(
        self, specs: Iterable[Resolved], broken: Mapping[str, str], named: Collection[str]
    ) -> Iterator[dict[str, Any]]:
        """A doit task for each of the specs that has this command, and a refusal for others that are ``named``."""
        if not self.follows:
            doc = ": ".join(filter(None, [self.doc.format("a spec"), usage(self.name)]))
            yield {"basename": self.name, "name": None, "doc": doc}
        for resolved in specs:
            if self.serves(resolved):
                yield self._task(resolved, self.work, self._files(resolved))
            elif stem(resolved) in named and not self.follows:
                yield self._task(resolved, self._refuse, [])
        if not self.follows:
            yield from (broken_task(self.name, name, reason) for name, reason in broken.items())

    def _task(self, resolved: Resolved, work: Callable[[Resolved], None], files: list[str]) -> dict[str, Any]:
        spec = resolved["spec"]["name"]
        name = f"{spec}/table" if self.follows else spec
        return {
            "basename": self.name,
            "name": name,
            "doc": self.doc.format(spec),
            "actions": [(run, [f"{self.name}:{name}", lambda: work(resolved)])],
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
