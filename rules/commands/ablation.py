"""What each optimisation is worth to a spec's network: ``doit ablation spec=<file>``.

Each set of optimisations is a build derived from the spec's, with its network, whose firmware is run once.
"""

from rules.command import Command
from rules.derived import Comparison, derived, folder
from rules.graph import STAGES
from rules.stage import BUILD, Resolved, leading_to, pipeline
from rules.stages import quantize, rung, tune

_NAME = "ablation"


def _rungs(resolved: Resolved) -> Comparison:
    from mcubuild.bench.ablation import steps

    own, name = pipeline(STAGES, resolved), resolved["spec"]["name"]
    network = leading_to({*quantize.MODEL, *tune.STAGE.outputs}, own)
    engines = [{**resolved["spec"]["engine"], **engine} for _, engine in steps()]
    return Comparison(
        [
            derived(resolved, f"{name}-{_NAME}-{number}", {"engine": engine}, sharing=network, stages=[rung.NAME])
            for number, engine in enumerate(engines)
        ]
    )


def _climb(resolved: Resolved) -> None:
    from mcubuild.bench.ablation import lines, plots, read_rungs, table
    from mcubuild.bench.workbench import compiler
    from mcubuild.board import Board
    from mcubuild.report.figures import render
    from mcubuild.spec.deployment import Deployment
    from mcubuild.spec.spec import Spec

    spec, board = Spec.model_validate(resolved["spec"]), Board.model_validate(resolved["board"])
    rungs = read_rungs(folder(one) / rung.FIGURES for one in _rungs(resolved).first)
    subtitle = f"{board.title}, {compiler(Deployment.of(spec, board))}; cycles modelled, memories included"
    page = render(f"{spec.name}: one optimisation after another", subtitle, plots(rungs), table(rungs, board))
    path = BUILD / spec.name / f"{_NAME}.html"
    path.write_text(page, encoding="utf-8")
    print("", *lines(rungs, board), f"picture: {path}", sep="\n")


COMMAND = Command(
    name=_NAME,
    doc="what each optimisation is worth to the network of {}",
    work=_climb,
    derives=_rungs,
)
