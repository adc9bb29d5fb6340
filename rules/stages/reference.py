"""reference: what the integer reference says to the samples that an imported network is run on."""

from collections.abc import Callable
from functools import partial
from typing import Any

from rules.job import Job
from rules.stage import Stage, brings_model
from rules.stages.importer import arrays, network_files


def _run(job: Job) -> None:
    from mcubuild.data.splits import brought, read_index, read_split
    from mcubuild.importers.files import calibrated_by
    from mcubuild.importers.samples import refer
    from mcubuild.ir.files import read_graph
    from mcubuild.tasks.reading import reading

    graph, images, detects = read_graph(job.file("model.json").parent), None, None
    if "test.npz" in job.names:
        index = brought(read_index(job.file("index.json")), job["model"].anchors)
        images = read_split(job.file("test.npz")), len(index.classes)
        if index.detector is not None:
            detects = reading(index, graph, job["detection"])
    exact: Callable[..., Any] | None = None
    if calibrated_by(job.file("interface.json")):
        from mcubuild.quant.brought import real_outputs

        exact = partial(real_outputs, job.root / job["model"].file)
    refer(
        graph,
        job.file("interface.json"),
        job["model"],
        images,
        job.root,
        seed=job["seed"],
        out=job.out,
        exact=exact,
        detects=detects,
    )


STAGE = Stage(
    name="reference",
    doc="integer reference run on the samples, and what the network computes in floating point",
    inputs=("model.json", "model.npz", "interface.json"),
    optional=("index.json", "test.npz"),
    outputs=("inputs.npy", "int8_outputs.npy", "accuracy.json"),
    settings=("model", "detection", "seed"),
    run=_run,
    sources=lambda resolved: network_files(resolved) | arrays(resolved, "inputs", "outputs", "labels"),
    serves=brings_model,
)
