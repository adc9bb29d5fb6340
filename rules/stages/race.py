"""race: which of the spaces that fit suits the samples, by short trainings."""

from rules.job import Job
from rules.stage import Stage, searches
from rules.stages.supernet import SHARING


def _run(job: Job) -> None:
    from mcubuild.data.splits import read_index, read_split
    from mcubuild.nas.pace import read_factor
    from mcubuild.nas.search.race import race
    from mcubuild.nas.space.contender import read_contenders
    from mcubuild.nas.training.length import ALONE, SUPERNET
    from mcubuild.nas.training.scratch import reduced
    from mcubuild.tasks.learning import learning

    index = read_index(job.file("index.json"))
    race(
        read_contenders(job.file("contenders.json")),
        read_split(job.file("train.npz")),
        read_split(job.file("val.npz")),
        reduced(job["supernet"], job["supernet"].epochs),
        one_draw=index.one_draw,
        learning=learning(index),
        seed=job["seed"],
        out=job.out,
        work=job.work,
        pace=(SUPERNET + ALONE) * read_factor(job.find("pace.json")),
        timed=job.find("pace.json") is not None,
    )


STAGE = Stage(
    name="race",
    doc="short trainings to find the search space",
    inputs=("index.json", "train.npz", "val.npz", "contenders.json"),
    optional=("pace.json",),
    outputs=("space.json", "race.json"),
    settings=("supernet", "seed"),
    run=_run,
    serves=searches,
    ignored=SHARING,
)
