"""pace: how long trainings and search may be to keep the time that the spec gives; found by timing them here."""

from rules.job import Job
from rules.stage import POWER, QUALITY, UNNAMED, Resolved, Stage, searches


def _run(job: Job) -> None:
    from mcubuild.artifacts.margin import read_margin
    from mcubuild.data.splits import read_index, read_split
    from mcubuild.errors import tell
    from mcubuild.nas.forecast import PACED, Amounts, race_rate, raced, rates, searched, typical
    from mcubuild.nas.pace import GUESSED, write_pace
    from mcubuild.nas.space.contender import read_contenders
    from mcubuild.tasks.learning import learning
    from mcubuild.units import format_time

    index, contenders = read_index(job.file("index.json")), read_contenders(job.file("contenders.json"))
    train, val = (read_split(job.file(f"{name}.npz")) for name in ("train", "val"))
    taught, margin = learning(index), read_margin(job.find("margin.json"))
    spec, board = job["spec"], job["board"]

    amounts = Amounts(len(train), len(val), 0, index.one_draw)
    racing = race_rate(contenders, spec, train, taught) if len(contenders) > 1 else 0.0
    working = rates(spec, board, typical(contenders), train, val, taught, margin)

    def forecast(factor: float) -> dict[str, float]:
        parts = [
            raced(spec, len(contenders), racing, amounts, factor),
            *searched(spec, working, amounts, factor),
        ]
        return {part.stage: part.seconds for part in parts if part.stage in PACED}

    seconds = write_pace(job["search.time"], forecast, job.out / "pace.json", planned=GUESSED)
    if seconds > job["search.time"]:
        tell(
            f"{job.spec.name}: search.time: {format_time(job['search.time'])} is too short on this machine, busy as it "
            f"is: the shortest race, trainings and search take about {format_time(seconds)}; write that, or more."
        )


def timed(resolved: Resolved) -> bool:
    """Whether the spec says how long the search for a network may take."""
    return searches(resolved) and resolved["spec"]["search"]["time"] is not None


STAGE = Stage(
    name="pace",
    doc="trainings and search timed, to keep the time that the spec gives",
    inputs=("index.json", "train.npz", "val.npz", "contenders.json"),
    optional=("margin.json",),
    outputs=("pace.json",),
    settings=("spec", "search.time", "board"),
    run=_run,
    serves=timed,
    ignored=("report", "measure", "quantize", "search.choose", "engine.tune", *QUALITY, *UNNAMED),
    ignored_without_energy=POWER,
)
