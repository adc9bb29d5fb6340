"""plan.json: what was generated, where it lies in the arena, and what is predicted of it."""

from mcubuild.artifacts import Artifact

PLAN = "plan.json"


class PlannedLayer(Artifact, frozen=True):
    """A layer of the generated C."""

    index: int
    name: str
    """The C function."""
    kind: str
    """The family of the kernel that computes it."""
    op: str
    """The operator."""
    output: str
    """The tensor that it writes."""
    macs: int
    bits: int | None
    """Of each weight; None: it has none."""
    output_bits: int
    """Of each number that it writes."""
    weights_bytes: int
    """Bytes of constants in Flash."""
    constants: str | None
    """The C object with them."""
    constants_reads: int
    """How often an inference reads them."""
    shape_in: tuple[int, ...]
    shape_out: tuple[int, ...]
    kernel: tuple[int, int] | None
    """Height and width of the window, if it has one."""
    stride: tuple[int, ...] | None
    live: tuple[str, ...]
    """The tensors in the arena while it runs."""
    live_bytes: int
    """Bytes of the arena in use meanwhile, scratch included."""


class PlannedTensor(Artifact, frozen=True):
    """A tensor, or scratch, in the arena."""

    name: str
    offset: int
    """Bytes from the arena's begin."""
    bytes: int
    shape: tuple[int, ...]
    first: int
    """The first layer while which it is there."""
    last: int


class Predicted(Artifact, frozen=True):
    """Of the linked firmware: bytes, and cycles of an inference."""

    sram: int
    flash: int
    weights: int
    code: int
    cycles: int


class Planned(Artifact, frozen=True):
    """The whole file."""

    arena: int
    """Bytes."""
    lower_bound: int
    """Bytes that no plan goes below."""
    layers: tuple[PlannedLayer, ...]
    """In the order in which they run."""
    tensors: tuple[PlannedTensor, ...]
    predicted: Predicted
