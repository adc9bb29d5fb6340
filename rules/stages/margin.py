"""margin: what the engine's estimates of cycles are worth on this board, with these kernels and this compiler."""

from rules.job import DEPLOYMENT, Job
from rules.stage import POWER, QUALITY, UNNAMED, Resolved, Stage, trains
from rules.stages import firmware
from rules.stages.outline import OUTLINE


def _run(job: Job) -> None:
    from mcubuild.artifacts import write_artifact
    from mcubuild.artifacts.margin import MARGIN
    from mcubuild.bench.margin import find
    from mcubuild.bench.workbench import Workbench
    from mcubuild.errors import tell
    from mcubuild.spec.outline import read_outline
    from mcubuild.store import Store

    found = find(
        read_outline(job.file(OUTLINE)),
        job["space"],
        job["arch"],
        job.deployment,
        Workbench(Store(), job.code),
        seed=job["seed"],
    )
    write_artifact(found, job.out / MARGIN)
    if found.told:
        tell(f"{job.spec.name}: {found.told}.")


def _limits_time(resolved: Resolved) -> bool:
    return trains(resolved) and resolved["spec"]["budget"]["latency"] is not None


STAGE = Stage(
    name="margin",
    doc="estimates of cycles beside emulated networks, where that was not done before",
    inputs=(OUTLINE,),
    outputs=("margin.json",),
    settings=("space", "arch", *DEPLOYMENT, "seed"),
    run=_run,
    templates=("kernels_templates/**/*", "mcubuild/measure/*.c", "mcubuild/engine/estimates.jsonl"),
    identities=firmware.STAGE.identities,
    serves=_limits_time,
    ignored=("engine.tune", "firmware.prefix", *QUALITY, "space.samples", "space.neighbours", *UNNAMED),
    ignored_without_energy=POWER,
)
