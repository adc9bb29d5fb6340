"""What a change did to builds, as a comment on it; no pydantic, as reports are read that other versions wrote, too."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcubuild import escape
from mcubuild.report.amounts import amount, standing
from mcubuild.report.interval import bounds
from mcubuild.tasks.interval import wilson

_MEMORY = {"sram": "SRAM", "flash": "Flash"}
_NOTHING = "\N{EN DASH}"


@dataclass(frozen=True)
class Tolerance:
    """What may get worse."""

    slower: float
    """Share of the latency."""
    larger: float
    """Share of SRAM, and of Flash."""


@dataclass(frozen=True)
class Compared:
    """A build before and after; the content of its report.json."""

    name: str
    before: Mapping[str, Any] | None
    """None where it is not known."""
    after: Mapping[str, Any] | None
    """None where it could not be built."""
    known: bool = True
    """Whether there was such a build before."""


def worse(one: Compared, tolerance: Tolerance) -> Iterator[str]:
    """What a reviewer has to know, and what fails the check: a broken budget, or more than may get worse."""
    if one.after is None:
        yield f"{one.name}: could not be built"
        return
    if one.after["verdict"] != "pass":
        yield f"{one.name}: the budget is broken: {'; '.join(one.after['reasons'])}"
    if one.before is None:
        return
    for key, title, share in (
        ("latency", "latency", tolerance.slower),
        *((key, title, tolerance.larger) for key, title in _MEMORY.items()),
    ):
        before, after = (report["budget"][key]["used"] for report in (one.before, one.after))
        if before is not None and after is not None and after > before * (1 + share):
            unit = one.after["budget"][key]["unit"]
            grown = f"{amount(before, unit)} -> {amount(after, unit)} ({after / before - 1:+.1%}, {share:.1%} allowed)"
            yield f"{one.name}: {title} got worse: {grown}"
    before, after = (report["accuracy"]["judged"] for report in (one.before, one.after))
    if before is None or after is None or not _same_samples(one.before, one.after):
        return
    low, _ = _interval(one.before)
    if after < low:
        least = f"{amount(low, 'share')} is the lower end of the 95 % interval before"
        yield f"{one.name}: accuracy got worse: {amount(before, 'share')} -> {amount(after, 'share')}; {least}"


def _same_samples(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    return bool(before["test_set"]["digest"] == after["test_set"]["digest"])


def comment(
    found: Sequence[Compared],
    removed: Sequence[str],
    broken: Mapping[str, str],
    tolerance: Tolerance,
    commit: str,
    links: str | None,
) -> str:
    """GitHub's Markdown, which GitLab reads, too.

    Args:
        found: the builds that are not what they were.
        removed: names of builds that are no more.
        broken: why specs are not valid, by name.
        tolerance: what may get worse.
        commit: the one that is compared with.
        links: where the reports of builds will be, as folders called like them, if anywhere.
    """
    reasons = [reason for one in found for reason in worse(one, tolerance)]
    reasons += [f"{name}: {why}" for name, why in broken.items()]
    count = f"{len(found)} build{'s' * (len(found) != 1)} changed" if found else "no build changed"
    lines = [f"## {'❌' if reasons else '✅'} Firmware: {count} since `{commit[:12]}`", ""]
    lines += [f"- **{escape.markdown(reason)}**" for reason in reasons]
    lines += [""] * bool(reasons)
    if found:
        lines += ["| build | verdict | accuracy | latency | SRAM | Flash | report |", "|---|---|---|---|---|---|---|"]
        lines += ["| " + " | ".join(_row(one, links)) + " |" for one in found]
        lines.append("")
    if removed:
        lines += [f"No longer built: {', '.join(map(escape.markdown, removed))}.", ""]
    if other := [one.name for one in found if one.before and one.after and not _same_samples(one.before, one.after)]:
        names = ", ".join(map(escape.markdown, other))
        lines += [
            f"Judged on other test samples than before, so accuracies are not held against each other: {names}.",
            "",
        ]
    if unknown := [one.name for one in found if one.known and one.before is None]:
        names = ", ".join(map(escape.markdown, unknown))
        lines += [f"Not known before, as the store does not have that build: {names}.", ""]
    lines.append(
        f"Fails where a budget is broken, latency grows by more than {tolerance.slower:.1%}, SRAM or Flash by more "
        f"than {tolerance.larger:.1%}, or accuracy falls below the 95 % interval that it had."
    )
    return "\n".join(lines) + "\n"


def _row(one: Compared, links: str | None) -> Iterator[str]:
    name = escape.markdown(one.name)
    yield name if one.known else f"{name} (new)"
    if one.after is None:
        yield from ("❌ not built", *[_NOTHING] * 5)
        return
    mark = "❌" if one.after["verdict"] != "pass" else "⚠️" if one.after["cautions"] else "✅"
    yield f"{mark} {standing(one.after['verdict'], one.after['cautions'])}"
    reports = [report for report in (one.before, one.after) if report is not None]
    yield " → ".join(map(_accuracy, reports))
    for key in ("latency", *_MEMORY):
        yield _changed([report["budget"][key] for report in reports])
    yield f"[report]({links.rstrip('/')}/{one.name}/report.html)" if links else f"`build/{one.name}/report.html`"


def _accuracy(report: Mapping[str, Any]) -> str:
    judged = report["accuracy"]["judged"]
    return _NOTHING if judged is None else f"{amount(judged, 'share')} ({bounds(_interval(report))})"


def _interval(report: Mapping[str, Any]) -> tuple[float, float]:
    """Of the score that is judged; reports of versions that knew but one task do not have it."""
    accuracy = report["accuracy"]
    low, high = accuracy.get("interval") or wilson(accuracy["judged"], accuracy["judged_samples"])
    return low, high


def _changed(lines: Sequence[Mapping[str, Any]]) -> str:
    used = [line["used"] for line in lines]
    texts = [_NOTHING if line["used"] is None else amount(line["used"], line["unit"]) for line in lines]
    if len(set(used)) == 1:
        return texts[-1]
    share = "" if None in used or not used[0] else f" ({used[-1] / used[0] - 1:+.1%})"
    return " → ".join(texts) + share
