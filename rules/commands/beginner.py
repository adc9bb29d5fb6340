"""What a beginner tries first on a spec's data, for comparison: a plain network, and a random forest."""

from rules.job import Job
from rules.stage import Stage

_READ = ("index.json", "train.npz", "val.npz", "test.npz")


def _plain(job: Job) -> None:
    from mcubuild.data.splits import joined, read_index, read_split
    from mcubuild.nas.space.files import write_json
    from mcubuild.nas.training.beginner import plain_network

    samples, test = joined(*map(read_split, map(job.file, ("train.npz", "val.npz")))), read_split(job.file("test.npz"))
    index = read_index(job.file("index.json"))
    options = {"task": index.task, "mirror": index.mirror, "seed": job["seed"]}
    write_json({"accuracy": plain_network(samples, test, len(index.classes), **options)}, job.out / "plain.json")


def _forest(job: Job) -> None:
    from mcubuild.data.splits import joined, read_split
    from mcubuild.nas.space.files import write_json
    from mcubuild.nas.training.beginner import random_forest

    samples = joined(*map(read_split, map(job.file, ("train.npz", "val.npz"))))
    found = random_forest(samples, read_split(job.file("test.npz")), seed=job["seed"])
    write_json({"accuracy": found}, job.out / "forest.json")


PLAIN = Stage(
    name="plain",
    doc="three convolutions, as a beginner trains them",
    inputs=_READ,
    outputs=("plain.json",),
    settings=("seed",),
    run=_plain,
)
FOREST = Stage(
    name="forest",
    doc="a random forest on the pixels",
    inputs=_READ[1:],
    outputs=("forest.json",),
    settings=("seed",),
    run=_forest,
)
