"""reference: what the integer reference says to the samples that an imported network is run on."""

from pathlib import Path

from rules.stage import Job, Resolved, Stage, brings_model


def _run(job: Job) -> None:
    from mcubuild.data.splits import brought, read_index, read_split
    from mcubuild.importers.samples import refer
    from mcubuild.ir.files import read_graph
    from mcubuild.tasks.reading import reading

    graph, images, detects = read_graph(job.file("model.json").parent), None, None
    if "test.npz" in job.names:
        index = brought(read_index(job.file("index.json")), job["model"].anchors)
        images = read_split(job.file("test.npz")), len(index.classes)
        if index.detector is not None:
            detects = reading(index, graph, job["detection"])
    refer(
        graph,
        job.file("interface.json"),
        job["model"],
        images,
        job.root,
        seed=job["seed"],
        out=job.out,
        detects=detects,
    )


def _sources(resolved: Resolved) -> dict[str, Path]:
    model = resolved["spec"]["model"]
    names = [*(model["inputs"] or ()), *(model["outputs"] or ()), *filter(None, [model["labels"]])]
    paths = {name: Path(resolved["folder"], name) for name in names}
    return {name: path for name, path in paths.items() if path.is_file()}


STAGE = Stage(
    name="reference",
    doc="integer reference run on the samples",
    inputs=("model.json", "model.npz", "interface.json"),
    optional=("index.json", "test.npz"),
    outputs=("inputs.npy", "int8_outputs.npy", "accuracy.json"),
    settings=("model", "detection", "seed"),
    run=_run,
    sources=_sources,
    serves=brings_model,
)
