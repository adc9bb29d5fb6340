"""How long the build of a spec takes on this machine: ``doit forecast spec=<file>``."""

from rules.command import Command
from rules.duration import parts
from rules.stage import BUILD, Resolved, scales, trains


def _tell(resolved: Resolved) -> None:
    from mcubuild.nas.forecast import told

    name = resolved["spec"]["name"]
    print(f"{name}: {told(parts(resolved, BUILD / name, known=scales(resolved))) or 'less than a second to go.'}")


COMMAND = Command(
    name="forecast",
    doc="how long the build of {} takes here from the first training on",
    work=_tell,
    needs=("index.json", "inventory.json", "train.npz", "val.npz"),
    optional=("contenders.json", "pace.json", "margin.json"),
    serves=trains,
)
