"""How long the build of a spec takes on this machine: ``doit forecast spec=<file>``."""

from rules.command import Command
from rules.duration import parts
from rules.stage import BUILD, Resolved, trains


def _tell(resolved: Resolved) -> None:
    from mcubuild.nas.forecast import told

    name = resolved["spec"]["name"]
    print(f"{name}: {told(parts(resolved, BUILD / name)) or 'less than a second to go.'}")


COMMAND = Command(
    name="forecast",
    doc="how long the build of {} takes here from the super network on",
    work=_tell,
    needs=("index.json", "inventory.json", "train.npz", "val.npz"),
    optional=("space.json", "margin.json"),
    serves=trains,
)
