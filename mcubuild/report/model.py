"""report.json: its fields, their units and meaning; ``schema.report_schema()`` is the same as JSON schema."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Accuracy(_Part):
    """Share of test samples classified correctly, 0 ... 1."""

    float_: float = Field(alias="float")
    """The fine-tuned network in floating point, all test samples."""
    int8: float
    """The integer reference executor, all test samples."""
    device: float
    """The firmware's own outputs, the samples that were run."""
    samples: int
    """Test samples behind ``float`` and ``int8``; ``Report.samples`` is behind ``device``."""
    mismatches: int
    """Samples whose outputs differ in any bit from the integer reference's; anything but 0 is a failure."""


class Range(_Part):
    """Smallest, mean and largest count over the samples that were run."""

    min: float
    """Smallest."""
    mean: float
    """Mean."""
    max: float
    """Largest."""


class Limit(_Part):
    """One line of the budget."""

    limit: float | None
    """What the spec (or the board's memory) allows; ``None``: no limit."""
    used: float | None
    """What the firmware takes; ``None``: not known, because the core has no cycle model."""
    ok: bool
    """``used`` is known and not above ``limit``, or there is no limit."""
    margin: float | None
    """``limit - used``: what is left, or, negative, by how much the limit is broken."""
    unit: Literal["B", "ms"]
    """Of ``limit``, ``used`` and ``margin``."""


class BudgetLines(_Part):
    """Limits against use."""

    sram: Limit
    """Bytes of RAM."""
    flash: Limit
    """Bytes of Flash."""
    latency: Limit
    """Milliseconds of the slowest sample."""


class Sram(_Part):
    """What RAM is used for, in bytes."""

    arena: int
    """Activations and scratch, as linked."""
    static: int
    """All other static data."""
    stack: int
    """Stack high-water mark, seen while running."""
    stack_reserved: int
    """What the linker reserves for the stack; a high-water mark above it is a failure."""
    predicted: int
    """What the memory planner promised the search: arena, static data and the reserved stack."""


class Flash(_Part):
    """What Flash is used for, in bytes."""

    code: int
    """Instructions, start-up code and small constants."""
    weights: int
    """The network's constants."""
    data: int
    """Initial values of variables, copied to RAM at start."""
    predicted: int
    """What the engine promised the search; its code size is an upper estimate."""


class Network(_Part):
    """The network that runs on the board."""

    macs: int
    """Multiply-accumulates of one inference, padding included."""
    parameters: int
    """Weights and biases."""
    layers: int
    """Operators."""
    resolution: int
    """Input side in pixels."""
    width: float | None
    """Width multiplier of its search space; ``None``: it was not searched for."""


class Target(_Part):
    """The board, as its file describes it."""

    name: str
    """The stem of its file in boards/."""
    title: str
    """As the manufacturer writes it."""
    core: str
    """The processor core."""
    clock_hz: int
    """Core clock in Hz."""
    active_power_mw: float
    """Typical power in run mode in mW, from the data sheet."""


class SearchResult(_Part):
    """Best validation accuracy, 0 ... 1, of the two searches over equally many networks."""

    evolution: float | None
    """Evolution."""
    random: float | None
    """Random search."""
    evaluated: int
    """Networks that each search evaluated at most."""
    chosen: str
    """The method that found the network that was built."""


class Report(_Part):
    """A build's result. Everything that is not here can be derived from the other artifacts of the build folder."""

    version: Literal[1] = Field(default=1, alias="schema")
    """Version of this format."""
    name: str
    """The spec's name."""
    title: str
    """Heading."""
    verdict: Literal["pass", "fail"]
    """``pass``: within all limits and the firmware computes what the reference computes."""
    reasons: list[str]
    """Why the verdict is ``fail``, each with the amount; empty on a pass."""
    cautions: list[str]
    """Why to read some figures with care; they do not change the verdict."""
    accuracy: Accuracy
    """Accuracy on the test split."""
    instructions: Range
    """Instructions of one inference."""
    cycles: Range | None
    """Clock cycles of one inference, from ``cycle_model``; ``None``: the core has no model."""
    latency_ms: float | None
    """Mean time of one inference in ms: cycles / clock."""
    energy_mj: float | None
    """Energy of one inference in mJ: the board's typical active power x ``latency_ms``; a model, not a measurement."""
    sram_bytes: int
    """arena + static + stack high-water mark."""
    sram: Sram
    """Its parts."""
    flash_bytes: int
    """code + weights + data."""
    flash: Flash
    """Its parts."""
    toolchain: str
    """Compiler and version."""
    runner: str
    """What executed the firmware."""
    zero_wait_cycles: float | None
    """The mean of ``cycles`` if memory never made the core wait."""
    cycle_model: str
    """What turned instructions into cycles, or why nothing did."""
    uncertainty: float | None
    """Relative uncertainty of ``cycles``, ``latency_ms`` and ``energy_mj`` against silicon."""
    board: Target
    """What it was built for."""
    budget: BudgetLines
    """Use against limits."""
    samples: int
    """Test samples that the firmware classified."""
    model: Network
    """The network."""
    search: SearchResult | None
    """How it was found; ``None``: it was not searched for."""
    provenance: dict[str, Any]
    """What the build was made from: spec as resolved, seed, versions, keys of artifacts."""
