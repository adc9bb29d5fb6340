"""What work costs on a core: ``<core>.json`` beside this module, written by ``doit calibrate core=<core>``.

They are fitted to emulated runs of generated C, compiled with zig's clang at -O2, on a board with its Flash wait states
and caches: most layers come out within 10 %, portable ones on maps of a few pixels within 40 %, operators that only
files have (in portable C) within 20 % for two of three; whole networks: ``mcubuild/engine/estimates.jsonl``.

Guesses are those of operators that only files from elsewhere have and that were not measured: ``arg_max``, ``gather``,
``l2_normalize``, ``log_softmax``, ``matmul``, ``normalize``, ``reduce_max``, ``rescale``, ``sigmoid``,
``wide_softmax``; and all those of 16-bit activations.
"""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias

import msgspec

from mcubuild.cores.core import core_of
from mcubuild.errors import BuildError, writing

Costs: TypeAlias = Mapping[str, Mapping[str, float]]
"""Cycles by kernel's kind, or by what several kernels have in common, and by feature of the kernel's work."""


def path_of(core: str) -> Path:
    """Where the costs of ``core`` are."""
    return Path(str(files("mcubuild.cores.costs"))) / f"{core}.json"


@cache
def read_costs(core: str) -> Costs:
    """What was fitted on ``core``.

    Raises:
        BuildError: there is no such file, or it has something else.
    """
    path = path_of(core)
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, dict[str, float]])
    except (OSError, msgspec.DecodeError) as error:
        raise BuildError(
            f"{path}: not the costs of a core ({error}); copy those of another one there, and let doit calibrate "
            f"core={core} fit them."
        ) from None


def write_costs(costs: Costs, core: str) -> None:
    """Write those of ``core``.

    Raises:
        BuildError: the file cannot be written.
    """
    path = path_of(core)
    with writing(path):
        path.write_text(json.dumps(costs, indent=1, sort_keys=True) + "\n", encoding="utf-8")


@cache
def costs_of(name: str, kinds: tuple[str, ...]) -> tuple[Mapping[str, float], float]:
    """Cycles by feature of a kernel's work on the core ``name``, and what to multiply them by.

    Args:
        name: of the core.
        kinds: the kernel's, behind what it has in common with others.
    """
    core = core_of(name)
    fitted = read_costs(core.like or name)
    return {feature: cost for kind in kinds for feature, cost in fitted.get(kind, {}).items()}, core.times


def uncosted(name: str, kinds: tuple[str, ...], work: Iterable[str]) -> BuildError:
    """What to tell where ``costs_of`` the core ``name`` for ``kinds`` lacks features of the ``work``."""
    fitted, kind = core_of(name).like or name, kinds[-1]
    known, _ = costs_of(name, kinds)
    lacking = ", ".join(feature for feature in work if feature not in known)
    return BuildError(
        f"{path_of(fitted)}: the kernel {kind!r} has no cost of {lacking}; write a guess in cycles, and let "
        f"doit calibrate core={fitted} kernels={kind} fit it."
    )
