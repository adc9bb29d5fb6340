"""The formats: a module each, called as ``format=`` says, with a ``FORMAT``."""

from pkgutil import iter_modules


def names() -> tuple[str, ...]:
    """What formats are called, sorted; nothing of them is imported."""
    return tuple(sorted(module.name for module in iter_modules(__path__)))
