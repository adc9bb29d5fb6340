"""finetune: the chosen network trained on its own."""

from rules.job import Job
from rules.stage import Stage, searches


def _run(job: Job) -> None:
    from mcubuild.data.splits import read_index, read_split
    from mcubuild.nas.pace import read_factor
    from mcubuild.nas.space.files import read_arch, read_neighbours, read_space
    from mcubuild.nas.training.batches import for_the_last_training
    from mcubuild.nas.training.finetune import finetune
    from mcubuild.nas.training.length import ALONE
    from mcubuild.tasks.learning import learning

    space, index = job.file("space.json"), read_index(job.file("index.json"))
    samples = [read_split(job.file(f"{name}.npz")) for name in ("train", "val")]
    finetune(
        read_arch(job.file("arch.json")),
        job.file("supernet.safetensors"),
        *for_the_last_training(*samples, one_draw=index.one_draw),
        job["finetune"],
        learning=learning(index),
        seed=job["seed"],
        out=job.out,
        work=job.work,
        spaces=(read_space(space), *read_neighbours(space)),
        pace=ALONE * read_factor(job.find("rest.json")),
    )


STAGE = Stage(
    name="finetune",
    doc="chosen network fine-tuned",
    inputs=("index.json", "train.npz", "val.npz", "space.json", "arch.json", "supernet.safetensors"),
    optional=("rest.json",),
    outputs=("weights.safetensors", "finetune_log.json"),
    settings=("finetune", "seed"),
    run=_run,
    serves=searches,
)
