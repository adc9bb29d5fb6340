"""Names of files that tell about their content: ``{class}_{speaker}_{n}.wav``."""

import re

_PART = re.compile(r"\{(\w*)\}|\*|[^{*]+|\{")


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """What finds the fields of ``pattern`` in a path, as named groups.

    A field ``{name}`` is one or more characters, and ``*`` any number; neither crosses a slash. A field does not
    contain the character that follows it in the pattern either: a name that could be read in two ways is no match.

    Raises:
        ValueError: the pattern has no ``{class}``, a field twice, or nothing between two fields.
    """
    parts = list(_PART.finditer(pattern))
    written, names = "", list[str]()
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        name = part[1]
        if part[0] == "*":
            written += "[^/]*"
        elif name is None:
            written += re.escape(part[0])
        else:
            if not name.isidentifier():
                raise ValueError(f"found {part[0]!r}; a field is a name in braces, such as {{class}} or {{speaker}}")
            if name in names:
                raise ValueError(f"found {{{name}}} twice; give the second field another name")
            if following is not None and (following[0] == "*" or following[1] is not None):
                raise ValueError(
                    f"found {part[0]}{following[0]}: nothing tells where the first ends; write what stands between them"
                )
            names.append(name)
            end = re.escape(following[0][0]) if following else ""
            written += f"(?P<{name}>[^/{end}]+)"
    if "class" not in names:
        raise ValueError(f"found {pattern!r}; one field must be {{class}}, as in {{class}}_{{speaker}}_{{n}}.wav")
    return re.compile(written)
