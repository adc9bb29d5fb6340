"""How long the build of a spec takes on this machine: told before its first long stage."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rules import margin
from rules.stage import Resolved, Stage, scales

if TYPE_CHECKING:  # torch is not imported while the graph is built
    from mcubuild.nas.forecast import Part

LONG = ("supernet", "search", "finetune", "scale", "train")
"""Stages before which it is told."""
_told: set[Path] = set()
"""Folders of specs whose time this process has told already."""


def announce(stage: Stage, resolved: Resolved, folder: Path) -> None:
    """Tell how long the build will take from ``stage`` on, if that is the first long one that this process makes.

    Args:
        stage: about to run.
        resolved: the spec.
        folder: of the spec's artifacts.
    """
    if stage.name not in LONG or folder in _told:
        return
    _told.add(folder)
    from mcubuild.nas.forecast import told

    stages = resolved.get("stages")
    wanted = [part for part in parts(resolved, folder) if stages is None or part.stage in stages]
    if text := told(wanted, stage.name):
        print(f"  {resolved['spec']['name']}: {text}", file=sys.stderr, flush=True)


def parts(resolved: Resolved, folder: Path) -> list["Part"]:
    """The long stages of a spec that trains a network, whose data set (and space, if it searches) are in ``folder``."""
    from mcubuild.board import Board
    from mcubuild.data.inventory import read_inventory
    from mcubuild.data.splits import read_index, read_split
    from mcubuild.nas.augmentation import Variation
    from mcubuild.nas.family import Family
    from mcubuild.nas.files import read_neighbours, read_space
    from mcubuild.nas.forecast import published, searched
    from mcubuild.nas.margin import read_margin
    from mcubuild.spec.spec import Spec

    spec, board = Spec.model_validate(resolved["spec"]), Board.model_validate(resolved["board"])
    train, val = (read_split(folder / f"{name}.npz") for name in ("train", "val"))
    tested = read_inventory(folder / "inventory.json").splits["test"]
    assert spec.dataset is not None
    vary = Variation(str(spec.task), spec.dataset.mirror)
    known = read_margin(folder / "margin.json" if margin.STAGE.serves(resolved) else None)
    if scales(resolved):
        return list(published(spec, board, read_index(folder / "index.json"), train, val, tested, vary, known))
    family = Family(read_space(folder / "space.json"), read_neighbours(folder / "space.json"))
    return list(searched(spec, board, family, train, val, tested, vary, known))
