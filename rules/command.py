"""Commands about a spec: ``doit <command> spec=<file>`` does them whenever it is asked to and keeps no result."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from rules.bench import run
from rules.graph import BUILD
from rules.stage import Resolved, always


@dataclass(frozen=True)
class Command:
    """A command, as plain data."""

    name: str
    doc: str
    """With {} for the spec."""
    work: Callable[[Resolved], None]
    needs: tuple[str, ...] = ()
    """Artifacts of the spec that are built first."""
    serves: Callable[[Resolved], bool] = always
    """Whether a spec has this command."""
    follows: bool = False
    """Whether it shows what the stage of that name has found, and so belongs to the same task of doit."""
    arguments: str = ""
    """Of the command line, for the help."""

    def tasks(self, specs: Iterable[Resolved]) -> Iterator[dict[str, Any]]:
        """A doit task for each of the specs that has this command."""
        if not self.follows:
            doc = ": ".join(filter(None, [self.doc.format("a spec"), self.arguments]))
            yield {"basename": self.name, "name": None, "doc": doc}
        for resolved in filter(self.serves, specs):
            spec = resolved["spec"]["name"]
            name = f"{spec}/table" if self.follows else spec
            yield {
                "basename": self.name,
                "name": name,
                "doc": self.doc.format(spec),
                "actions": [(run, [f"{self.name}:{name}", lambda resolved=resolved: self.work(resolved)])],
                "file_dep": [str(BUILD / spec / artifact) for artifact in self.needs],
                "uptodate": [False],
                "verbosity": 2,
            }
