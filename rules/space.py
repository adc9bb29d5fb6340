"""space: which width and resolution suit the board (TinyNAS, first half)."""

from rules.outline import OUTLINE
from rules.stage import POWER, QUALITY, UNNAMED, Job, Stage, searches


def _run(job: Job) -> None:
    from mcubuild.nas.space.files import read_space
    from mcubuild.nas.space.margin import read_margin
    from mcubuild.nas.space.optimisation import optimise
    from mcubuild.spec.outline import read_outline

    optimise(
        read_outline(job.file(OUTLINE)),
        job["board"],
        job["space"],
        job["engine"],
        budget=job["budget"],
        stack=job["firmware.stack"],
        bits=job["bits.weights"],
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
    settings=("board", "space", "engine", "budget", "firmware.stack", "bits.weights", "seed"),
    run=_run,
    serves=searches,
    ignored=("engine.tune", *QUALITY, *UNNAMED),
    ignored_without_energy=POWER,
)
