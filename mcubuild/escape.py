"""Text of users as part of another language: one function a language, and a type that templates can't print without."""

import html
import re
import shlex
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcubuild.errors import printable, shortened

if TYPE_CHECKING:
    import jinja2

_JOINERS = "\u200c\u200d"
"""Join, or keep apart, the letters of some scripts, and emoji."""
_LONGEST = 200
"""Characters of a comment or heading that anybody reads."""


@dataclass(frozen=True)
class Text:
    """Somebody's text (the name of a spec, a tensor, a class or a board) on its way into a template.

    A template that prints it as it is fails: only the filters of ``add_filters`` make of it what cannot become code.
    """

    text: str

    def __str__(self) -> str:
        raise TypeError(f"{self.text!r} is the user's text; a template needs a filter to print it: | c_comment, ...")


def c_comment(text: str) -> str:
    """``text`` for the inside of ``/* ... */`` in C, assembly and linker scripts: it neither ends nor nests one."""
    return re.sub(r"\*(?=/)|/(?=\*)", r"\g<0> ", shortened(printable(text), _LONGEST))


def line_comment(text: str) -> str:
    """``text`` behind ``# `` in a CMake file: one line."""
    return shortened(printable(text), _LONGEST)


def c_string(text: str) -> str:
    r"""``text`` as a C string literal with its quotes, in ASCII: ``"a \"b\"\303\251"``; bytes are those of UTF-8.

    Octal escapes have three digits, so what follows can't be read as part of them; nor are there trigraphs.
    """
    plain = frozenset(range(0x20, 0x7F)) - frozenset(b'"\\?')
    encoded = text.encode(errors="backslashreplace")
    return '"' + "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in encoded) + '"'


def shell_word(text: str) -> str:
    """``text`` as one word of a command that a message tells the user to run."""
    return shlex.quote(printable(text))


def markdown(text: str) -> str:
    """``text`` in one line with what Markdown and HTML would interpret escaped."""
    return re.sub(r"([\\`*_\[\]<>|#~&!$])", r"\\\1", printable(text))


def xml(text: str) -> str:
    """``text`` in one line for the inside of an element or of an attribute in double quotes."""
    return html.escape(shortened(printable(text), _LONGEST))


def visible(text: str) -> str:
    """``text`` for a page: spaces and joined characters of any script stay, what hides or reorders text is escaped."""
    return "".join(
        letter.encode("unicode_escape").decode()
        if unicodedata.category(letter)[0] == "C" and letter not in _JOINERS
        else letter
        for letter in text
    )


def add_filters(environment: "jinja2.Environment") -> None:
    """Let the templates of ``environment`` print ``Text``, by the functions of this module."""
    for function in (c_comment, line_comment, c_string, markdown, xml):
        environment.filters[function.__name__] = lambda text, function=function: function(
            text.text if isinstance(text, Text) else text
        )
