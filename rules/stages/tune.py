"""tune: which kernel computes each layer fastest, where the spec asks to try."""

from rules.job import BITS, DEPLOYMENT, Job
from rules.stage import POWER, UNNAMED, Resolved, Stage
from rules.stages import codegen, firmware


def _run(job: Job) -> None:
    from mcubuild.ir.files import read_graph
    from mcubuild.measure.tuning import Bench, tune

    graph = read_graph(job.file("model.json").parent)
    tune(graph, Bench(job.deployment, job.code), job.out)


def _asked_for(resolved: Resolved) -> bool:
    return bool(resolved["spec"]["engine"]["tune"])


STAGE = Stage(
    name="tune",
    doc="kernels of every layer run in the emulator",
    inputs=("model.json", "model.npz"),
    outputs=(codegen.TUNED,),
    settings=DEPLOYMENT,
    run=_run,
    templates=("kernels_templates/**/*", "mcubuild/measure/*.c"),
    identities=firmware.STAGE.identities,
    serves=_asked_for,
    ignored=("firmware.prefix", *BITS, "budget", *UNNAMED, *POWER),
)
