"""space: which width and resolution suit the board (TinyNAS, first half)."""

from rules.job import DEPLOYMENT, Job
from rules.stage import COMPILING, POWER, QUALITY, UNNAMED, Stage, searches
from rules.stages.outline import OUTLINE


def _run(job: Job) -> None:
    from mcubuild.artifacts.margin import read_margin
    from mcubuild.nas.space.files import read_space
    from mcubuild.nas.space.optimisation import optimise
    from mcubuild.spec.outline import read_outline

    optimise(
        read_outline(job.file(OUTLINE)),
        job["space"],
        job.deployment,
        seed=job["seed"],
        out=job.out,
        margin=read_margin(job.find("margin.json")),
        start=read_space(start) if (start := job.find("start/space.json")) else None,
    )


STAGE = Stage(
    name="space",
    doc="search spaces sampled, scheduled and compared",
    inputs=(OUTLINE,),
    optional=("margin.json", "start/space.json"),
    outputs=("contenders.json", "space_table.json"),
    settings=("space", *DEPLOYMENT, "seed"),
    run=_run,
    serves=searches,
    ignored=("engine.tune", *COMPILING, *QUALITY, *UNNAMED),
    ignored_without_energy=POWER,
)
