"""choose: the network to build, of those that the search found.

Apart from the search, so that choosing another one evaluates nothing again.
"""

from rules.job import Job
from rules.stage import Stage, searches


def _run(job: Job) -> None:
    from mcubuild.nas.search.choice import choose
    from mcubuild.nas.space.family import Family
    from mcubuild.nas.space.files import read_neighbours, read_space

    space = job.file("space.json")
    choose(Family(read_space(space), read_neighbours(space)), job.file("search.json"), job["search.choose"], job.out)


STAGE = Stage(
    name="choose",
    doc="the network to build, of those that the search found",
    inputs=("space.json", "search.json"),
    outputs=("arch.json",),
    settings=("search.choose",),
    run=_run,
    serves=searches,
)
