"""train: a network trained from scratch, for as many epochs as a searched one has behind it."""

from rules.job import Job
from rules.stage import Resolved, Stage, listed, scales
from rules.stages.supernet import SHARING


def _run(job: Job) -> None:
    from mcubuild.data.splits import read_index, read_split
    from mcubuild.nas.space.described import read_described
    from mcubuild.nas.training.batches import for_the_last_training
    from mcubuild.nas.training.scratch import full, train_from_scratch
    from mcubuild.tasks.learning import learning

    index = read_index(job.file("index.json"))
    samples = [read_split(job.file(f"{name}.npz")) for name in ("train", "val")]
    train_from_scratch(
        read_described(job.file("arch.json")),
        *for_the_last_training(*samples, one_draw=index.one_draw),
        full(job["supernet"], job["finetune.epochs"]),
        learning=learning(index),
        seed=job["seed"],
        out=job.out,
        work=job.work,
    )


NAME = "train"


def _alone(resolved: Resolved) -> bool:
    """Networks of papers; and one that was searched for, where a build shows what it learns without the search."""
    return scales(resolved) or listed(NAME)(resolved)


STAGE = Stage(
    name=NAME,
    doc="network trained from scratch",
    inputs=("index.json", "train.npz", "val.npz", "arch.json"),
    outputs=("weights.safetensors", "train_log.json"),
    settings=("supernet", "finetune.epochs", "seed"),
    run=_run,
    serves=_alone,
    ignored=SHARING,
)
