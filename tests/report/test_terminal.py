import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mcubuild.report import terminal


def figure(key: str, title: str, value: float | None, unit: str, origin: str, **more: Any) -> dict[str, Any]:
    one = {"part": "", "of": None, "interval": None, "method": "", "note": "", "level": "line", "better": None}
    return {**one, "key": key, "title": title, "value": value, "unit": unit, "origin": origin, **more}


FIGURES = [
    figure("accuracy.float", "Accuracy", 0.98, "share", "floating point", part="float", interval=[0.96, 0.99]),
    figure(
        "accuracy.device", "Accuracy", 0.9, "share", "emulated",
        part="device", interval=[0.5958, 0.9821], note="10 samples",
    ),
    figure(
        "latency.emulated", "Latency", 23.4, "ms", "emulated",
        interval=[18.72, 28.08], method="invented model", note="2,345,678 cycles",
    ),
    figure("cycles.emulated", "Cycles", 2345678.0, "cycles", "emulated", level="part"),
    figure("cycles.estimated", "Estimate", 2300000, "cycles", "estimated", method="before anything was built"),
    figure("sram", "SRAM", 1024, "B", "linked"),
    figure("outputs.qemu", "Outputs", 8, "samples", "emulated", of=10, method="QEMU with the integer reference"),
    figure("energy", "Energy", 1.5, "mJ", "modelled", method="64 mW active power x time"),
    figure("search.time", "Search", 600.0, "s", "asked"),
]  # fmt: skip
REPORT: dict[str, Any] = {
    "name": "invented",
    "verdict": "fail",
    "reasons": ["Flash is 512 B (50.0%) over its budget: 1.5 kB of 1.0 kB"],
    "cautions": ["The firmware classified 10 of the 360 test samples"],
    "test_set": {"digest": "0123456789abcdef"},
    "accuracy": {
        "float": 0.98, "int8": 0.97, "arithmetic": "int8", "device": 0.9, "samples": 360,
        "judged": 0.9, "judged_samples": 10, "interval": [0.5958, 0.9821], "metric": "accuracy",
        "intervals": {"float": [0.9597, 0.9902], "int8": [0.9470, 0.9832], "device": [0.5958, 0.9821]},
    },
    "figures": FIGURES,
    "budget": {
        "sram": {"limit": 4096, "used": 1024, "ok": True, "margin": 3072, "unit": "B", "origin": "linked"},
        "flash": {"limit": 1024, "used": 1536, "ok": False, "margin": -512, "unit": "B", "origin": "linked"},
        "latency": {"limit": None, "used": 23.4, "ok": True, "margin": None, "unit": "ms", "origin": "emulated"},
        "energy": {"limit": None, "used": 1.5, "ok": True, "margin": None, "unit": "mJ", "origin": "modelled"},
        "accuracy": {"limit": None, "used": 0.9, "ok": True, "margin": None, "unit": "share", "origin": "emulated"},
        "strict": False,
    },
}  # fmt: skip


def test_plain_lines_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.summarise(REPORT, Path("build/invented"), sys.stdout, drawn=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "invented: fail, 1 caution; accuracy 90.00 % (59.6 to 98.2, 95 %), no quality limit"
    assert "  fail: Flash is 512 B (50.0%) over its budget: 1.5 kB of 1.0 kB" in lines
    assert "  test set     0123456789abcdef (360 samples)" in lines
    shares = "float 98.00 % (96.0 to 99.0) -> device 90.00 % (59.6 to 98.2), 10 samples"
    assert f"  accuracy     {shares}" in lines
    assert "  SRAM         ok    1.0 kB of 4.0 kB, 3.0 kB free" in lines
    assert "  Flash        FAIL  1.5 kB of 1.0 kB, 512 B over" in lines
    assert "  latency      ok    23.4 ms, no limit" in lines
    assert "  latency      23.4 ms ± 20 %, emulated: invented model; 2,345,678 cycles" in lines
    assert "  estimate     2,300,000 cycles, estimated: before anything was built" in lines
    assert "  outputs      8 of 10 samples, emulated: QEMU with the integer reference" in lines
    assert "  energy       1.5 mJ, modelled: 64 mW active power x time" in lines
    assert "  search       10.0 min, asked" in lines
    assert not any(line.startswith(("  cycles", "  sram")) for line in lines)
    assert lines[-1].endswith("build/invented/report.html")
    assert "\x1b" not in "".join(lines)


def test_a_summary_is_quick() -> None:
    """A build with nothing to do shows one, too."""
    heavy = ("pydantic", "numpy", "rich", "jinja2")
    code = f"import sys, mcubuild.report.terminal; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_limit_of_energy_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    line = {"limit": 1.0, "used": 1.5, "ok": False, "margin": -0.5, "unit": "mJ", "origin": "modelled"}
    report = {**REPORT, "budget": {**REPORT["budget"], "energy": line}}
    terminal.summarise(report, Path("b"), sys.stdout, drawn=False)
    assert "  energy       FAIL  1.5 mJ of 1 mJ, 500 uJ over, modelled" in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("width", [60, 120])
def test_a_terminal_gets_bars(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=width, highlight=False)
    monkeypatch.setattr("rich.console.Console", lambda **_: console)
    terminal.summarise(REPORT, Path("build/invented"), stream, drawn=True)
    text = stream.getvalue()
    assert "✗ fail" in text and "━" in text and "report.html" in text
    assert max(len(line) for line in Console().render_str(text).plain.splitlines()) < width + 200


def test_a_report_without_cycles_and_with_markup_in_its_texts(capsys: pytest.CaptureFixture[str]) -> None:
    unknown = {"limit": 5.0, "used": None, "ok": False, "margin": None, "unit": "ms", "origin": "emulated"}
    figures = [figure("latency.emulated", "Latency", None, "ms", "emulated")]
    report = {**REPORT, "figures": figures, "budget": {**REPORT["budget"], "latency": unknown}}
    report["reasons"] = ["[red]not markup[/]"]
    terminal.summarise(json.loads(json.dumps(report)), Path("b"), sys.stdout, drawn=False)
    text = capsys.readouterr().out
    assert "unknown of 5.0 ms" in text and "[red]not markup[/]" in text and "energy" not in text


@pytest.mark.parametrize(
    ("cautions", "head", "colour"),
    [([], "✓ pass  accuracy", "32"), (["one", "two"], "! pass, 2 cautions  accuracy", "33")],
)
def test_a_pass_with_cautions_is_yellow(
    monkeypatch: pytest.MonkeyPatch, cautions: list[str], head: str, colour: str
) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, color_system="standard", width=120, highlight=False)
    monkeypatch.setattr("rich.console.Console", lambda **_: console)
    report = {**REPORT, "verdict": "pass", "reasons": [], "cautions": cautions}
    terminal.summarise(report, Path("b"), stream, drawn=True)
    line = next(line for line in stream.getvalue().splitlines() if "pass" in line)
    assert f"\x1b[1;{colour}m{head.split('  ')[0]}" in line and head in re.sub(r"\x1b\[[0-9;]*m", "", line)


def test_a_strict_limit_of_accuracy(capsys: pytest.CaptureFixture[str]) -> None:
    line = {"limit": 0.8, "used": 0.5958, "ok": False, "margin": -0.2042, "unit": "share", "origin": "emulated"}
    report = {**REPORT, "budget": {**REPORT["budget"], "accuracy": line, "strict": True}}
    terminal.summarise(report, Path("b"), sys.stdout, drawn=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("accuracy 90.00 % (59.6 to 98.2, 95 %) of at least 80.00 %, strictly")
    assert "  accuracy     FAIL  59.58 % (lower end) of at least 80.00 %, 20.42 points below, emulated" in lines


def test_without_labels(capsys: pytest.CaptureFixture[str]) -> None:
    unknown = dict.fromkeys(("float", "int8", "device", "judged", "interval"))
    report = {**REPORT, "accuracy": {**REPORT["accuracy"], **unknown, "mismatches": 0}}
    terminal.summarise(report, Path("b"), sys.stdout, drawn=False)
    assert capsys.readouterr().out.startswith("invented: fail, 1 caution; accuracy not known: no labels\n")
