"""How fast the super network of a spec trains on this machine: ``doit throughput spec=<file>``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rules import supernet
from rules.bench import run
from rules.graph import BUILD
from rules.resolve import resolve
from rules.stage import Resolved, searches

_STEPS = 10


def _measure(resolved: Resolved) -> None:
    from mcubuild.data.splits import read_split
    from mcubuild.nas.augmentation import Variation
    from mcubuild.nas.family import Family
    from mcubuild.nas.files import read_neighbours, read_space
    from mcubuild.nas.throughput import lines, measure
    from mcubuild.spec.spec import Spec

    spec = Spec.model_validate(resolved["spec"])
    folder = BUILD / spec.name
    assert spec.dataset is not None
    vary = Variation(str(spec.task), spec.dataset.mirror)
    path, train = folder / "space.json", read_split(folder / "train.npz")
    space = read_space(path)
    found = measure(Family(space, read_neighbours(path)), train, spec.supernet, vary=vary, steps=_STEPS)
    print("", f"{spec.name}: {space.name}, {spec.supernet.subnets + 2} networks a step", *lines(found), sep="\n")


def tasks(specs: list[Path]) -> Iterator[dict[str, Any]]:
    """A doit task for each spec that has a super network.

    Raises:
        BuildError: a spec is not valid.
    """
    yield {"basename": "throughput", "name": None, "doc": "how fast the super network of a spec trains here"}
    for resolved in filter(searches, (resolve(path, BUILD / ".specs") for path in specs)):
        name = resolved["spec"]["name"]
        yield {
            "basename": "throughput",
            "name": name,
            "doc": f"how fast the super network of {name} trains here",
            "actions": [(run, [f"throughput:{name}", lambda resolved=resolved: _measure(resolved)])],
            "file_dep": [str(BUILD / name / artifact) for artifact in supernet.STAGE.inputs],
            "uptodate": [False],
            "verbosity": 2,
        }
