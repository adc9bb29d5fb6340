"""How fast the super network of a spec trains on this machine: ``doit throughput spec=<file>``."""

from rules.command import Command
from rules.stage import BUILD, Resolved, searches
from rules.stages import supernet

_STEPS = 10


def _measure(resolved: Resolved) -> None:
    from mcubuild.data.splits import read_index, read_split
    from mcubuild.nas.space.family import Family
    from mcubuild.nas.space.files import read_neighbours, read_space
    from mcubuild.nas.training.throughput import lines, measure
    from mcubuild.spec.spec import Spec
    from mcubuild.tasks.learning import learning

    spec = Spec.model_validate(resolved["spec"])
    folder = BUILD / spec.name
    taught = learning(read_index(folder / "index.json"))
    path, train = folder / "space.json", read_split(folder / "train.npz")
    space = read_space(path)
    if spec.supernet.schedule != "sandwich" or spec.supernet.processes > 1:
        print("  measured with the sandwich rule and in one process, whatever [supernet] says")
    found = measure(Family(space, read_neighbours(path)), train, spec.supernet, learning=taught, steps=_STEPS)
    print("", f"{spec.name}: {space.name}, {spec.supernet.subnets + 2} networks a step", *lines(found), sep="\n")


COMMAND = Command(
    name="throughput",
    doc="how fast the super network of {} trains here",
    work=_measure,
    needs=supernet.STAGE.inputs,
    serves=searches,
)
