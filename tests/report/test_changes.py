"""What a change did to builds."""

from typing import Any

import pytest

from mcubuild.report.changes import Compared, Tolerance, comment, worse

STATED = Tolerance(slower=0.05, larger=0.01)


def report(**changes: Any) -> dict[str, Any]:
    values = {
        "latency": 10.0, "sram": 10_000, "flash": 50_000, "accuracy": 0.9, "verdict": "pass", "samples": "a", **changes
    }  # fmt: skip
    units = {"latency": "ms", "sram": "B", "flash": "B"}
    return {
        "verdict": values["verdict"],
        "reasons": ["SRAM: 1 B over"] if values["verdict"] == "fail" else [],
        "cautions": [],
        "accuracy": {"judged": values["accuracy"], "judged_samples": 400},
        "test_set": {"digest": values["samples"]},
        "budget": {key: {"used": values[key], "unit": unit} for key, unit in units.items()},
    }


@pytest.mark.parametrize(
    ("after", "told"),
    [
        ({}, None),
        ({"latency": 10.4, "sram": 10_100, "accuracy": 0.88}, None),
        ({"latency": 10.6}, "latency got worse: 10.0 ms -> 10.6 ms (+6.0%, 5.0% allowed)"),
        ({"sram": 10_200}, "SRAM got worse"),
        ({"flash": 51_000}, "Flash got worse"),
        ({"accuracy": 0.86}, "accuracy got worse: 90.00 % -> 86.00 %; 86.67 % is the lower end"),
        ({"accuracy": 0.5, "samples": "b"}, None),
        ({"verdict": "fail"}, "the budget is broken: SRAM: 1 B over"),
        ({"latency": None}, None),
    ],
)
def test_what_got_worse(after: dict[str, Any], told: str | None) -> None:
    found = list(worse(Compared("net", report(), report(**after)), STATED))
    assert len(found) == (told is not None)
    assert told is None or told in found[0]


def test_what_could_not_be_built_and_what_is_new() -> None:
    assert list(worse(Compared("net", report(), None), STATED)) == ["net: could not be built"]
    assert not list(worse(Compared("net", None, report(latency=99.0), known=False), STATED))


def test_the_comment() -> None:
    found = [
        Compared("net", report(), report(latency=12.0)),
        Compared("new_net", None, report(), known=False),
        Compared("old", None, report()),
        Compared("gone", report(), None),
        Compared("other", report(), report(samples="b")),
    ]
    text = comment(found, ["left"], {"typo": "x|y"}, STATED, "0123456789abcdef", "https://r.example/")
    assert text.startswith("## ❌ Firmware: 5 builds changed since `0123456789ab`")
    assert "10.0 ms → 12.0 ms (+20.0%)" in text and "(https://r.example/net/report.html)" in text
    assert r"new\_net (new)" in text and "Not known before" in text and "No longer built: left." in text
    assert r"typo: x\|y" in text and "❌ not built" in text and "Judged on other test samples" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {row.replace(r"\|", "").count("|") for row in rows} == {8}
    quiet = comment([], [], {}, STATED, "0" * 40, None)
    assert quiet.startswith("## ✅ Firmware: no build changed since")
