"""What MCUNet's authors report of networks that they found, beside what specs gave here."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from mcubuild.report.interval import score_text
from mcubuild.report.model import Report
from mcubuild.units import format_size, format_time


@dataclass(frozen=True)
class Published:
    """One figure of the paper (arXiv 2007.10319)."""

    spec: str
    """The spec that asks for the same: data set, board, memories, frames a second."""
    data: str
    accuracy: str
    """Of the paper's network, as printed there."""
    where: str
    """In the paper."""


_INT4 = "int4 weights and activations; table 4"
PUBLISHED: tuple[Published, ...] = (
    Published("imagenet_f746", "ImageNet", "61.8 %", "int8"),
    Published("imagenet_f412_int4", "ImageNet", "62.0 %", _INT4),
    Published("imagenet_f746_int4", "ImageNet", "63.5 %", _INT4),
    Published("imagenet_f765_int4", "ImageNet", "65.9 %", _INT4),
    Published("imagenet_h743_int4", "ImageNet", "70.7 %", _INT4),
    Published("vww_f412", "Visual Wake Words", "over 90 %", "int8"),
    Published("vww_f746", "Visual Wake Words", "over 90 %", "int8"),
    Published("speech_f746", "Speech Commands", "91 %", "int8, 10 frames a second"),
)
_NOTE = (
    "Figures of the paper are its authors', on silicon; here accuracy is that of the firmware on the test samples with",
    "its 95 % interval, and latency is emulated. With bits = 4, weights have 4 bits here and activations 8.",
)


def lines(builds: Mapping[str, Report], reasons: Mapping[str, str]) -> Iterator[str]:
    """The table, line by line.

    Args:
        builds: the reports that there are, by the name of the spec.
        reasons: why a spec was not built, by its name.
    """
    rows: list[tuple[str, ...]] = [("data set", "spec", "paper", "here", "SRAM", "Flash", "latency")]
    rows += [_row(one, builds.get(one.spec), reasons.get(one.spec, "not built here")) for one in PUBLISHED]
    widths = [max(len(row[column]) for row in rows if len(row) > column) for column in range(len(rows[0]))]
    widths[3] = max(len(row[3]) for row in rows if len(row) > 4)  # a reason runs over the columns behind it
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
    yield from ("", *_NOTE)


def _row(one: Published, report: Report | None, reason: str) -> tuple[str, ...]:
    told = (one.data, one.spec, f"{one.accuracy} ({one.where})")
    if report is None:
        return (*told, reason)
    accuracy = report.accuracy
    share = "no labels" if accuracy.judged is None else score_text(accuracy.judged, accuracy.interval)
    latency = "not known" if report.latency_ms is None else format_time(report.latency_ms / 1e3)
    return (*told, share, format_size(report.sram_bytes), format_size(report.flash_bytes), latency)


def specs() -> Iterable[str]:
    """The names of the specs that the table is about."""
    return [one.spec for one in PUBLISHED]
