"""Bits of each layer's weights, chosen by what narrowing it costs in accuracy and saves in Flash."""

from pathlib import Path
from typing import Any

import numpy as np

from mcubuild.artifacts.margin import NO_MARGIN, Margin
from mcubuild.data.splits import Split
from mcubuild.errors import BuildError
from mcubuild.nas.space.blocks import Described
from mcubuild.nas.space.candidates import Limits
from mcubuild.nas.space.files import write_json
from mcubuild.nas.space.footprints import Footprints
from mcubuild.nas.training.batches import at_resolution, spread
from mcubuild.nas.training.recipe import workers
from mcubuild.quant.allocation import Allocation, Ceilings
from mcubuild.quant.sensitivity import Sensitivity
from mcubuild.quant.weights import read_network
from mcubuild.spec.bits import WIDTHS
from mcubuild.spec.deployment import Deployment
from mcubuild.units import format_size

_JUDGED = 2048
"""Validation samples, at most, that a layer's sensitivity is measured on."""
_FRONT = 9
"""Limits of Flash, from all layers narrow to all wide, of which the best choice is told."""


def choose_widths(
    arch: Described,
    weights: Path,
    train: Split,
    val: Split,
    deployment: Deployment,
    *,
    samples: int,
    out: Path,
    margin: Margin = NO_MARGIN,
) -> None:
    """Write widths.json to ``out``: ``bits`` by layer, and what the choice was made by.

    ``losses``: by layer, the divergence that narrowing it alone costs (``Sensitivity``). ``front``: the best choices
    for limits of the Flash between those that all layers narrow and all layers wide need, and of the choice itself
    (``chosen``): Flash and cycles as planned, number of narrow layers, predicted and measured divergence, and accuracy
    (0 ... 1) on ``samples`` validation samples with weights rounded and all else in floating point.

    Args:
        arch: of the network.
        weights: its trained weights, a .safetensors file.
        train: training samples, at any resolution.
        val: validation samples, at any resolution.
        deployment: where the network must run, and within which limits; its bits are mixed.
        samples: of ``train``, that batch norm is estimated from.
        out: an existing folder.
        margin: how cycles relate to the engine's estimates.

    Raises:
        BuildError: no choice of widths is within the budget.
    """
    sram, limits, footprints = deployment.sram, Limits.of(deployment), Footprints(deployment, margin)
    cycles = np.inf if limits.latency is None else footprints.most_cycles(arch, limits.latency)
    allocation = Allocation(arch, footprints.target, deployment.stack, WIDTHS, deployment.activations, deployment.ends)
    wide, narrow = allocation.ends()
    network = read_network(arch, weights)
    calibration = at_resolution(spread(train, samples), arch.resolution)
    judges = at_resolution(spread(val, _JUDGED), arch.resolution)
    with workers():
        sensitivity = Sensitivity(network, calibration, judges)
    losses = sensitivity.of_each(allocation.names, WIDTHS[1])

    def entry(bits: dict[str, int]) -> dict[str, Any]:
        needs = allocation.footprint(bits)
        with workers():
            divergence, accuracy = sensitivity.judge(bits)
        narrowed = [name for name in allocation.names if bits[name] == WIDTHS[1]]
        return {
            "flash": needs.flash,
            "cycles": needs.cycles,
            "narrow": len(narrowed),
            "predicted": sum(losses[name] for name in narrowed),
            "divergence": divergence,
            "accuracy": accuracy,
        }

    ceilings = Ceilings(sram, limits.flash, cycles)
    bits = allocation.solve(losses, ceilings)
    if bits is None:
        raise BuildError(
            f"bits: {arch.name} needs {format_size(min(wide.flash, narrow.flash))} Flash at least with 4 bits "
            f"(budget.flash is {format_size(limits.flash)}), and no choice of bits for its layers is within all limits "
            f"of the budget; raise {limits.keys}."
        )
    places = np.linspace(narrow.flash, wide.flash, _FRONT).round().astype(int).tolist()
    found = [allocation.solve(losses, Ceilings(sram, place, np.inf)) for place in places]
    front = list({tuple(one.items()): one for one in found if one is not None}.values())
    content = {
        "bits": bits,
        "losses": losses,
        "samples": len(judges),
        "limits": {"sram": sram, "flash": limits.flash, "cycles": None if np.isinf(cycles) else cycles},
        "chosen": entry(bits),
        "front": [entry(one) for one in front],
    }
    write_json(content, out / "widths.json")
