"""Builds of one spec beside each other."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mcubuild.report.variants import Variant, aligned, page, table
from mcubuild.tasks.interval import wilson


def report(
    latency: float, ok: bool = True, accuracy: float | None = 0.9, metric: str = "accuracy", sram: int = 2048
) -> dict[str, Any]:
    line = {"used": None, "ok": True}
    return {
        "verdict": "pass" if ok else "fail",
        "cautions": [],
        "cycles": None if accuracy is None else {"mean": 1234567.4},
        "accuracy": {
            "metric": metric,
            "judged": accuracy,
            "interval": None if accuracy is None else wilson(accuracy, 100),
        },
        "budget": {
            "latency": {"used": latency, "ok": ok, "unit": "ms"},
            "sram": {"used": sram, "ok": True, "unit": "B"},
            "flash": {"used": 4096, "ok": True, "unit": "B"},
            "energy": line,
            "accuracy": {"ok": True},
        },
    }


BUILDS = [
    Variant("net-a-8", {"board": "a", "bits": 8}, report(5.0)),
    Variant("net-a-4", {"board": "a", "bits": 4}, report(7.0, ok=False)),
    Variant("net-b-8", {"board": "b", "bits": 8}, None),
]


def test_tables_of_a_spec_are_shown_without_braces() -> None:
    titles, row = table([Variant("net-w4", {"bits": {"weights": 4, "activations": 4}}, None)])
    assert row[titles.index("bits")] == "weights 4, activations 4"


def test_a_row_a_build() -> None:
    rows = table(BUILDS)
    assert rows[0] == ["build", "board", "bits", "verdict", "accuracy", "cycles", "latency", "SRAM", "Flash"]
    assert rows[1][:6] == ["net-a-8", "a", "8", "pass", "90.00 % (82.6 to 94.5)", "1,234,567"]
    assert rows[1][6:] == ["5.0 ms", "2.0 kB", "4.0 kB"]
    assert rows[2][3:7] == ["fail", "90.00 % (82.6 to 94.5)", "1,234,567", "7.0 ms !"]
    assert rows[3] == ["net-b-8", "b", "8", "not built", "", "", "", "", ""]
    assert len({line.index("8") for line in list(aligned(rows))[1:2]}) == 1


LINKS = {"net-a-8": "../net-a-8/report.html", "net-a-4": "../net-a-4/report.html"}


def test_the_page_leads_to_the_reports() -> None:
    text = page("net", "builds", BUILDS, LINKS)
    assert '<a href="../net-a-4/report.html">net-a-4</a>' in text and "<td>net-b-8</td>" in text
    assert "Accuracy against latency" in text
    assert "Accuracy against SRAM" in text and "Accuracy against Flash" in text
    assert "Accuracy against" not in page("net", "", [Variant("n", {"bits": 8}, report(1.0, accuracy=None))], {})


def test_scores_of_two_kinds_are_told_apart() -> None:
    both = [*BUILDS, Variant("boxes", {"board": "a"}, report(9.0, accuracy=0.4, metric="mAP@0.5"))]
    assert "score" in table(both)[0]
    assert table(both)[1][4] == "90.00 % accuracy (82.6 to 94.5)"
    text = page("all", "", both, {})
    charts = re.findall(r"<h3>(.*?)</h3>.*?</figure>", text, re.S)
    assert charts == [
        "Accuracy against latency",
        "Accuracy against Flash",
        "Accuracy against SRAM",
        "mAP@0.5 against latency",
        "mAP@0.5 against Flash",
        "mAP@0.5 against SRAM",
    ]
    assert text.count("<title>boxes: 40.00 %, 9.0 ms</title>") == 1


def test_a_build_without_a_report_of_its_own_has_no_figure() -> None:
    [_, row] = table([Variant("old", {}, None, "of an older spec: search is to be made")])
    assert row == ["old", "of an older spec: search is to be made", ""]


@pytest.mark.needs("node")
def test_a_click_sorts_the_table(tmp_path: Path) -> None:
    """The page's own script, with as much of a browser as it asks for."""
    builds = [
        Variant("slow", {}, report(1500.0, sram=10)),
        Variant("none", {}, None),
        Variant("fast", {}, report(90.0, sram=30_000)),
        Variant("middle", {}, report(100.0, sram=20_000)),
    ]
    text = page("net", "", builds, {})
    cells = [re.findall(r'<td(?: data-value="([^"]*)")?>([^<]*)</td>', row) for row in text.split("<tr>")[2:]]
    script = text.split("<script>")[1].split("</script>")[0]
    browser = f"""
    const rows = {json.dumps(cells)}.map(cells => ({{children: cells.map(([value, textContent]) =>
        ({{textContent, dataset: value === "" ? {{}} : {{value}}}}))}}));
    const body = {{rows, append: (...sorted) => {{ body.rows = sorted; }}}};
    const titles = {json.dumps(table(builds)[0])}, head = {{}};
    const buttons = titles.map(() => ({{parentElement: {{parentElement: head}}}}));
    head.children = buttons.map(button => button.parentElement);
    globalThis.document = {{querySelector: () => body, querySelectorAll: () => buttons}};
    (0, eval)({json.dumps("(() => {" + script + "})()")});
    for (const title of ["latency", "latency", "SRAM", "build"]) {{
        buttons[titles.indexOf(title)].onclick();
        console.log(body.rows.map(row => row.children[0].textContent).join(" "));
    }}"""
    path = tmp_path / "it.js"
    path.write_text(browser)
    told = subprocess.run(["node", path], capture_output=True, text=True, check=True).stdout.splitlines()
    assert told == [
        "fast middle slow none",
        "slow middle fast none",
        "slow middle fast none",
        "fast middle none slow",
    ]
