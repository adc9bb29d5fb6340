"""Text of others on pages and in their figures."""

import re
from xml.etree import ElementTree

import pytest

from mcubuild.report.figures import render
from mcubuild.report.plot import Axis, Box, Curve, Dot, Label, Plot, Rule


def written(text: str) -> str:
    """A page with ``text`` wherever text of others may stand."""
    axis = Axis(0, 10, text, ((3, text),))
    plot = Plot(
        text, axis, axis, [Box((1, 2), (3, 4), "live", text)], [Curve([(0, 0), (1, 1)], "train")],
        [Dot(1, 1, "chosen", text)], [Rule(3, text), Rule(4, text, vertical=True)], [Label(5, 5, text)],
        [("live", text)],
    )  # fmt: skip
    return render(text, text, [plot], [[text], [text]])


@pytest.mark.parametrize(
    "text",
    [
        "</title></svg><script>alert(1)</script>",
        '" onload="alert(1)',
        "' x='",
        "a\n\x1b[31m\0\u202e\u2066b",
        "&lt;&#60;",
        "{{ 7 * 7 }}",
    ],
)
def test_text_of_others_stays_text_in_figures(text: str) -> None:
    """The elements and attributes of a figure are those that it has with plain text, and what hides is escaped."""

    def structure(page: str) -> list[tuple[str, list[str]]]:
        assert all(letter.isprintable() or letter in "\n\N{NO-BREAK SPACE}" for letter in page)
        figure = ElementTree.fromstring(re.search(r"<figure>.*</figure>", page, re.DOTALL)[0])  # type: ignore[index]
        return [(element.tag, sorted(element.attrib)) for element in figure.iter()]

    page = written(text)
    assert structure(page) == structure(written("plain"))
    assert page.count("<") == written("plain").count("<")
    figure = ElementTree.fromstring(re.search(r"<figure>.*</figure>", page, re.DOTALL)[0])  # type: ignore[index]
    if text.isprintable():
        assert sum(text in (element.text, element.tail) for element in figure.iter()) == 11
