"""A spec's data set: ``doit data spec=<file>`` fetches what is missing, counts, and shows samples with their labels."""

from collections.abc import Iterator
from pathlib import Path

from rules.command import Command
from rules.known import FILES
from rules.stage import BUILD, Resolved
from rules.stages import data
from rules.stages.dataset import OVERVIEW, has_samples


def _show(resolved: Resolved) -> None:
    from mcubuild.data.inventory import read_inventory
    from mcubuild.data.overview import read_overview
    from mcubuild.data.splits import read_index
    from mcubuild.report.data import lines

    folder = BUILD / resolved["spec"]["name"]
    index, inventory = read_index(folder / "index.json"), read_inventory(folder / "inventory.json")
    shown = read_overview(*(folder / name for name in OVERVIEW))
    print("", *_verified(resolved), *lines(index, inventory, shown), f"samples: {folder / 'data.html'}", sep="\n")


def _verified(resolved: Resolved) -> Iterator[str]:
    """Which of the archives are those that were published."""
    from mcubuild.data.fetch.table import published
    from mcubuild.data.kinds import kind

    settings = resolved["spec"]["dataset"]
    table = published(settings["kind"])
    sources = kind(settings["kind"]).sources(settings, Path(resolved["folder"]))
    for name, path in sources.items():
        if name in table and not table[name].packed:  # what was unpacked has another checksum
            same = FILES.digest(path) == table[name].sha256
            yield f"{path}: {'as published (SHA-256)' if same else 'not the published file: another SHA-256'}"


COMMAND = Command(
    name=data.STAGE.name,
    doc="the data set of {}, counted and looked at",
    work=_show,
    needs=("index.json", "inventory.json", *OVERVIEW, *data.STAGE.outputs),
    serves=has_samples,
    follows=True,
)
