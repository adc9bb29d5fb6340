"""search: the networks of the space that suit data and budget best (TinyNAS, second half)."""

from rules.job import DEPLOYMENT, Job
from rules.stage import COMPILING, POWER, QUALITY, UNNAMED, Stage, searches


def _run(job: Job) -> None:
    from mcubuild.artifacts.margin import read_margin
    from mcubuild.data.splits import read_index, read_split
    from mcubuild.nas.pace import read_factor
    from mcubuild.nas.search.search import search
    from mcubuild.nas.space.files import read_neighbours, read_space
    from mcubuild.tasks.learning import learning

    search(
        read_space(job.file("space.json")),
        job.file("supernet.safetensors"),
        read_split(job.file("train.npz")),
        read_split(job.file("val.npz")),
        job["search"],
        job.deployment,
        learning=learning(read_index(job.file("index.json"))),
        seed=job["seed"],
        out=job.out,
        work=job.work,
        neighbours=read_neighbours(job.file("space.json")),
        margin=read_margin(job.find("margin.json")),
        factor=read_factor(job.find("rest.json")),
    )


STAGE = Stage(
    name="search",
    doc="evolutionary search under the budget",
    inputs=("index.json", "train.npz", "val.npz", "space.json", "supernet.safetensors"),
    optional=("margin.json", "rest.json"),
    outputs=("search.json",),
    settings=("search", *DEPLOYMENT, "seed"),
    run=_run,
    serves=searches,
    ignored=("engine.tune", *COMPILING, *QUALITY, "search.choose", "search.time", *UNNAMED),
    ignored_without_energy=POWER,
)
