"""report: figures, pictures and the verdict."""

from itertools import chain
from platform import python_version

from rules.imports import LIBRARIES, library_version
from rules.job import Job
from rules.stage import Resolved, Stage
from rules.stages import codegen, firmware, preprocess, quantize, tune


def _run(job: Job) -> None:
    from mcubuild.nas.space.files import read_arch
    from mcubuild.report.estimates import conditions, reading, searched
    from mcubuild.report.report import write
    from mcubuild.spec.deployment import Deployment
    from mcubuild.store import digest_file

    spec = job["spec"]
    networks = "brought"
    if not spec.model:
        networks = spec.arch or searched(read_arch(job.file("arch.json")).space.block)
        networks = reading(networks, series=spec.task in ("sensor_classification", "anomaly_detection"))
    compiler = job.identities["toolchain"]
    write(
        {name: job.file(name) for name in job.names},
        name=spec.name,
        board=job["board"],
        budget=spec.budget,
        settings=spec.report,
        conditions=conditions(Deployment.of(spec, job["board"]), compiler, networks),
        provenance={
            "seed": spec.seed,
            "spec": spec.model_dump(mode="json"),
            "tools": dict(job.identities),
            "artifacts": {name: digest_file(job.file(name)) for name in job.names},
        },
        out=job.out,
    )


def _tools(resolved: Resolved) -> dict[str, str]:
    versions = {library: library_version(library) for library in sorted(chain(*LIBRARIES.values()))}
    return {"python": python_version(), **versions, **firmware.STAGE.identities(resolved)}


STAGE = Stage(
    name="report",
    doc="figures, pictures and the verdict",
    # More than it reads: the page lists the keys of everything that the build has made.
    inputs=(
        *quantize.MODEL,
        *codegen.STAGE.outputs,
        *firmware.STAGE.outputs,
        "accuracy.json",
        "int8_outputs.npy",
        "measure.json",
        "device_outputs.npy",
    ),
    optional=(
        "index.json",
        "outline.json",
        "inventory.json",
        "train.npz",
        "val.npz",
        "test.npz",
        "margin.json",
        "contenders.json",
        "pace.json",
        "space.json",
        "race.json",
        "space_table.json",
        "start.safetensors",
        "start.json",
        "supernet.safetensors",
        "supernet_log.json",
        "arch.json",
        "search.json",
        "scaling.json",
        "weights.safetensors",
        "finetune_log.json",
        "train_log.json",
        "widths.json",
        "quantize_log.json",
        "interface.json",
        "inputs.npy",
        *tune.STAGE.outputs,
        *preprocess.STAGE.outputs,
        "remote.json",
        "remote_outputs.npy",
    ),
    outputs=("report.json", "report.html", "report.md"),
    settings=("spec", "board"),
    run=_run,
    templates=("mcubuild/report/templates/*", "mcubuild/tasks/*/*.j2", "mcubuild/engine/estimates.jsonl"),
    identities=_tools,
)
