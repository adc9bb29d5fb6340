"""Samples answered by the firmware, one by one: ``doit run spec=<file>``, in an emulator or on a board."""

import re
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mcubuild.errors import BuildError, printable, shortened
from rules.command import Command
from rules.options import ON, OVER, PORT, TRIED, WRITE
from rules.stage import BUILD, Resolved
from rules.stages import codegen

if TYPE_CHECKING:
    from mcubuild.device.reach import Ported, Probed, Reached, Runner

_ACCURACY, _MEASURED, _OUTPUTS, _INDEX = "accuracy.json", "measure.json", "int8_outputs.npy", "index.json"
_SAMPLES = ("test.npz", "inputs.npy")
_LONGEST = 60
"""Letters of an answer, and of a class."""
_SERVER = re.compile(r"([^\s:/]+|\[[0-9A-Fa-f:]+\]):\d{1,5}")
"""host:port"""
_ELSEWHERE = {"uart": "a UART is at port=/dev/ttyACM0, say", "rtt": "write on=gdb, qemu or pyocd, or port=host:port"}


def _reached(resolved: Resolved, folder: Path) -> AbstractContextManager["Reached"]:
    """The firmware where the command line wants it.

    Raises:
        BuildError: it says two things at once.
    """
    from mcubuild.board import Board
    from mcubuild.device.reach import over_debugger, over_port
    from mcubuild.spec.firmware import FirmwareSettings
    from mcubuild.spec.measure import DEFAULT_REMOTE

    board = Board.model_validate(resolved["board"])
    settings = FirmwareSettings.model_validate(resolved["spec"]["firmware"])
    out, code, runner, port, over = folder / "run", folder / "c", ON.chosen, PORT.given, OVER.chosen
    if port is not None and runner in (None, "port"):
        if over == "semihosting":
            raise BuildError(f"over=semihosting: not at port={port}; write on=gdb, qemu or pyocd.")
        if over == "rtt" and not _SERVER.fullmatch(port):
            raise BuildError(
                f"port={port}: with over=rtt it is host:port of a debug server, as in port=localhost:19021."
            )
        wire = cast("Ported", over or "uart")
        return over_port(code, board, settings, port, out, write=WRITE.chosen == "yes", over=wire)
    if runner == "port":
        raise BuildError("on=port: which? Write port=/dev/ttyACM0, say.")
    if port is not None and runner != "gdb":
        raise BuildError(f"port={port}: {runner} has no port; write one of both.")
    if port is not None and not _SERVER.fullmatch(port):
        raise BuildError(f"port={port}: with on=gdb it is host:port of the server, such as port={DEFAULT_REMOTE}.")
    if over == "uart" or (over == "rtt" and runner in (None, "emulator")):
        raise BuildError(f"over={over}: not {f'on={runner}' if runner else 'in the emulator'}; {_ELSEWHERE[over]}.")
    remote = port or resolved["spec"]["measure"]["remote"] or DEFAULT_REMOTE
    probed = cast("Probed", over or "semihosting")
    return over_debugger(code, board, settings, cast("Runner", runner or "emulator"), remote, out, probed)


def _run(resolved: Resolved) -> None:
    import numpy as np

    from mcubuild.artifacts import read_artifact
    from mcubuild.artifacts.accuracy import Accuracy
    from mcubuild.artifacts.measured import Measured
    from mcubuild.artifacts.plan import Planned
    from mcubuild.data.splits import read_index
    from mcubuild.ir.files import fingerprint, read_graph
    from mcubuild.measure.runner import chosen
    from mcubuild.measure.samples import read_samples
    from mcubuild.progress import bar
    from mcubuild.report.variants import aligned
    from mcubuild.spec.measure import MeasureSettings
    from mcubuild.units import format_time

    folder = BUILD / resolved["spec"]["name"]
    plan = read_artifact(folder / codegen.PLAN, Planned)
    samples = read_samples({name: folder / name for name in _has(resolved, _SAMPLES)}, plan.layers[0].shape_in)
    picked = chosen(len(samples), MeasureSettings(samples=TRIED.number))
    accuracy, expected = read_artifact(folder / _ACCURACY, Accuracy), np.load(folder / _OUTPUTS)
    if accuracy.runs > 1:
        raise BuildError(
            f"a sample of this spec is {accuracy.runs} runs, as its network remembers from run to run; firmware "
            f"answers single ones here. The build ran all of them in the emulator; [measure] runner does elsewhere."
        )
    index = read_index(folder / _INDEX) if _has(resolved, (_INDEX,)) else None
    network = fingerprint(read_graph(folder))[:16]
    with _reached(resolved, folder) as reached, bar("run", len(picked)) as progress:
        if (there := reached.conversation.hello.network) != network:
            raise BuildError(
                f"{reached.where}: its firmware has the network {there}, the spec's is {network}; leave write=no out."
            )
        answers = []
        for number in picked:
            answers.append(reached.conversation.answer(np.ascontiguousarray(samples[number])))
            progress.advance()
    outputs = np.stack([answer.outputs for answer in answers])
    said, wanted = _words(accuracy, index, outputs, [int(number) for number in picked])
    clock = reached.conversation.hello.clock_hz if reached.silicon else 0
    times = [format_time(one.cycles / clock) if clock and one.cycles else "" for one in answers]
    rows = [("sample", "true", "answer", "time"), *zip(map(str, picked), wanted, said, times, strict=True)]
    kept = [column for column in zip(*rows, strict=True) if any(column[1:])]
    print("", *aligned([*zip(*kept, strict=True)]), sep="\n")
    print(f"{reached.where}: network {reached.conversation.hello.network}")
    latency = read_artifact(folder / _MEASURED, Measured).latency_ms
    if not any(times) and latency is not None:
        print(f"time a sample: {format_time(latency / 1e3)} on the board, as emulated for the report")
    wrong = [
        int(number) for number, one, row in zip(picked, outputs, expected[picked], strict=True) if (one != row).any()
    ]
    if wrong:
        raise BuildError(
            f"answers to {len(wrong)} of {len(picked)} samples are not the integer reference's: {wrong[:9]}."
        )
    print(f"all {len(picked)} answers equal the integer reference's in every bit")


def _words(accuracy: Any, index: Any, outputs: Any, picked: list[int]) -> tuple[list[str], list[str]]:
    """What the answers say, and what they should: bytes and nothing, where nobody knows how to read them."""
    from mcubuild.tasks import DEFAULT
    from mcubuild.tasks.answers import answers
    from mcubuild.tasks.reading import restored

    task = index.task if index else DEFAULT
    reads = restored(accuracy.classification, task)
    if reads is None:
        return [shortened(row.tobytes().hex(" "), _LONGEST) for row in outputs], [""] * len(picked)
    names = index.classes if index else tuple(map(str, range(reads.classes)))
    words = answers(task)
    said, wanted = words.said(reads, outputs, names), [words.wanted(accuracy.labels[n], names) for n in picked]
    return [[shortened(printable(word), _LONGEST) for word in column] for column in (said, wanted)]  # type: ignore[return-value]


def _has(resolved: Resolved, names: tuple[str, ...]) -> list[str]:
    """Those of the artifacts that a stage of the spec writes."""
    from rules.graph import STAGES
    from rules.stage import pipeline

    written = {name for stage in pipeline(STAGES, resolved) for name in stage.outputs}
    return [name for name in names if name in written]


COMMAND = Command(
    name="run",
    doc="test samples answered by the firmware of {}, one by one",
    work=_run,
    needs=(codegen.PLAN, _ACCURACY, _OUTPUTS, _MEASURED),
    optional=(_INDEX, *_SAMPLES),
)
