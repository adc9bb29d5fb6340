"""dataset: samples found, verified and split."""

from pathlib import Path

from rules.fetch import fetch
from rules.job import Job
from rules.own_code import libraries, own_code
from rules.stage import Resolved, Stage

INDEX = "index.json"
OVERVIEW = ("overview.json", "overview.npz")


def _run(job: Job) -> None:
    from functools import partial

    from mcubuild.data.dataset import prepare
    from mcubuild.tasks.detection.head import detector

    count, stride, seed, task = job["detection.anchors"], job["detection.stride"], job["seed"], job["task"]
    # A detector that somebody brings has no task here: its head is not one for these boxes.
    head = partial(detector, count=count, stride=stride, seed=seed) if task == "object_detection" else None
    prepare(job["dataset"], job.root, seed, job.out, task, head)


def _sources(resolved: Resolved) -> dict[str, Path]:
    from mcubuild.data.kinds import kind

    settings = resolved["spec"]["dataset"]
    return kind(settings["kind"]).sources(settings, Path(resolved["folder"]))


def has_samples(resolved: Resolved) -> bool:
    """Whether the spec has a data set."""
    return resolved["spec"]["dataset"] is not None


def has_images(resolved: Resolved) -> bool:
    """Whether the samples are image files."""
    from mcubuild.data.kinds import kind

    settings = resolved["spec"]["dataset"]
    return settings is not None and kind(settings["kind"]).form == "images"


def missing(resolved: Resolved) -> str | None:
    """Why the data set cannot be read before it is fetched; None where it can, or nobody could fetch it."""
    from mcubuild.data import places
    from mcubuild.data.kinds import kind

    settings, root = resolved["spec"]["dataset"], Path(resolved["folder"])
    if settings is None or not (lacking := kind(settings["kind"]).lacking(settings, root)):
        return None
    return places.missing(settings["kind"], settings.get("path"), root, lacking)


def foretells(resolved: Resolved) -> bool:
    """Whether the spec says without the data what networks depend on."""
    from mcubuild.data.kinds import kind

    settings = resolved["spec"]["dataset"]
    return settings is not None and kind(settings["kind"]).foretold(settings)


STAGE = Stage(
    name="dataset",
    doc="samples found, verified and split",
    inputs=(),
    outputs=(INDEX, "inventory.json", *OVERVIEW, "train.npz", "val.npz", "test.npz"),
    settings=("task", "dataset", "detection.anchors", "detection.stride", "seed"),
    run=_run,
    serves=has_samples,
    owns=own_code,
    identities=libraries,
    sources=_sources,
    fetch=fetch,
)
