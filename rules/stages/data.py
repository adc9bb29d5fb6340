"""data: a page to look at what the data set has."""

from rules.job import Job
from rules.stage import Stage
from rules.stages.dataset import OVERVIEW, has_samples


def _run(job: Job) -> None:
    from mcubuild.data.inventory import read_inventory
    from mcubuild.data.overview import read_overview
    from mcubuild.data.splits import read_index
    from mcubuild.report.data import render

    page = render(
        job["name"],
        read_index(job.file("index.json")),
        read_inventory(job.file("inventory.json")),
        read_overview(*map(job.file, OVERVIEW)),
    )
    (job.out / "data.html").write_text(page, encoding="utf-8")


STAGE = Stage(
    name="data",
    doc="counts and samples of the data set, to be looked at",
    inputs=("index.json", "inventory.json", *OVERVIEW),
    outputs=("data.html",),
    settings=("name",),
    run=_run,
    templates=tuple(f"mcubuild/report/templates/{name}" for name in ("data.html.j2", "chart.html.j2", "style.css")),
    serves=has_samples,
)
