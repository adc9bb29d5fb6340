"""train: a network trained from scratch, for as many epochs as a searched one has behind it."""

from rules.stage import Job, Stage, scales
from rules.supernet import SHARING


def _run(job: Job) -> None:
    from mcubuild.data.splits import read_index, read_split
    from mcubuild.nas.augmentation import Variation
    from mcubuild.nas.described import read_described
    from mcubuild.nas.scratch import full, train_from_scratch

    train_from_scratch(
        read_described(job.file("arch.json")),
        read_split(job.file("train.npz")),
        read_split(job.file("val.npz")),
        full(job["supernet"], job["finetune.epochs"]),
        vary=Variation.of(read_index(job.file("index.json"))),
        seed=job["seed"],
        out=job.out,
        work=job.work,
    )


STAGE = Stage(
    name="train",
    doc="network trained from scratch",
    inputs=("index.json", "train.npz", "val.npz", "arch.json"),
    outputs=("weights.safetensors", "train_log.json"),
    settings=("supernet", "finetune.epochs", "seed"),
    run=_run,
    serves=scales,
    ignored=SHARING,
)
