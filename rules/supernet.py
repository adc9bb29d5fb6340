"""supernet: one network whose parts are all networks of the space (TinyNAS, second half)."""

from rules.stage import Job, Stage, searches


def _run(job: Job) -> None:
    from mcubuild.data.splits import read_split
    from mcubuild.nas.files import read_space
    from mcubuild.nas.supernet import train

    train(
        read_space(job.file("space.json")),
        read_split(job.file("train.npz")),
        read_split(job.file("val.npz")),
        job["supernet"],
        task=job["task"],
        seed=job["seed"],
        out=job.out,
        work=job.work,
    )


STAGE = Stage(
    name="supernet",
    doc="weight-shared super network trained",
    inputs=("train.npz", "val.npz", "space.json"),
    outputs=("supernet.safetensors", "supernet_log.json"),
    settings=("supernet", "task", "seed"),
    run=_run,
    serves=searches,
)
