"""outline: what networks for a data set depend on; where the spec alone says it, no data is needed for it."""

from rules.job import Job
from rules.own_code import libraries, own_code
from rules.stage import Stage, trains
from rules.stages.dataset import foretells

OUTLINE = "outline.json"


def _run(job: Job) -> None:
    from dataclasses import replace

    from mcubuild.data.splits import read_index
    from mcubuild.spec.datasets.base import DatasetSettings
    from mcubuild.spec.outline import write_outline

    index = job.find("index.json")
    if index is not None:
        outline = read_index(index).outline
    else:
        settings: DatasetSettings = job["dataset"]
        told = settings.outline()
        assert told is not None  # the stage has no samples to read, as foretells says
        outline = told
        if job["task"] == "object_detection":
            outline = replace(outline, anchors=job["detection.anchors"], stride=job["detection.stride"])
    write_outline(outline, job.out / OUTLINE)


STAGE = Stage(
    name="outline",
    doc="number of classes and sizes of the samples",
    inputs=("index.json",),
    needless=lambda resolved: ("index.json",) if foretells(resolved) else (),
    outputs=(OUTLINE,),
    settings=("task", "dataset", "detection.anchors", "detection.stride"),
    run=_run,
    owns=own_code,
    identities=libraries,
    serves=trains,
)
