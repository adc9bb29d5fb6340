"""quantize: from the trained network to integers."""

from rules.stage import Job, Stage, trains


def _run(job: Job) -> None:
    from mcubuild.data.splits import read_split
    from mcubuild.nas.files import read_described
    from mcubuild.quant.quantize import quantize

    quantize(
        read_described(job.file("arch.json")),
        job.file("weights.safetensors"),
        read_split(job.file("train.npz")),
        job["quantize"],
        bits=job["bits"],
        out=job.out,
    )


STAGE = Stage(
    name="quantize",
    doc="batch norm folded, ranges calibrated, weights rounded",
    inputs=("train.npz", "arch.json", "weights.safetensors"),
    outputs=("model.json", "model.npz"),
    settings=("quantize", "bits"),
    run=_run,
    serves=trains,
)
