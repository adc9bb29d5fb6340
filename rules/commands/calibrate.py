"""Costs of a core's kernels, fitted to emulated runs and written to mcubuild/cores: ``doit calibrate core=<core>``."""

from typing import Any

from mcubuild import ROOT
from mcubuild.errors import BuildError
from rules.commands.bench import run, workbench_of
from rules.execute import code_files, code_of
from rules.options import CORE, KERNELS, usage
from rules.stages import firmware, measure


def _calibrate() -> None:
    from mcubuild.bench.calibrate import fits, lines, measured, updated
    from mcubuild.cores.costs import path_of, read_costs, write_costs

    core = CORE.chosen
    if core is None:
        raise BuildError(f"core=: name the core whose costs are to be measured: core={CORE.takes}.")
    stages = (firmware.STAGE, measure.STAGE)
    libraries = {name: version for stage in stages for name, version in code_of(stage)[1].items()}
    bench = workbench_of({name: path for stage in stages for name, path in code_files(stage).items()}, libraries)
    data = measured(core, KERNELS.words, bench)
    found, known = fits(data), read_costs(core)
    costs = updated(known, found)
    write_costs(costs, core)
    changed = [kind for kind, features in costs.items() if features != known.get(kind)]
    print("", *lines(data, found), sep="\n")
    print(f"{path_of(core).relative_to(ROOT)}: {'others of ' + ', '.join(sorted(changed)) if changed else 'as before'}")


def task() -> dict[str, Any]:
    """The doit task."""
    return {
        "basename": "calibrate",
        "doc": f"what kernels cost on a core, by emulated runs: {usage('calibrate')}",
        "actions": [(run, ["calibrate", _calibrate])],
        "uptodate": [False],
        "verbosity": 2,
    }
