"""remote: the firmware run once more, where the spec asks for a board or QEMU."""

from rules.job import Job
from rules.stage import POWER, Resolved, Stage
from rules.stages import codegen, firmware


def _run(job: Job) -> None:
    from mcubuild.artifacts import read_artifact
    from mcubuild.artifacts.plan import Planned
    from mcubuild.measure.remote.runner import measure_remotely
    from mcubuild.measure.result import write_remote
    from mcubuild.measure.samples import read_samples

    layers = read_artifact(job.file(codegen.PLAN), Planned).layers
    samples = read_samples({name: job.file(name) for name in job.names}, layers[0].shape_in)
    result = measure_remotely(
        job.file("firmware.elf"),
        job.file(codegen.PLAN).parent,
        job["board"],
        job["measure"],
        job["firmware"],
        samples,
        [layer.name for layer in layers],
    )
    write_remote(result, job.out)


def _asked_for(resolved: Resolved) -> bool:
    return bool(resolved["spec"]["measure"]["runner"] != "emulator")


STAGE = Stage(
    name="remote",
    doc="firmware run through a debug probe, a GDB server or QEMU",
    inputs=(codegen.PLAN, "firmware.elf", *codegen.MODEL, *codegen.FIRMWARE),
    optional=("test.npz", "inputs.npy"),
    outputs=("remote.json", "remote_outputs.npy"),
    settings=("board", "measure", "firmware"),
    run=_run,
    templates=("kernels_templates/firmware/linker.ld.j2", "kernels_templates/firmware/libc/*"),
    identities=firmware.STAGE.identities,
    serves=_asked_for,
    stored=False,
    ignored=("board.title", "board.source", *POWER),
)
