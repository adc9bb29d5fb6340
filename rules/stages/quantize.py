"""quantize: from the trained network to integers."""

import json

from rules.job import BITS, Job
from rules.stage import Stage, trains
from rules.stages.widths import WIDTHS


def _run(job: Job) -> None:
    from mcubuild.data.splits import read_index, read_split
    from mcubuild.nas.space.described import read_described
    from mcubuild.quant.quantize import quantize
    from mcubuild.tasks.learning import learning

    widths = job.find(WIDTHS)
    quantize(
        read_described(job.file("arch.json")),
        job.file("weights.safetensors"),
        read_split(job.file("train.npz")),
        read_split(job.file("val.npz")),
        job["quantize"],
        bits=json.loads(widths.read_text())["bits"] if widths else job["bits.weights"],
        activations=job["bits.activations"],
        ends=job["bits.ends"],
        learning=learning(read_index(job.file("index.json"))),
        seed=job["seed"],
        out=job.out,
        work=job.work,
    )


MODEL = ("model.json", "model.npz")

STAGE = Stage(
    name="quantize",
    doc="batch norm folded, ranges calibrated, weights rounded; fine-tuned with that if it loses too much",
    inputs=("index.json", "train.npz", "val.npz", "arch.json", "weights.safetensors"),
    optional=(WIDTHS,),
    outputs=(*MODEL, "quantize_log.json"),
    settings=("quantize", *BITS, "seed"),
    run=_run,
    serves=trains,
)
