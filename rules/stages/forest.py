"""forest: the random forest that a beginner tries first on a spec's data, for comparison."""

from rules.job import Job
from rules.stage import Stage, listed

NAME = "forest"


def _run(job: Job) -> None:
    from mcubuild.data.splits import joined, read_split
    from mcubuild.nas.space.files import write_json
    from mcubuild.nas.training.beginner import random_forest

    samples = joined(*map(read_split, map(job.file, ("train.npz", "val.npz"))))
    found = random_forest(samples, read_split(job.file("test.npz")), seed=job["seed"])
    write_json({"accuracy": found}, job.out / "forest.json")


STAGE = Stage(
    name=NAME,
    doc="a random forest on the pixels",
    inputs=("train.npz", "val.npz", "test.npz"),
    outputs=("forest.json",),
    settings=("seed",),
    run=_run,
    serves=listed(NAME),
)
