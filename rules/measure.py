"""measure: the ELF run on the test samples."""

from rules import codegen
from rules.stage import Job, Stage


def _run(job: Job) -> None:
    import json

    from mcubuild.data.resize import network_input
    from mcubuild.data.splits import read_split
    from mcubuild.measure.runner import measure, write
    from mcubuild.spec.measure import MeasureSettings

    layers = json.loads(job.file(codegen.PLAN).read_text())["layers"]
    images = read_split(job.file("test.npz")).x
    result = measure(
        job.file("firmware.elf"),
        job["board"],
        MeasureSettings(samples=job["measure.samples"]),  # another runner changes nothing here
        network_input(images, layers[0]["shape_in"][1]),
        [layer["name"] for layer in layers],
    )
    write(result, job.out)


STAGE = Stage(
    name="measure",
    doc="firmware run on the test samples, instructions counted",
    inputs=("test.npz", codegen.PLAN, "firmware.elf"),
    outputs=("measure.json", "device_outputs.npy"),
    settings=("board", "measure.samples"),
    run=_run,
    templates=("mcubuild/measure/*.c",),
)
