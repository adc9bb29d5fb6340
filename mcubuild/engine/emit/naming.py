"""What the files with the network's C are called, so that several networks go into one firmware."""

PREFIX = "model"
"""Where the spec names none."""


def file_name(name: str, prefix: str) -> str:
    """What the file ``name`` of the network ``model`` is called for ``prefix``.

    The sources are: in some build systems the objects of all folders lie in one. ``README.md`` and ``CMakeLists.txt``
    have names that others look for.
    """
    stem, dot, suffix = name.partition(".")
    if prefix == PREFIX or suffix not in ("c", "h", "S"):
        return name
    return f"{prefix if stem == PREFIX else f'{prefix}_{stem}'}{dot}{suffix}"
