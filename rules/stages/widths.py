"""widths: bits of each layer's weights, where the spec leaves them open."""

from rules.job import DEPLOYMENT, Job
from rules.stage import COMPILING, POWER, QUALITY, UNNAMED, Resolved, Stage, trains

WIDTHS = "widths.json"


def _run(job: Job) -> None:
    from mcubuild.artifacts.margin import read_margin
    from mcubuild.data.splits import read_split
    from mcubuild.nas.space.described import read_described
    from mcubuild.quant.widths import choose_widths

    choose_widths(
        read_described(job.file("arch.json")),
        job.file("weights.safetensors"),
        read_split(job.file("train.npz")),
        read_split(job.file("val.npz")),
        job.deployment,
        samples=job["quantize.samples"],
        out=job.out,
        margin=read_margin(job.find("margin.json")),
    )


def _mixed(resolved: Resolved) -> bool:
    return trains(resolved) and resolved["spec"]["bits"]["weights"] == "mixed"


STAGE = Stage(
    name="widths",
    doc="bits of each layer's weights chosen",
    inputs=("train.npz", "val.npz", "arch.json", "weights.safetensors"),
    optional=("margin.json",),
    outputs=(WIDTHS,),
    settings=("quantize.samples", *DEPLOYMENT),
    run=_run,
    serves=_mixed,
    ignored=("engine.tune", *COMPILING, *QUALITY, *UNNAMED),
    ignored_without_energy=POWER,
)
