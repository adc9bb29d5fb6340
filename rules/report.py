"""report: figures, pictures and the verdict."""

from rules import codegen, firmware
from rules.imports import LIBRARIES, library_version
from rules.stage import Job, Resolved, Stage


def _run(job: Job) -> None:
    from mcubuild.report.report import write
    from mcubuild.store import digest_file

    spec = job["spec"]
    write(
        {name: job.file(name) for name in job.names},
        name=spec.name,
        board=job["board"],
        budget=spec.budget,
        settings=spec.report,
        provenance={
            "spec": spec.model_dump(mode="json"),
            "tools": dict(job.identities),
            "artifacts": {name: digest_file(job.file(name)) for name in job.names},
        },
        out=job.out,
    )


def _tools(resolved: Resolved) -> dict[str, str]:
    versions = {library: library_version(library) for library in sorted(LIBRARIES.values())}
    return {**versions, **firmware.STAGE.identities(resolved)}


STAGE = Stage(
    name="report",
    doc="figures, pictures and the verdict",
    inputs=(
        "index.json",
        "test.npz",
        "space.json",
        "space_table.json",
        "supernet_log.json",
        "arch.json",
        "search.json",
        "finetune_log.json",
        codegen.PLAN,
        "sizes.json",
        "accuracy.json",
        "int8_outputs.npy",
        "measure.json",
        "device_outputs.npy",
    ),
    outputs=("report.json", "report.html"),
    settings=("spec", "board"),
    run=_run,
    templates=("mcubuild/report/templates/*",),
    identities=_tools,
)
