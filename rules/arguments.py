"""What follows a task on the command line: ``name=value``."""

from doit import get_var

from mcubuild.errors import BuildError


def whole_number(name: str, default: int, least: int = 1) -> int:
    """The whole number ``<name>=...``.

    Raises:
        BuildError: it is none, or below ``least``.
    """
    text = get_var(name, str(default))
    if not text.isdecimal() or int(text) < least:
        raise BuildError(f"{name}={text}: must be a whole number, at least {least}; such as {name}={default}.")
    return int(text)
