"""rung: what a network takes with some of the engine's optimisations alone, for comparison."""

from rules.job import BITS, DEPLOYMENT, Job
from rules.stage import LIMITS, POWER, QUALITY, UNNAMED, Stage, listed
from rules.stages import codegen, firmware, quantize, tune

NAME = "rung"
FIGURES = "figures.json"


def _run(job: Job) -> None:
    from mcubuild.artifacts import read_artifact, write_artifact
    from mcubuild.artifacts.tuned import Tuned
    from mcubuild.bench.ablation import rung
    from mcubuild.bench.workbench import Workbench
    from mcubuild.ir.files import read_graph
    from mcubuild.store import Store

    path = job.find(codegen.TUNED)
    graph, bench = read_graph(job.file("model.json").parent), Workbench(Store(), job.code)
    tuned = read_artifact(path, Tuned).kernels if path else None
    write_artifact(rung(graph, job.deployment, tuned, bench), job.out / FIGURES)


STAGE = Stage(
    name=NAME,
    doc="firmware with some optimisations alone, built and run once",
    inputs=quantize.MODEL,
    optional=tune.STAGE.outputs,
    outputs=(FIGURES,),
    settings=DEPLOYMENT,
    run=_run,
    templates=tune.STAGE.templates,
    identities=firmware.STAGE.identities,
    serves=listed(NAME),
    ignored=("firmware.prefix", *BITS, *LIMITS, *QUALITY, *UNNAMED, *POWER),
)
