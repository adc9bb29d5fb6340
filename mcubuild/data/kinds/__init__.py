"""The kinds of data sets: every module here defines one as ``KIND``, found by its name.

A new kind is two modules of that name: this one, and its keys in ``mcubuild/spec/datasets``. ``KIND`` says what its
samples are, from which files they come, and finds them: classes, labels, splits as far as they are given, and the
samples themselves, as image files, recordings or arrays (``mcubuild/data/samples.py``), alone or in archives
(``mcubuild/data/files.py``). Splitting, hashing, decoding and checking are the same for all
(``mcubuild/data/dataset.py``).

Of data that everybody can get it says, too, which of the published files are lacking: they are looked for in ``path``
or where all specs look (``mcubuild/data/places.py``). If the keys alone say how many classes there are and how large
samples may be (``DatasetSettings.outline``), it is ``foretold``, and search spaces are compared without the data.

The task graph asks for a kind's files, so its module imports nothing heavy outside of functions.
"""

from importlib import import_module
from pkgutil import iter_modules

from mcubuild.data.kinds.base import Kind


def names() -> list[str]:
    """The names of all kinds."""
    return sorted(module.name for module in iter_modules(__path__) if module.name != "base")


def kind(name: str) -> Kind:
    """The kind called ``name``, one of ``names()``."""
    found: Kind = import_module(f"{__name__}.{name}").KIND
    return found
