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

REPORT: dict[str, Any] = {
    "name": "invented",
    "verdict": "fail",
    "reasons": ["Flash is 512 B (50.0%) over its budget: 1.5 kB of 1.0 kB"],
    "cautions": ["The firmware classified 10 of the 360 test samples"],
    "test_set": {"digest": "0123456789abcdef"},
    "accuracy": {
        "float": 0.98, "int8": 0.97, "device": 0.9, "samples": 360,
        "judged": 0.9, "judged_samples": 10, "interval": [0.5958, 0.9821], "metric": "accuracy",
        "intervals": {"float": [0.9597, 0.9902], "int8": [0.9470, 0.9832], "device": [0.5958, 0.9821]},
    },
    "samples": 10,
    "instructions": {"min": 1e6, "mean": 1234567.0, "max": 2e6},
    "cycles": {"min": 1e6, "mean": 2345678.0, "max": 3e6},
    "cycle_model": "invented model",
    "uncertainty": 0.2,
    "latency_ms": 23.4,
    "energy_mj": 1.5,
    "latency_model": {
        "estimated": 2300000,
        "scale": 1.0,
        "error": -0.0195,
        "elsewhere": {"networks": 50, "worst": -0.031},
    },
    "board": {"active_power_mw": 64.0},
    "start": None,
    "remote": None, "author": None,
    "search": None,
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
    shares = "float 98.00 % (96.0 to 99.0) -> int8 97.00 % (94.7 to 98.3, 360 samples)"
    assert f"  accuracy     {shares} -> device 90.00 % (59.6 to 98.2, 10)" in lines
    assert "  SRAM         ok    1.0 kB of 4.0 kB, 3.0 kB free" in lines
    assert "  Flash        FAIL  1.5 kB of 1.0 kB, 512 B over" in lines
    assert "  latency      ok    23.4 ms, no limit" in lines
    assert "  cycles       2,345,678 = 23.4 ms, emulated: invented model ± 20 %" in lines
    estimate = "2,300,000 cycles before anything was built (-1.9 %); on 50 random networks within 3.1 %"
    assert f"  estimate     {estimate}" in lines
    assert "  energy       1.5 mJ, modelled: 64 mW active power x time" in lines
    assert lines[-1].endswith("build/invented/report.html")
    assert "\x1b" not in "".join(lines)


def test_what_an_estimate_rests_on(capsys: pytest.CaptureFixture[str]) -> None:
    model = {"estimated": 9_000_000, "scale": 4.1, "error": 0.01, "elsewhere": None}
    terminal.summarise({**REPORT, "latency_model": model}, Path("build"), sys.stdout, drawn=False)
    told = "9,000,000 cycles before anything was built, 4.10 times the engine's (+1.0 %); of other networks not known"
    assert told in capsys.readouterr().out


def test_where_the_weights_came_from(capsys: pytest.CaptureFixture[str]) -> None:
    start = {"spec": "photos", "space": "w0.5-r32-s4", "weights": 1000, "carried": 973, "classes": []}
    terminal.summarise({**REPORT, "start": start}, Path("build"), sys.stdout, drawn=False)
    assert "  start        97.3 % of the super network's weights from photos (w0.5-r32-s4)\n" in capsys.readouterr().out


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
    report = {**REPORT, "cycles": None, "energy_mj": None, "budget": {**REPORT["budget"], "latency": unknown}}
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
