"""``python -m tests.trials <kind> [--count N] [--seed N] [--only N]``; a kind is a module of ``tests.trials.kinds``."""

import argparse
import importlib
import pkgutil
import sys

from tests.trials import kinds
from tests.trials.trial import run


def main() -> int:
    """Print how many trials ended in which way; 1 if any ended badly."""
    names = sorted(module.name for module in pkgutil.iter_modules(kinds.__path__))
    parser = argparse.ArgumentParser(prog="python -m tests.trials", description=__doc__)
    parser.add_argument("kind", nargs="*", choices=names, default=names)
    parser.add_argument("--count", type=int, help="trials; default: as many as the kind says")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="repeat the trial of this number alone")
    asked = parser.parse_args()
    bad = 0
    for name in asked.kind:
        kind = importlib.import_module(f"{kinds.__name__}.{name}")
        numbers = range(asked.count or kind.COUNT) if asked.only is None else (asked.only,)
        summary = run(name, kind.trial, numbers, asked.seed, kind.PATIENCE)
        print(*summary.lines(), sep="\n", flush=True)
        bad += len(summary.bad)
    return min(bad, 1)


if __name__ == "__main__":
    sys.exit(main())
