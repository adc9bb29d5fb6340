"""measure: the ELF run on the test samples."""

from rules.job import Job
from rules.stage import POWER, UNNAMED, Stage
from rules.stages import codegen


def _run(job: Job) -> None:
    from mcubuild.artifacts import read_artifact
    from mcubuild.artifacts.plan import Planned
    from mcubuild.measure.result import write
    from mcubuild.measure.runner import measure
    from mcubuild.measure.samples import read_samples
    from mcubuild.spec.measure import MeasureSettings

    layers = read_artifact(job.file(codegen.PLAN), Planned).layers
    samples = read_samples({name: job.file(name) for name in job.names}, layers[0].shape_in)
    result = measure(
        job.file("firmware.elf"),
        job["board"],
        MeasureSettings(samples=job["measure.samples"]),  # another runner changes nothing here
        samples,
        [layer.name for layer in layers],
    )
    write(result, job.out)


STAGE = Stage(
    name="measure",
    doc="firmware run on the test samples, instructions counted",
    inputs=(codegen.PLAN, "firmware.elf"),
    optional=("test.npz", "inputs.npy"),
    outputs=("measure.json", "device_outputs.npy"),
    settings=("board", "measure.samples"),
    run=_run,
    templates=("mcubuild/measure/*.c",),
    ignored=(*UNNAMED, *POWER),
)
