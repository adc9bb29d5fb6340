"""scale: width and resolution of a published network that suit data and budget best."""

from rules.job import DEPLOYMENT, Job
from rules.stage import COMPILING, POWER, QUALITY, UNNAMED, Stage, scales
from rules.stages.supernet import SHARING


def _run(job: Job) -> None:
    from mcubuild.artifacts.margin import read_margin
    from mcubuild.data.splits import read_index, read_split
    from mcubuild.nas.search.scaling import scale
    from mcubuild.nas.training.scratch import reduced
    from mcubuild.tasks.learning import learning

    index = read_index(job.file("index.json"))
    scale(
        job["arch"],
        index,
        read_split(job.file("train.npz")),
        read_split(job.file("val.npz")),
        job["space"],
        reduced(job["supernet"], job["finetune.epochs"]),
        job.deployment,
        learning=learning(index),
        seed=job["seed"],
        out=job.out,
        work=job.work,
        margin=read_margin(job.find("margin.json")),
    )


STAGE = Stage(
    name="scale",
    doc="published network scaled down until it fits",
    inputs=("index.json", "train.npz", "val.npz"),
    optional=("margin.json",),
    outputs=("arch.json", "scaling.json"),
    settings=("arch", "space", "supernet", "finetune.epochs", *DEPLOYMENT, "seed"),
    run=_run,
    serves=scales,
    ignored=("engine.tune", *COMPILING, *QUALITY, "space.samples", "space.neighbours", *SHARING, *UNNAMED),
    ignored_without_energy=POWER,
)
