"""The kinds of data sets: every module here defines one as ``KIND``, found by its name.

A new kind is two modules of that name: this one, and its keys in ``mcubuild/spec/datasets``. ``KIND`` says what its
samples are, from which files they come, and finds them: classes, labels, splits as far as they are given, and the
samples themselves, as image files, recordings or arrays (``mcubuild/data/samples.py``), alone or in archives
(``mcubuild/data/files.py``). Splitting, hashing, decoding and checking are the same for all
(``mcubuild/data/dataset.py``).

Of data that everybody can get it says, too, which of the published files are lacking: they are looked for in ``path``
or where all specs look (``mcubuild/data/places.py``). If the keys alone say how many classes there are and how large
samples may be (``DatasetSettings.outline``), it is ``foretold``, and search spaces are compared without the data.

A project's own kind is one file, ``kinds/<kind>.py``, with a ``KIND`` and, in a function ``settings``, its keys
(``mcubuild/spec/own.py``).

The task graph asks for a kind's files, so its module imports nothing heavy outside of functions.
"""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from mcubuild.data.kinds.base import Kind
from mcubuild.data.own_kinds import own_kind
from mcubuild.spec import own


@cache
def brought() -> frozenset[str]:
    """The names of the kinds that mcubuild brings."""
    return frozenset(module.name for module in iter_modules(__path__) if module.name != "base")


def names() -> list[str]:
    """The names of all kinds.

    Raises:
        BuildError: a file of the project has a name that no kind can have.
    """
    return sorted({*brought(), *own.names(), *own.packaged()})


def kind(name: str) -> Kind:
    """The kind called ``name``, one of ``names()``.

    Raises:
        BuildError: it is the project's own, or of another package, and there is something wrong with it.
    """
    source = own.origin(name, packages=name not in brought())
    if source is not None:
        return own_kind(source)
    found: Kind = import_module(f"{__name__}.{name}").KIND
    return found
