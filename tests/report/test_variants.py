"""Builds of one spec beside each other."""

from typing import Any

from mcubuild.report.variants import Variant, aligned, page, table
from mcubuild.tasks.interval import wilson


def report(latency: float, ok: bool = True, accuracy: float | None = 0.9) -> dict[str, Any]:
    line = {"used": None, "ok": True}
    return {
        "verdict": "pass" if ok else "fail",
        "cautions": [],
        "cycles": None if accuracy is None else {"mean": 1234567.4},
        "accuracy": {"judged": accuracy, "interval": None if accuracy is None else wilson(accuracy, 100)},
        "budget": {
            "latency": {"used": latency, "ok": ok},
            "sram": {"used": 2048, "ok": True},
            "flash": {"used": 4096, "ok": True},
            "energy": line,
            "accuracy": {"ok": True},
        },
    }


BUILDS = [
    Variant("net-a-8", {"board": "a", "bits": 8}, report(5.0)),
    Variant("net-a-4", {"board": "a", "bits": 4}, report(7.0, ok=False)),
    Variant("net-b-8", {"board": "b", "bits": 8}, None),
]


def test_a_row_a_build() -> None:
    rows = table(BUILDS)
    assert rows[0] == ["build", "board", "bits", "verdict", "accuracy", "cycles", "latency", "SRAM", "Flash"]
    assert rows[1][:6] == ["net-a-8", "a", "8", "pass", "90.00 % (82.6 to 94.5)", "1,234,567"]
    assert rows[1][6:] == ["5.0 ms", "2.0 kB", "4.0 kB"]
    assert rows[2][3:7] == ["fail", "90.00 % (82.6 to 94.5)", "1,234,567", "7.0 ms !"]
    assert rows[3] == ["net-b-8", "b", "8", "not built", "", "", "", "", ""]
    assert len({line.index("8") for line in list(aligned(rows))[1:2]}) == 1


def test_the_page_leads_to_the_reports() -> None:
    text = page("net", "what is compared", BUILDS)
    assert '<a href="../net-a-4/report.html">net-a-4</a>' in text and "<td>net-b-8</td>" in text
    assert "what is compared; accuracy" in text
    assert all(f"Accuracy against {name}" in text for name in ("latency", "Flash", "SRAM"))
    assert "Accuracy against" not in page("net", "", [Variant("n", {"bits": 8}, report(1.0, accuracy=None))])
