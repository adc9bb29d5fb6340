"""Speed and memory beside other engines: ``doit bench``; and cycles against memory: ``doit bench curve=<network>``.

``doit bench latency=<networks>`` measures how far estimates of cycles are off and keeps that for all reports; with
``widths=4x4``, of such networks alone, and what is kept of others stays.

Networks of papers are built in; ``models=<folder>`` adds the .tflite files of a folder. Figures come from the store if
nothing that they depend on has changed.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doit import loader
from doit.exceptions import TaskFailed

from mcubuild import ROOT
from mcubuild.errors import BuildError, printable
from mcubuild.progress import reporting
from mcubuild.store import Store, digest_json
from rules.execute import template_files
from rules.imports import dependencies
from rules.known import FILES
from rules.options import CURVE, ERRORS, MODELS, TOOLCHAIN, WIDTHS, usage
from rules.stage import BUILD
from rules.stages import tune
from rules.streams import INTERRUPTED

if TYPE_CHECKING:
    from mcubuild.artifacts.margin import Estimate
    from mcubuild.bench.workbench import Workbench
    from mcubuild.ir.graph import Graph
    from mcubuild.spec.firmware import FirmwareSettings


def _firmware() -> "FirmwareSettings":
    """How to compile.

    Raises:
        BuildError: there is no such toolchain.
    """
    from mcubuild.spec.firmware import FirmwareSettings

    return FirmwareSettings.model_validate({"toolchain": TOOLCHAIN.chosen})


def workbench() -> "Workbench":
    """Where firmware is built and run; results depend on all code that goes into that."""
    code, libraries = dependencies(ROOT / "mcubuild" / "bench" / "workbench.py", ROOT, "mcubuild", FILES)
    files = {path.relative_to(ROOT).as_posix(): path for path in code}
    return workbench_of(files | template_files(tune.STAGE), libraries)  # which builds and runs firmware, too


def workbench_of(files: Mapping[str, Path], libraries: Mapping[str, str]) -> "Workbench":
    """The same, where results depend on these files, by name, and versions of libraries."""
    from mcubuild.bench.workbench import Workbench

    known = dict(zip(files, FILES.meanings(files.values()), strict=True))
    return Workbench(Store(), digest_json({"files": known, "libraries": libraries}))


def show_estimates(title: str, found: "list[Estimate]", page: Path) -> None:
    """Print how far ``found`` are off, and draw it."""
    from mcubuild.report.estimates import by_core, lines, origin, plot, table
    from mcubuild.report.figures import render

    page.parent.mkdir(parents=True, exist_ok=True)
    plots = [plot(on_core) for on_core in by_core(found).values()]
    page.write_text(render(title, f"{origin(found)}.", plots, table(found)), encoding="utf-8")
    print("", *lines(found), f"picture: {page}", sep="\n")


def run(task: str, work: Callable[[], Mapping[str, Any] | None]) -> Any:
    """An action: ``work``, whose progress and lines are shown as those of ``task``; errors as doit wants them.

    What it returns is for doit, as it is.
    """
    start = time.monotonic()
    try:
        with reporting(task):
            values = work() or {}
    except BuildError as error:
        return TaskFailed(str(error))
    except KeyboardInterrupt:
        return TaskFailed(INTERRUPTED)
    return {"origin": "built", "seconds": round(time.monotonic() - start, 2), **values}


def _networks() -> dict[str, "Graph"]:
    """By name: of the folder that the user names, then those that are built in.

    Raises:
        BuildError: the folder has no .tflite file, or one with the name of a built-in network.
    """
    from mcubuild.bench.networks import NAMES, network
    from mcubuild.importers.tflite import import_tflite

    graphs = {}
    if named := MODELS.given:
        folder = Path(loader.initial_workdir or ".", named)
        files = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".tflite", ".lite"))
        if not files:
            raise BuildError(
                f"models={named}: there is no .tflite file in {folder.resolve()}; name a folder with some."
            )
        if taken := [path.name for path in files if path.stem in NAMES]:
            raise BuildError(
                f"models={named}: {taken[0]} has the name of a built-in network (those are {', '.join(NAMES)}); rename "
                f"the file."
            )
        graphs = {printable(path.stem): import_tflite(path).graph for path in files}
    return graphs | {name: network(name) for name in NAMES}


def _tables() -> None:
    from mcubuild.bench.peers import read_peers
    from mcubuild.bench.tables import measured, memory, notes, speed
    from mcubuild.toolchain.compile import find

    firmware, peers = _firmware(), read_peers()
    rows = measured(_networks(), peers, workbench(), firmware)
    for lines in (speed(rows, peers), memory(rows, peers), notes(rows, peers)):
        print("", *lines, sep="\n")
    print(f"Here: {find(firmware.toolchain).identity}; outputs of every ELF equal the reference executor's.")


def _curve(name: str) -> None:
    from mcubuild.bench.tradeoff import curves, lines, plot
    from mcubuild.report.figures import render
    from mcubuild.toolchain.compile import find

    graphs = _networks()
    if name not in graphs:
        raise BuildError(
            f"curve={name}: there is no such network; write one of {', '.join(graphs)}, or name a folder of .tflite "
            f"files, too: models=<folder>."
        )
    firmware = _firmware()
    found = curves(graphs[name], workbench(), firmware)
    page = BUILD / "bench" / f"{name}.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    subtitle = f"plans from the fastest to the smallest, run in the emulator; {find(firmware.toolchain).identity}"
    page.write_text(render(f"{name}: cycles against arena", subtitle, [plot(name, found)]), encoding="utf-8")
    print("", *lines(name, found), f"picture: {page}", sep="\n")


def _latency(count: int) -> None:
    from mcubuild.bench.latency import SPACES, estimates, mixed
    from mcubuild.bench.workbench import roomy
    from mcubuild.board import board_names, read_board
    from mcubuild.measure.cycles.model import cycle_model
    from mcubuild.report.estimates import ESTIMATES, keep, write
    from mcubuild.spec.deployment import Deployment
    from rules.commands.bits import widths

    boards = [board for board in map(read_board, board_names()) if cycle_model(board.core)]
    firmware = _firmware()
    each = [
        Deployment(roomy(board), firmware=firmware, bits=bits["weights"], activations=bits["activations"])
        for bits in widths().values()
        for board in boards
    ]
    by_board = [[case for block in SPACES for case in mixed(one, block, count)] for one in each]
    cases = [case for cases in zip(*by_board, strict=True) for case in cases]
    found = estimates(cases, workbench())
    every = replace(WIDTHS, default=None).given is None
    (write if every else keep)(found, ESTIMATES)
    show_estimates("Estimated against emulated cycles", found, BUILD / "bench" / "latency.html")
    print(f"kept for reports: {ESTIMATES.relative_to(ROOT)}")


def tasks() -> Iterator[dict[str, Any]]:
    """The doit tasks: the tables, a curve, or the error of estimates."""
    curve = CURVE.given
    if replace(ERRORS, default=None).given is not None:
        name, work = "latency", lambda: _latency(ERRORS.number)
    else:
        name, work = ("tables", _tables) if curve is None else (curve, lambda: _curve(curve))
    yield {
        "basename": "bench",
        "name": None,
        "doc": f"speed and memory beside other engines: {usage('bench')}",
    }
    yield {
        "basename": "bench",
        "name": name,
        "doc": "tables of all networks, the curve of one, or the error of estimates",
        "actions": [(run, [f"bench:{name}", work])],
        "uptodate": [False],
        "verbosity": 2,
    }
