"""supernet: one network whose parts are all networks of the space (TinyNAS, second half)."""

from rules.job import Job
from rules.stage import Stage, searches


def _run(job: Job) -> None:
    from mcubuild.data.splits import read_index, read_split
    from mcubuild.nas.pace import read_factor
    from mcubuild.nas.space.files import read_neighbours, read_space
    from mcubuild.nas.training.length import SUPERNET
    from mcubuild.nas.training.many import launch
    from mcubuild.nas.training.supernet_training import train
    from mcubuild.tasks.learning import learning

    space, learned, judged = (job.file(name) for name in ("space.json", "train.npz", "val.npz"))
    settings, taught, seed = job["supernet"], learning(read_index(job.file("index.json"))), job["seed"]
    pace, start = SUPERNET * read_factor(job.find("rest.json")), job.find("start.safetensors")
    if settings.processes > 1:
        place = {"out": job.out, "work": job.work}
        launch(space, learned, judged, settings, learning=taught, seed=seed, pace=pace, start=start, **place)
        return
    train(
        read_space(space),
        read_split(learned),
        read_split(judged),
        settings,
        learning=taught,
        seed=seed,
        out=job.out,
        work=job.work,
        neighbours=read_neighbours(space),
        pace=pace,
        start=start,
    )


SHARING = ("supernet.schedule", "supernet.subnets", "supernet.kernel_transform", "supernet.processes")
"""Settings that say nothing of how a network is trained alone."""

STAGE = Stage(
    name="supernet",
    doc="weight-shared super network trained",
    inputs=("index.json", "train.npz", "val.npz", "space.json"),
    optional=("rest.json", "start.safetensors"),
    outputs=("supernet.safetensors", "supernet_log.json"),
    settings=("supernet", "seed"),
    run=_run,
    serves=searches,
)
