"""COCO's annotations with damaged bytes."""

import tempfile
from functools import cache
from pathlib import Path
from random import Random

from mcubuild.data.coco import images_with, read_instances
from mcubuild.data.files import PathFile
from tests.data.coco import write_coco
from tests.trials.mutation import mutate, named

COUNT = 3000
PATIENCE = 5.0


@cache
def content() -> bytes:
    """An undamaged file."""
    with tempfile.TemporaryDirectory() as folder:
        return (write_coco(Path(folder)) / "annotations" / "instances_val2017.json").read_bytes()


def trial(rng: Random, folder: Path) -> None:
    """Read mutated annotations, and label the images."""
    path = folder / "instances_val2017.json"
    path.write_bytes(mutate(content(), rng))
    file = PathFile(path, path.name)
    with named(path):
        images_with(read_instances(file), ["person"], "area", 0.005, file)
