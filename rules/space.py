"""space: which width and resolution suit the board (TinyNAS, first half)."""

from rules.stage import Job, Stage, searches


def _run(job: Job) -> None:
    from mcubuild.data.splits import read_index
    from mcubuild.nas.space import optimise

    optimise(
        read_index(job.file("index.json")),
        job["board"],
        job["space"],
        job["engine"],
        budget=job["budget"],
        stack=job["firmware.stack"],
        bits=job["bits"],
        seed=job["seed"],
        out=job.out,
    )


STAGE = Stage(
    name="space",
    doc="search spaces sampled, scheduled and compared",
    inputs=("index.json",),
    outputs=("space.json", "space_table.json"),
    settings=("board", "space", "engine", "budget", "firmware.stack", "bits", "seed"),
    run=_run,
    serves=searches,
    ignored=("engine.tune", "budget.accuracy", "budget.strict"),
)
