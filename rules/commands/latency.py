"""How far estimates of cycles are off in the space of a spec: ``doit latency spec=<file> [networks=N]``.

The networks run with the kernels that estimates choose, as the search sees them: to tune each would take long.
"""

from rules.command import Command
from rules.commands.bench import show_estimates, workbench
from rules.options import NETWORKS
from rules.stage import BUILD, Resolved, searches
from rules.stages import margin, race


def _measure(resolved: Resolved) -> None:
    from mcubuild.artifacts.margin import read_margin
    from mcubuild.bench.latency import estimates, within_budget
    from mcubuild.board import Board
    from mcubuild.nas.space.files import read_space
    from mcubuild.spec.deployment import Deployment
    from mcubuild.spec.spec import Spec

    spec, board = Spec.model_validate(resolved["spec"]), Board.model_validate(resolved["board"])
    folder, count = BUILD / spec.name, NETWORKS.number
    limited = spec.budget.latency is not None
    margin = read_margin(folder / "margin.json" if limited else None)
    cases = within_budget(read_space(folder / "space.json"), Deployment.of(spec, board), spec.seed, count, margin)
    found = estimates(cases, workbench())
    show_estimates(f"{spec.name}: estimated against emulated cycles", found, folder / "latency.html")
    if spec.engine.tune:
        print("kernels: as estimates choose them; engine.tune is for the network that is built")


COMMAND = Command(
    name="latency",
    doc="how far estimates of cycles, with untuned kernels, are off in the search space of {}",
    work=_measure,
    needs=race.STAGE.outputs,
    optional=margin.STAGE.outputs,
    serves=searches,
)
