"""Files of build/ and of the store, damaged at random: the next build makes the same artifacts, and says so."""

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from random import Random

from tests.damage import DAMAGES
from tests.trials.build import BOTH, Small, digests

COUNT = 200
PATIENCE = 600.0
SLOW = True


class _Damaged:
    """A finished build that is damaged and built again, over and over."""

    def __init__(self, folder: Path) -> None:
        self._small = Small(folder)
        run = self._small.doit("build", BOTH)
        assert run.code == 0, run.output
        self._right = digests(self._small)

    def again(self, rng: Random) -> None:
        """Damage one to three files and build."""
        path, done = self._small.path, []
        roots = {"build": path / "build", "store": self._small.store / "artifacts"}
        where = rng.choice(("build", "build", "build", "store"))
        if where == "store":  # which is read where build/ has nothing
            shutil.rmtree(path / "build")
        everything = sorted(file for file in roots[where].rglob("*") if file.is_file() and file.stat().st_size)
        everything = [file for file in everything if file.name != ".lock"]  # no artifact: a damaged one is refused
        for file in rng.sample(everything, rng.randint(1, 3)):
            status, name = file.stat(), rng.choice(sorted({*DAMAGES} - {"link"}))
            DAMAGES[name](file)
            if rng.random() < 0.5 and file.is_file() and not file.is_symlink():
                os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
                name += " (time kept)"
            done.append(f"{file.relative_to(roots[where])}: {name}")
        what = "; ".join(done)
        run = self._small.doit("-n", rng.choice(("0", "2")), "build", BOTH)
        assert run.code == 0 and "Traceback" not in run.output, f"{what}: {run.output}"
        found = digests(self._small)
        assert found == self._right, f"{what}: other artifacts: {sorted({*found.items()} ^ {*self._right.items()})}"
        if where == "build":
            undone = self._small.doit("build", BOTH)
            assert not undone.did("built") | undone.did("from store"), f"{what}, after it: {undone.output}"


@cache
def _first() -> _Damaged:
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return _Damaged(Path(folder.name))


def trial(rng: Random, folder: Path) -> None:
    """Damage files of a finished build and build again."""
    try:
        _first().again(rng)
    except BaseException:
        _first.cache_clear()  # the next trial begins with a sound build
        raise
