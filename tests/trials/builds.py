"""Files of build/ and of the store, damaged at random: the next build makes the same artifacts, and says so.

``python -m tests.trials.builds [--count N] [--seed N]`` prints how the trials ended, and what went wrong.
"""

import argparse
import os
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path
from random import Random

from tests.damage import DAMAGES
from tests.trials.build import BOTH, Small, digests

COUNT = 200


class Trials:
    """A finished build that is damaged and built again, over and over."""

    def __init__(self, folder: Path) -> None:
        self._small = Small(folder)
        run = self._small.doit("build", BOTH)
        assert run.code == 0, run.output
        self._right = digests(self._small)

    def trial(self, rng: Random) -> str:
        """Damage one to three files; an AssertionError is a wrong result. What was done."""
        path, done = self._small.path, []
        roots = {"build": path / "build", "store": self._small.store / "artifacts"}
        where = rng.choice(("build", "build", "build", "store"))
        if where == "store":  # which is read where build/ has nothing
            shutil.rmtree(path / "build")
        everything = sorted(file for file in roots[where].rglob("*") if file.is_file() and file.stat().st_size)
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
        return "; ".join(one.rpartition(": ")[2] for one in done[:1]) + f", {where}"


def main(count: int, seed: int) -> int:
    """Run ``count`` trials; how many went wrong."""
    ends, wrong = Counter[str](), 0
    with tempfile.TemporaryDirectory() as folder:
        trials = Trials(Path(folder, "first"))
        for number in range(count):
            try:
                ends[trials.trial(Random(f"damage {seed} {number}"))] += 1
            except Exception:
                wrong += 1
                print(f"trial {number}:", traceback.format_exc(), flush=True)
                trials = Trials(Path(folder, f"after {number}"))
    for what, times in sorted(ends.items()):
        print(f"{times:5}  {what}")
    print(f"{count} builds damaged, {wrong} wrong")
    return wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    sys.exit(min(main(asked.count, asked.seed), 1))
