"""Names of files that tell about their content: ``{class}_{speaker}_{n}.wav``."""

import re

_PART = re.compile(r"\{(\w*)\}|\*|[^{*]+|\{")


def compile_pattern(pattern: str, *, classes: bool = True) -> re.Pattern[str]:
    """What finds the fields of ``pattern`` in a path, as named groups.

    A field ``{name}`` is one or more characters, and ``*`` any number; neither crosses a slash. What separates two of
    them in a folder's or file's name ends a field wherever it begins, so no field contains its first character: a name
    with one underscore more than the pattern is no match, rather than a class cut short.

    Raises:
        ValueError: the pattern has no ``{class}``, where names tell ``classes``, a field twice, or nothing between two.
    """
    names = list[str]()
    written = "/".join(_component(component, names) for component in pattern.split("/"))
    if classes and "class" not in names:
        raise ValueError(f"found {pattern!r}; one field must be {{class}}, as in {{class}}_{{speaker}}_{{n}}.wav")
    return re.compile(written)


def _component(pattern: str, names: list[str]) -> str:
    """The expression for a folder's or file's name; appends its fields to ``names``."""
    parts = list(_PART.finditer(pattern))
    wild = [part[0] == "*" or part[1] is not None for part in parts]
    separators = [parts[at][0][0] for at in range(1, len(parts) - 1) if wild[at - 1] and wild[at + 1]]
    inside = f"[^/{re.escape(''.join(separators))}]+"
    written = ""
    for at, part in enumerate(parts):
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
            if at + 1 < len(parts) and wild[at + 1]:
                between = f"{part[0]}{parts[at + 1][0]}"
                raise ValueError(f"found {between}: nothing tells where the first ends; write what stands between them")
            names.append(name)
            written += f"(?P<{name}>{inside})"
    return written
