"""start: the weights that the super network begins with, from the build of the spec that this one starts from."""

from rules.job import Job
from rules.stage import Stage, starts


def _run(job: Job) -> None:
    from mcubuild.data.splits import read_index
    from mcubuild.nas.space.family import Family
    from mcubuild.nas.space.files import read_neighbours, read_space
    from mcubuild.nas.training.transfer import read_known, warm_start

    space = job.file("space.json")
    warm_start(
        read_known(*(job.file(name) for name in KNOWN)),
        Family(read_space(space), read_neighbours(space)).largest,
        read_index(job.file("index.json")).classes,
        kernel_transform=job["supernet.kernel_transform"],
        seed=job["seed"],
        out=job.out,
    )


KNOWN = ("start/space.json", "start/index.json", "start/supernet.safetensors")
"""What the other build has learned."""

STAGE = Stage(
    name="start",
    doc="weights carried over from the spec that this one starts from",
    inputs=("index.json", "space.json", *KNOWN),
    outputs=("start.safetensors", "start.json"),
    settings=("supernet.kernel_transform", "seed"),
    run=_run,
    serves=starts,
)
