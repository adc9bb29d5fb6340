"""import: a network that exists already, instead of a search for one."""

from pathlib import Path

from rules.stage import Job, Resolved, Stage, brings_model


def _run(job: Job) -> None:
    from mcubuild.importers.files import write_imported

    write_imported(job.root / job["model.file"], job.out)


def _sources(resolved: Resolved) -> dict[str, Path]:
    path = Path(resolved["folder"], resolved["spec"]["model"]["file"])
    # Exporters of ONNX write large constants beside it.
    return {each.name: each for each in (path, path.with_name(f"{path.name}.data")) if each.is_file()}


STAGE = Stage(
    name="import",
    doc="network read from its file",
    inputs=(),
    outputs=("model.json", "model.npz", "interface.json"),
    settings=("model.file",),
    run=_run,
    sources=_sources,
    serves=brings_model,
)
