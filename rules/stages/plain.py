"""plain: the network that a beginner tries first on a spec's data, for comparison."""

from rules.job import Job
from rules.stage import Stage, listed

NAME = "plain"


def _run(job: Job) -> None:
    from mcubuild.data.splits import joined, read_index, read_split
    from mcubuild.nas.space.files import write_json
    from mcubuild.nas.training.beginner import plain_network

    samples, test = joined(*map(read_split, map(job.file, ("train.npz", "val.npz")))), read_split(job.file("test.npz"))
    index = read_index(job.file("index.json"))
    options = {"task": index.task, "mirror": index.mirror, "seed": job["seed"]}
    write_json({"accuracy": plain_network(samples, test, len(index.classes), **options)}, job.out / "plain.json")


STAGE = Stage(
    name=NAME,
    doc="three convolutions, as a beginner trains them",
    inputs=("index.json", "train.npz", "val.npz", "test.npz"),
    outputs=("plain.json",),
    settings=("seed",),
    run=_run,
    serves=listed(NAME),
)
