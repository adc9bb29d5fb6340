"""Damaged files: a few are left out and told, of more the data set is refused."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from mcubuild.data.checks import counted
from mcubuild.data.files import File
from mcubuild.errors import BuildError


class DamagedError(BuildError):
    """A file cannot be read, and why: ``what`` follows its name in messages."""

    def __init__(self, file: File, what: str) -> None:
        super().__init__(f"{file}: {what}; replace or remove it.")
        self.what = what


class Damage:
    """The files of a data set that cannot be read, and why."""

    def __init__(self, noun: str) -> None:
        """``noun`` is what messages call such files: ``images``."""
        self._noun = noun
        self._found: dict[File, DamagedError] = {}

    @contextmanager
    def noted(self, file: File) -> Iterator[None]:
        """Note if ``file``, which is read meanwhile, cannot be read."""
        try:
            yield
        except DamagedError as error:
            self._found[file] = error

    def note(self, found: Iterable[tuple[File, str]]) -> None:
        """Note files that another process could not read, and why: as ``DamagedError.what``."""
        self._found.update({file: DamagedError(file, what) for file, what in found})

    def refuse_more_than(self, share: float, count: int) -> None:
        """See that of ``count`` files at most a ``share`` cannot be read.

        Raises:
            BuildError: there are more.
        """
        if len(self._found) <= share * count:
            return
        file, first = next(iter(self._found.items()))
        if len(self._found) == 1:
            raise first
        listed = counted(f"damaged {self._noun}", [file.name for file in self._found], count)
        raise BuildError(
            f"{file}: {first.what}; {listed}, more than dataset.corrupt = {share:g} allows; replace or remove them."
        )

    def cautions(self, count: int) -> tuple[str, ...]:
        """What is told of those that were left out, of ``count`` files."""
        if not self._found:
            return ()
        what = f"{self._noun[0].upper()}{self._noun[1:]} that cannot be read were left out"
        return (counted(what, [file.name for file in self._found], count),)
