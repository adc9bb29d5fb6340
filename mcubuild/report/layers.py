"""The network layer by layer: memory, time and Flash over the same horizontal axis."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

from mcubuild.artifacts.measured import Measured
from mcubuild.artifacts.plan import Planned
from mcubuild.errors import BuildError
from mcubuild.report.plot import Axis, Box, Plot, Rule, linear, nice_ticks
from mcubuild.units import format_size

TIMES = "\N{MULTIPLICATION SIGN}"
KINDS = {
    "conv2d": "convolution",
    "pointwise": "pointwise",
    "depthwise": "depthwise",
    "fully_connected": "fully connected",
    "add": "addition",
    "average_pool": "average pool",
    "elementwise": "element-wise",
    "conv2d_general": "convolution, general",
    "depthwise_general": "depthwise, general",
}
"""The engine's kernels in words; others are called what the engine calls them."""


@dataclass(frozen=True)
class Layer:
    """One row of the layer table."""

    index: int
    name: str
    """The C function."""
    kind: str
    """The kernel that computes it."""
    output: str
    """The tensor that it writes."""
    shape_in: tuple[int, ...]
    shape_out: tuple[int, ...]
    kernel: tuple[int, int]
    """Height and width; (1, 1) where there is none."""
    stride: int
    macs: int
    bits: int | None
    """Of each weight; None: it has none."""
    output_bits: int
    """Of each number that it writes."""
    weights: int
    """Bytes in Flash."""
    live: int
    """Bytes of the arena in use while the layer runs."""
    cycles: float
    instructions: float

    @property
    def title(self) -> str:
        """The kind in words, with the filter's size where it has one."""
        size = f" {self.kernel[0]}{TIMES}{self.kernel[1]}" if max(self.kernel) > 1 else ""
        return KINDS.get(self.kind, self.kind) + size

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        height, width = self.kernel
        filters = self.shape_out[-1]
        each = {
            "conv2d": height * width * self.shape_in[-1],
            "conv2d_general": height * width * self.shape_in[-1],
            "pointwise": self.shape_in[-1],
            "depthwise": height * width,
            "depthwise_general": height * width,
            "fully_connected": prod(self.shape_in),
        }.get(self.kind)
        return 0 if each is None else filters * (each + 1)


def read_layers(plan: Planned, measured: Measured) -> list[Layer]:
    """The layers of plan.json with the cycles and instructions of measure.json (0 cycles where there is no model).

    Raises:
        BuildError: the two do not have the same layers.
    """
    seen = {entry.name: entry for entry in measured.layers}
    missing = [entry.name for entry in plan.layers if entry.name not in seen]
    if missing:
        raise BuildError(f"measure.json: no layer {missing[0]} of plan.json; delete it and build again.")
    return [
        Layer(
            index=entry.index,
            name=entry.name,
            kind=entry.kind,
            output=entry.output,
            shape_in=entry.shape_in,
            shape_out=entry.shape_out,
            kernel=entry.kernel or (1, 1),
            stride=max(entry.stride or (1,)),
            macs=entry.macs,
            bits=entry.bits,
            output_bits=entry.output_bits,
            weights=entry.weights_bytes,
            live=entry.live_bytes,
            cycles=seen[entry.name].cycles or 0,
            instructions=seen[entry.name].instructions,
        )
        for entry in plan.layers
    ]


@dataclass(frozen=True)
class Kind:
    """What all layers of one kind take together."""

    title: str
    count: int
    cycles: float
    """Share of all cycles, 0 ... 1."""
    macs: float
    """Share of all MACs, 0 ... 1."""
    per_mac: float | None
    """Cycles a MAC."""


def by_kind(layers: Iterable[Layer]) -> list[Kind]:
    """Shares of time and work of each kind of layer, the slowest first."""
    groups: dict[str, list[Layer]] = defaultdict(list)
    for layer in layers:
        groups[layer.kind].append(layer)
    cycles = {kind: sum(layer.cycles for layer in group) for kind, group in groups.items()}
    macs = {kind: sum(layer.macs for layer in group) for kind, group in groups.items()}
    kinds = [
        Kind(
            title=KINDS.get(kind, kind),
            count=len(group),
            cycles=cycles[kind] / (sum(cycles.values()) or 1),
            macs=macs[kind] / (sum(macs.values()) or 1),
            per_mac=cycles[kind] / macs[kind] if macs[kind] else None,
        )
        for kind, group in groups.items()
    ]
    return sorted(kinds, key=lambda kind: (-kind.cycles, kind.title))


def _layer_axis(count: int, title: str = "") -> Axis:
    """Layer i lies between i and i + 1; its number stands in the middle."""
    ticks = tuple((tick + 0.5, f"{tick:.0f}") for tick in nice_ticks(0, count - 1, 8) if tick == int(tick))
    return Axis(0, count, title, ticks)


def memory_plot(plan: Planned) -> Plot:
    """The arena over time: each tensor a rectangle from its first to its last layer at its place in the arena."""
    count = 1 + max(tensor.last for tensor in plan.tensors)
    boxes = []
    for tensor in plan.tensors:
        first, last = tensor.first, tensor.last
        style = "scratch" if tensor.name.endswith(" scratch") else "kept" if last - first > 1 else "live"
        size = format_size(tensor.bytes)
        shape = TIMES.join(str(side) for side in tensor.shape)
        hint = f"{tensor.name} {shape}: {size} at offset {tensor.offset}, layers {first} to {last}"
        span = (tensor.offset / 1024, (tensor.offset + tensor.bytes) / 1024)
        boxes.append(Box((first, last + 1), span, style, hint))
    arena = plan.arena / 1024
    used = {box.style for box in boxes}
    legend = (("live", "activation"), ("kept", "kept for a later layer or run"), ("scratch", "scratch"))
    return Plot(
        name="Arena over time",
        x=_layer_axis(count),
        y=linear([arena], "arena offset, kB", "{:g}".format, zero=True, room=0.12),
        boxes=boxes,
        rules=(Rule(arena, f"arena {format_size(plan.arena)}", style="peak"),),
        legend=tuple(entry for entry in legend if entry[0] in used),
        height=300,
        key="box",
    )


def time_plot(layers: Sequence[Layer]) -> Plot:
    """Each layer's share of the cycles beside its share of the MACs."""
    cycles, macs = sum(x.cycles for x in layers) or 1, sum(x.macs for x in layers) or 1
    shares = [(100 * x.cycles / cycles, 100 * x.macs / macs) for x in layers]
    boxes = []
    for layer, (time, work) in zip(layers, shares, strict=True):
        hint = f"{layer.index} {layer.title}: {time:.1f} % of the cycles, {work:.1f} % of the MACs"
        boxes.append(Box((layer.index + 0.1, layer.index + 0.5), (0, time), "cycles", hint))
        boxes.append(Box((layer.index + 0.5, layer.index + 0.9), (0, work), "macs", hint))
    return Plot(
        name="Cycles and MACs of each layer",
        x=_layer_axis(layers[-1].index + 1),
        y=linear([max(pair) for pair in shares], "share, %", "{:g}".format, zero=True, count=4),
        boxes=boxes,
        legend=(("cycles", "cycles"), ("macs", "multiply-accumulates")),
        height=190,
        key="box",
    )


def weights_plot(layers: Sequence[Layer]) -> Plot:
    """Flash that each layer's constants take."""
    boxes = [
        Box(
            (layer.index + 0.1, layer.index + 0.9),
            (0, layer.weights / 1024),
            "weights",
            f"{layer.index} {layer.title}: {format_size(layer.weights)}",
        )
        for layer in layers
    ]
    return Plot(
        name="Flash of each layer's constants",
        x=_layer_axis(layers[-1].index + 1, "layer"),
        y=linear([layer.weights / 1024 for layer in layers], "weights, kB", "{:g}".format, zero=True, count=4),
        boxes=boxes,
        height=150,
        key="box",
    )
