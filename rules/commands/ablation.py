"""What each optimisation is worth to a spec's network: ``doit ablation spec=<file>``."""

from rules.command import Command
from rules.commands.bench import workbench
from rules.stage import BUILD, Resolved
from rules.stages import codegen, quantize, tune


def _climb(resolved: Resolved) -> None:
    from mcubuild.artifacts import read_artifact
    from mcubuild.artifacts.tuned import Tuned
    from mcubuild.bench.ablation import climb, lines, plots, table
    from mcubuild.bench.workbench import compiler
    from mcubuild.board import Board
    from mcubuild.ir.files import read_graph
    from mcubuild.report.figures import render
    from mcubuild.spec.deployment import Deployment
    from mcubuild.spec.spec import Spec

    spec, board = Spec.model_validate(resolved["spec"]), Board.model_validate(resolved["board"])
    folder = BUILD / spec.name
    deployment = Deployment.of(spec, board)
    tuned = read_artifact(folder / codegen.TUNED, Tuned).kernels if spec.engine.tune else {}
    rungs = climb(read_graph(folder), deployment, tuned, workbench())
    subtitle = f"{board.title}, {compiler(deployment)}; cycles modelled, memories included"
    page = render(f"{spec.name}: one optimisation after another", subtitle, plots(rungs), table(rungs, board))
    (folder / "ablation.html").write_text(page, encoding="utf-8")
    print("", *lines(rungs, board), f"picture: {folder / 'ablation.html'}", sep="\n")


COMMAND = Command(
    name="ablation",
    doc="what each optimisation is worth to the network of {}",
    work=_climb,
    needs=quantize.MODEL,
    optional=tune.STAGE.outputs,
)
