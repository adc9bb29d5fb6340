"""rest: how long what follows the race may be, for the space that won it, to keep the time that the spec gives."""

from rules.job import Job
from rules.stage import POWER, QUALITY, UNNAMED, Stage
from rules.stages import pace


def _run(job: Job) -> None:
    from mcubuild.artifacts import read_artifact
    from mcubuild.artifacts.margin import read_margin
    from mcubuild.artifacts.spaces import Race
    from mcubuild.data.splits import read_index, read_split
    from mcubuild.nas.forecast import PACED, Amounts, rates, searched
    from mcubuild.nas.pace import KNOWN, write_pace
    from mcubuild.nas.space.family import Family
    from mcubuild.nas.space.files import read_neighbours, read_space
    from mcubuild.tasks.learning import learning

    spec, board, index, space = job["spec"], job["board"], read_index(job.file("index.json")), job.file("space.json")
    train, val = (read_split(job.file(f"{name}.npz")) for name in ("train", "val"))
    family = Family(read_space(space), read_neighbours(space))
    working = rates(spec, board, family, train, val, learning(index), read_margin(job.find("margin.json")))
    amounts = Amounts(len(train), len(val), 0, index.one_draw)

    def forecast(factor: float) -> dict[str, float]:
        parts = searched(spec, working, amounts, factor)
        return {part.stage: part.seconds for part in parts if part.stage in PACED}

    raced = read_artifact(job.file("race.json"), Race).seconds
    assert raced is not None  # as a time is given
    write_pace(job["search.time"] - raced, forecast, job.out / "rest.json", planned=KNOWN)


STAGE = Stage(
    name="rest",
    doc="trainings and search timed again for the space that won, for the time that the race has left",
    inputs=("index.json", "train.npz", "val.npz", "pace.json", "race.json", "space.json"),
    optional=("margin.json",),
    outputs=("rest.json",),
    settings=("spec", "search.time", "board"),
    run=_run,
    serves=pace.timed,
    ignored=("report", "measure", "quantize", "search.choose", "engine.tune", *QUALITY, *UNNAMED),
    ignored_without_energy=POWER,
)
