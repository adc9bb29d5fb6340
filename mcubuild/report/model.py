"""report.json: its fields, their units and meaning; ``schema.report_schema()`` is the same as JSON schema."""

from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from mcubuild.report.amounts import FigureUnit, Unit

VERSION: Literal[10] = 10
"""Of the format; see ``Report.version``."""
NOT_RUN = "-"
"""In ``TestSet.device``."""


FigureOrigin: TypeAlias = Literal[
    "linked", "counted", "emulated", "measured", "modelled", "estimated", "reference", "floating point", "asked"
]
Level: TypeAlias = Literal["tile", "line", "part"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Intervals(_Part):
    """Ends of the 95 % intervals of scores, 0 ... 1; ``None`` where there is no score."""

    float_: tuple[float, float] | None = Field(alias="float")
    """Of the network in floating point."""
    int8: tuple[float, float] | None
    """Of the integer reference executor."""
    device: tuple[float, float] | None
    """Of the firmware."""


class Accuracy(_Part):
    """The score of the task, 0 ... 1, more is better; ``None`` where no targets or no such network are known."""

    metric: str
    """What the score is: ``accuracy`` (share of test samples classified correctly), ..."""
    intervals: Intervals
    """How far to trust the scores."""

    float_: float | None = Field(alias="float")
    """The trained network in floating point, all test samples."""
    int8: float | None
    """The integer reference executor, all test samples."""
    arithmetic: str
    """What that and the firmware compute with: ``int8``, or bits of weights and activations, such as ``w4a8``
    (``w8/4a8``: some layers' weights have 8 bits, others' 4)."""
    device: float | None
    """The firmware's own outputs, the samples that were run."""
    samples: int
    """Test samples behind ``float`` and ``int8``; ``Report.samples`` is behind ``device``."""
    runs: int = 1
    """Inferences that a sample is, one after the other: several of a network that remembers."""
    mismatches: int
    """Samples whose outputs in the emulator differ in any bit from the integer reference's; anything but 0 is a
    failure."""
    judged: float | None
    """What the verdict goes by: a board's outputs where one ran the firmware, else ``device``."""
    judged_samples: int
    """Samples behind ``judged``."""
    interval: tuple[float, float] | None
    """Ends of the 95 % interval of ``judged``."""


class TestSet(_Part):
    """Which samples an accuracy is of: those of two builds compare where these are the same."""

    digest: str
    """16 digits that are equal for the same samples with the same labels, in whatever order."""
    ids: list[str]
    """Of each test sample, in order: the first 16 digits, in hexadecimal, of the SHA-256 of its content: its file, its
    pixels (``digits``), or its bytes in the files of ``[model] inputs``."""
    int8: str | None
    """A character for each of ``ids``: ``1`` where the integer reference is right, ``0`` where it is wrong; ``None``:
    there are no labels."""
    device: str | None
    """The same of the firmware; ``-`` where it was not run."""


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
    """What the spec (or the board's memory) allows: the most, of a share the least; ``None``: no limit."""
    used: float | None
    """What the firmware takes or reaches; ``None``: not known, because the core has no cycle model or there are no
    labels."""
    ok: bool
    """``used`` is known and not beyond ``limit``, or there is no limit."""
    margin: float | None
    """What is left to ``limit``, or, negative, by how much it is broken."""
    unit: Unit
    """Of ``limit``, ``used`` and ``margin``."""
    origin: Literal["linked", "emulated", "measured", "modelled"]
    """Where ``used`` comes from. ``linked``: read from the ELF (SRAM: with the deepest stack seen in the emulator);
    ``emulated``: modelled from the instructions that the emulator executed (accuracy: from its outputs);
    ``measured``: on silicon; ``modelled``: the board's active power x such a time."""


class BudgetLines(_Part):
    """Limits against use."""

    sram: Limit
    """Bytes of RAM."""
    flash: Limit
    """Bytes of Flash."""
    latency: Limit
    """Milliseconds of the slowest sample: measured where silicon counted cycles, else emulated."""
    energy: Limit
    """Millijoules of the slowest sample: the board's typical active power x its latency."""
    accuracy: Limit
    """``Accuracy.judged``."""
    strict: bool
    """Whether ``accuracy.used`` is the lower end of its 95 % interval instead."""


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
    input: list[int]
    """Shape of the (first) input without its batch: height, width and channels of an image."""
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
    clock_hz: int = Field(gt=0)
    """Core clock in Hz."""
    clock_origin: str
    """What sets it."""
    active_power_mw: float
    """Typical power in run mode in mW, from the data sheet."""


class LayerCost(_Part):
    """What one layer takes."""

    name: str
    """Its C function."""
    title: str
    """What it computes, such as "depthwise 3x3"."""
    output: list[int]
    """Shape of its output, without the batch."""
    stride: int
    """Its stride; 1 where it has none."""
    macs: int
    """Multiply-accumulates, padding included."""
    bits: int | None
    """Of each of its weights; ``None``: it has none."""
    output_bits: int
    """Of each number that it writes."""
    weights: int
    """Bytes of its constants in Flash."""
    instructions: float
    """Mean of the instructions executed in it."""
    cycles: float | None
    """Mean of the emulated (modelled) cycles; ``None``: the core has no model."""


class Remote(_Part):
    """The same firmware run once more: on a board, or in a second emulator."""

    runner: Literal["gdb", "pyocd", "qemu"]
    """What executed it."""
    target: str
    """The board or the machine."""
    silicon: bool
    """Whether it was real hardware. Only then are ``cycles`` and ``latency_ms`` measured."""
    samples: int
    """Test samples that it ran."""
    mismatches: int
    """Samples whose outputs differ in any bit from the integer reference's; anything but 0 is a failure."""
    cycles: Range | None
    """Clock cycles of one inference, counted by the core; ``None``: not counted."""
    clock_hz: int | None
    """Clock of the core in Hz while it ran."""
    latency_ms: float | None
    """Mean time of one inference in ms."""
    ratio: float | None
    """Measured cycles / emulated cycles, of the means; ``None``: one of the two is not known."""
    accuracy: float | None
    """Share of them classified correctly, 0 ... 1; ``None``: no labels are known."""
    note: str | None
    """What its runner has to say."""


class Author(_Part):
    """How the integer reference agrees with what the network's author computed (``[model] outputs``)."""

    samples: int
    """Samples that were compared."""
    differ: int
    """Samples that differ at all, in the levels of the quantised output."""
    beyond: int
    """Samples that differ by more than ``tolerance``; anything but 0 is a failure."""
    largest: int
    """The largest difference, in steps of an output."""
    tolerance: int
    """``[model] tolerance``."""


class Floating(_Part):
    """How far the integer reference is from the network in floating point, where that is somebody else's."""

    calibration: int
    """Samples that its levels were found by."""
    samples: int
    """Samples that were compared."""
    mean: float
    """Mean difference of an element, as a share of its output's range over all samples."""
    largest: float
    """The largest one."""
    agreement: float | None
    """Share of the samples that both put in the same class; ``None``: outputs are no classes."""


class Start(_Part):
    """What the super network's training began with."""

    spec: str
    """The spec whose super network the weights are of, as ``start`` names it."""
    space: str
    """That super network's search space."""
    weights: int
    """Of the super network that began with them."""
    carried: int
    """How many of these were carried over; the others began afresh."""
    classes: list[str]
    """Classes of the same name, whose part of the classifier was carried over, too."""


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
    time: float | None
    """Seconds that the spec gives to race, super network, search and fine-tuning; ``None``: as long as it pays."""


class Errors(_Part):
    """Relative errors of the estimated cycles of random networks, against the emulator."""

    networks: int
    """How many were built and run."""
    mean: float
    """With its sign; positive where estimates are too high."""
    rms: float
    """Root of the mean square."""
    p95: float
    """95th percentile of the absolute errors."""
    worst: float
    """The largest, with its sign."""
    origin: str
    """Which networks, on which board, by which compiler."""


class LatencyModel(_Part):
    """What the search believes of cycles, beside what the emulator finds."""

    estimated: int
    """Cycles of this network as the search knows them."""
    scale: float
    """What the engine's estimate was multiplied by for that: what other networks took here, relative to theirs."""
    conditions: str
    """What the estimate was made for: core, memories, compiler, kernels."""
    error: float | None
    """Of that, relative to the mean of the emulated cycles; ``None``: the core has no cycle model."""
    elsewhere: Errors | None
    """Of other networks under these conditions; ``None``: none were run."""


class ClassResult(_Part):
    """How the integer reference did on a class; the firmware computes the same."""

    name: str
    """Of the class."""
    samples: int
    """Test samples of the class."""
    answers: int
    """Test samples, of any class, that were taken for it."""
    right: int
    """Test samples of the class that were taken for it."""


class Figure(_Part):
    """A figure of the firmware as a whole, as terminal, Markdown, page and comparison show it."""

    key: str
    """The same in all reports: ``latency.measured``."""
    title: str
    """Such as ``Latency``."""
    part: str = ""
    """Which of several under that title: ``int8``, ``w4a8``, ``arena``; empty: the whole."""
    value: float | None
    """``None``: not known."""
    of: float | None = None
    """How many could have been; ``None``: it is no number of these."""
    unit: FigureUnit
    """Of ``value``."""
    interval: tuple[float, float] | None = None
    """Ends between which it is to be expected: of shares with 95 % confidence, of times by the model's uncertainty."""
    origin: FigureOrigin
    """Where it comes from, as in ``Limit.origin``. ``counted``: exactly, in the emulator; ``estimated``: what the
    search was told; ``reference``, ``floating point``: what computed the answers; ``asked``: by the spec."""
    better: Literal["less", "more"] | None = None
    """Which of two is better; ``None``: neither."""
    method: str = ""
    """What it was found by."""
    note: str = ""
    """What is to be said besides, in a few words."""
    level: Level
    """How prominent it is: ``part`` is for those who compare."""


class Report(_Part):
    """A build's result. Everything that is not here can be derived from the other artifacts of the build folder."""

    version: Literal[10] = Field(default=VERSION, alias="schema")
    """Version of this format: a whole number that grows by one whenever a field is added, removed or renamed, or
    changes its type, unit or meaning. A reader knows exactly the versions that it was written for and refuses others;
    the wording of texts (``reasons``, ``cautions``, ``note``, descriptions) may change without a new version."""
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
    figures: list[Figure]
    """What is shown of the parts below, in that order."""
    accuracy: Accuracy
    """Accuracy on the test split."""
    test_set: TestSet
    """The test split."""
    classes: list[ClassResult] | None
    """In the order of the labels; ``None``: no labels are known, or samples have no class each."""
    details: dict[str, Any] | None
    """What the task has to say besides; ``None``: nothing."""
    instructions: Range
    """Instructions of one inference."""
    cycles: Range | None
    """Emulated clock cycles of one inference, from ``cycle_model``; ``None``: the core has no model."""
    latency_ms: float | None
    """Emulated mean time of one inference in ms: ``cycles`` / clock. ``remote`` has the measured one."""
    energy_mj: float | None
    """Energy of one inference in mJ: the board's typical active power x the latency, measured where it was; a model,
    not a measurement."""
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
    """What executed the firmware for all figures outside of ``remote``."""
    zero_wait_cycles: float | None
    """The mean of ``cycles`` if memory never made the core wait."""
    cycle_model: str
    """What turned instructions into cycles, or why nothing did."""
    uncertainty: float | None
    """Relative uncertainty of ``cycles`` and ``latency_ms`` against silicon."""
    latency_model: LatencyModel
    """How well the search knows the cycles."""
    remote: Remote | None
    """The same firmware on a board or in QEMU; ``None``: the spec asks for neither."""
    author: Author | None
    """The integer reference beside ``[model] outputs``; ``None``: the spec names none."""
    floating: Floating | None
    """The integer reference beside the network in floating point; ``None``: it was trained here, or its file is of
    integers."""
    board: Target
    """What it was built for."""
    budget: BudgetLines
    """Use against limits."""
    samples: int
    """Test samples that the firmware classified."""
    model: Network
    """The network."""
    layers: list[LayerCost]
    """Its operators, in the order in which they run."""
    start: Start | None
    """Where the super network's weights came from; ``None``: they were fresh, or there is none."""
    search: SearchResult | None
    """How it was found; ``None``: it was not searched for."""
    provenance: dict[str, Any]
    """What the build was made from: spec as resolved, seed, versions, keys of artifacts."""

    @property
    def tuned(self) -> bool:
        """Whether kernels were chosen by running all that there are in the emulator, rather than by estimates."""
        return "tune.json" in self.provenance.get("artifacts", {})
