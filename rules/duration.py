"""How long the build of a spec takes on this machine: told before its first long stage."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from mcubuild.errors import tell
from rules.stage import Resolved, Stage, located, scales
from rules.stages import margin, pace, race

if TYPE_CHECKING:  # torch is not imported while the graph is built
    from mcubuild.nas.forecast import Part

LONG = ("race", "supernet", "search", "finetune", "scale", "train")
"""Stages before which it is told."""
_forecasts: dict[tuple[Path, bool], list["Part"]] = {}
"""By folder of a spec, and whether its search space was known: what this process has told."""


@contextmanager
def told(stage: Stage, resolved: Resolved, folder: Path) -> Iterator[None]:
    """Tell how long the build will take from ``stage`` on, if that is the first long one that this process makes.

    While a long stage runs, it is told once more if its first steps show that it takes another time. Of builds with
    some stages alone, for a comparison, nothing is told, nor timed for it: they are many.

    Args:
        stage: about to run.
        resolved: the spec.
        folder: of the spec's artifacts.
    """
    if stage.name not in LONG or (resolved.get("part") and "stages" in resolved):
        yield
        return
    from mcubuild.nas import forecast
    from mcubuild.progress import expecting

    name, known = resolved["spec"]["name"], stage.name != race.STAGE.name
    if (folder, known) not in _forecasts:
        needed = resolved.get("stages")
        found = parts(resolved, folder, known=known)
        _forecasts[folder, known] = [part for part in found if needed is None or part.stage in needed]
        if text := forecast.told(_forecasts[folder, known], stage.name):
            tell(f"{name}: {text}")
    found = _forecasts[folder, known]

    def differs(seconds: float, left: float) -> None:
        tell(f"{name}: {forecast.corrected(found, stage.name, seconds, left)}")

    expected = sum(part.seconds for part in found if part.stage == stage.name)
    with expecting(stage.name, expected, differs) if expected else nullcontext():
        yield


def parts(resolved: Resolved, folder: Path, *, known: bool) -> list["Part"]:
    """The long stages of a spec that trains a network, whose data set (and space, if it searches) are in ``folder``.

    If the space is not ``known`` yet, the race for it is the first of them.
    """
    from mcubuild.artifacts.margin import read_margin
    from mcubuild.board import Board
    from mcubuild.data.inventory import read_inventory
    from mcubuild.data.splits import read_index, read_split
    from mcubuild.nas.forecast import Amounts, published, race_rate, raced, rates, searched, typical
    from mcubuild.nas.pace import read_factor
    from mcubuild.nas.space.contender import read_contenders
    from mcubuild.nas.space.family import Family
    from mcubuild.nas.space.files import read_neighbours, read_space
    from mcubuild.spec.spec import Spec
    from mcubuild.tasks.learning import learning

    def at(name: str) -> Path:
        return located(name, resolved, folder)

    spec, board = Spec.model_validate(resolved["spec"]), Board.model_validate(resolved["board"])
    train, val = (read_split(at(f"{name}.npz")) for name in ("train", "val"))
    tested = read_inventory(at("inventory.json")).splits["test"]
    index = read_index(at("index.json"))
    taught = learning(index)
    asked = read_margin(at("margin.json") if margin.STAGE.serves(resolved) else None)
    if scales(resolved):
        return list(published(spec, board, index, train, val, tested, taught, asked))
    timed = at("rest.json" if known else "pace.json")
    factor = read_factor(timed if pace.STAGE.serves(resolved) else None)
    amounts = Amounts(len(train), len(val), tested, index.one_draw)
    if known:
        family, before = Family(read_space(at("space.json")), read_neighbours(at("space.json"))), []
    else:
        contenders = read_contenders(at("contenders.json"))
        family, count = typical(contenders), len(contenders)
        racing = race_rate(contenders, spec, train, taught) if count > 1 else 0.0
        before = [raced(spec, count, racing, amounts, factor)]
    working = rates(spec, board, family, train, val, taught, asked)
    return [*before, *searched(spec, working, amounts, factor)]
