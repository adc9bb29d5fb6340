"""report.md: short, complete rows, nothing that Markdown would take for its own."""

import re
from pathlib import Path

import pytest

from mcubuild.board import read_board
from mcubuild.report import artifacts, markdown, report
from mcubuild.report.key_figures import key_figures
from mcubuild.report.layers import TIMES
from mcubuild.report.model import Report, Start
from mcubuild.spec.budget import Budget
from mcubuild.spec.report import ReportSettings
from tests.report.invented_build import edit, write_build, write_remote


@pytest.fixture
def build(tmp_path: Path) -> Path:
    write_build(tmp_path)
    return tmp_path


def made(build: Path, latency: float | None = 0.05, title: str | None = None, accuracy: float | None = None) -> Report:
    files = {str(path.relative_to(build)): path for path in build.rglob("*") if path.is_file()}
    return report.make(
        artifacts.read(files),
        name="invented",
        board=read_board("stm32f412"),
        budget=Budget(sram=128 << 10, flash=512 << 10, latency=latency, accuracy=accuracy),
        settings=ReportSettings(title=title),
        conditions="",
        provenance={},
    )


def shown(report: Report) -> str:
    return markdown.render(report.model_copy(update={"figures": key_figures(report)}))


def check_tables(text: str) -> None:
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        columns = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert len(columns) == 1, table


def test_a_pass_says_what_is_left(build: Path) -> None:
    text = markdown.render(made(build))
    head = "## ✅ invented: pass\n\n**Accuracy 97.50 % (95.3 to 98.7, 95 %)** on 360 samples; no quality limit: "
    assert text.startswith(head + "`[budget] accuracy` sets one.\n\nWithin its budget; left: SRAM ")
    assert len(text) < 3000 and "<" not in text
    assert "emulated" in text and "measured" not in text
    assert len(re.findall(r"^\| \d+ ", text, re.MULTILINE)) == 5
    check_tables(text)


def test_a_failure_says_by_how_much(build: Path) -> None:
    text = markdown.render(made(build, latency=0.01, title="a | b <i> _c_"))
    assert r"## ❌ a \| b \<i\> \_c\_: fail" in text
    assert re.search(r"^- \*\*Latency is .* over its budget", text, re.MULTILINE)
    assert re.search(r"\| ❌ Latency \| .* \| \*\*\N{MINUS SIGN}", text)
    check_tables(text)


def test_cautions(build: Path) -> None:
    careful = made(build).model_copy(update={"cautions": [f"caution {n}" for n in range(7)]})
    text = markdown.render(careful)
    assert text.startswith("## ⚠️ invented: pass, 7 cautions\n")
    assert "> ⚠️ caution 4.\n> and 2 more in report.html.\n" in text and "caution 5" not in text


def test_a_limit_of_accuracy(build: Path) -> None:
    text = markdown.render(made(build, accuracy=0.98))
    assert "- **Accuracy is 0.50 points below its budget: 97.50 % of at least 98.00 %, emulated**" in text
    assert "the budget wants at least 98.00 %." in text
    row = "| ❌ Accuracy | 97.50 % | at least 98.00 % | **\N{MINUS SIGN}0.50 points** | emulated |"
    assert row in text
    check_tables(text)


def test_a_board(build: Path) -> None:
    write_remote(build)
    text = markdown.render(made(build))
    assert "**measured**: invented board (gdb)" in text and f"1.05 {TIMES} emulated" in text
    assert "| Outputs | 40 of 40 samples | **measured**: invented board (gdb) with the integer reference |" in text
    check_tables(text)


def test_no_cycle_model_and_no_limit(build: Path) -> None:
    unknown = {"cycles": None, "latency_ms": None, "zero_wait_cycles": None, "uncertainty": None}
    edit(build, "measure.json", **unknown, cycle_model="none")
    text = markdown.render(made(build, latency=None))
    assert (
        "| ✅ Latency | - | - | - |" in text.replace("\N{EN DASH}", "-")
        and "Slowest" not in text
        and "None" not in text
    )
    check_tables(text)


def test_tuned_kernels(build: Path) -> None:
    plain = made(build)
    assert "tuned" not in markdown.render(plain)
    text = shown(plain.model_copy(update={"provenance": {"artifacts": {"tune.json": "digest"}}}))
    assert "; of each layer the fastest kernel was taken, as emulated |" in text
    check_tables(text)


def test_where_the_weights_came_from(build: Path) -> None:
    plain = made(build)
    assert "| Start |" not in markdown.render(plain)
    start = Start(spec="a|b", space="w0.5-r32-s4", weights=1000, carried=973, classes=[])
    text = shown(plain.model_copy(update={"start": start}))
    assert "| Start | 97.30 % | counted: of the super network's weights, from a\\|b " in text and "w0.5-r32-s4" in text
    check_tables(text)
