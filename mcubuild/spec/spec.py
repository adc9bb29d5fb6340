"""The whole spec: specs/<name>.toml, validated against itself and against its board."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from mcubuild.board import Board, read_board
from mcubuild.errors import BuildError
from mcubuild.settings import Settings, Source, holder, validated
from mcubuild.spec.anomaly import AnomalySettings
from mcubuild.spec.bits import Bits, BitsSettings
from mcubuild.spec.budget import Budget
from mcubuild.spec.datasets import Dataset
from mcubuild.spec.datasets.base import Task
from mcubuild.spec.detection import DetectionSettings
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.finetune import FinetuneSettings
from mcubuild.spec.firmware import FirmwareSettings
from mcubuild.spec.measure import MeasureSettings
from mcubuild.spec.model import ModelSettings
from mcubuild.spec.quantize import QuantizeSettings
from mcubuild.spec.report import ReportSettings
from mcubuild.spec.search import SearchSettings
from mcubuild.spec.sources import read_sources, variants
from mcubuild.spec.space import SpaceSettings
from mcubuild.spec.supernet import SupernetSettings
from mcubuild.units import MOST, format_size


class Spec(Settings):
    """A deployment spec."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    """The file's stem; results go to ``build/<name>/``."""
    task: Task | None = None
    """What the network does, of a network that is searched for; the data set must be for it."""
    dataset: Dataset | None = None
    """Where the samples come from; a name stands for a data set without options."""
    arch: (
        Literal["mobilenet_v2", "proxyless", "mnasnet", "resnet18", "smallcifar", "ds_cnn", "mobilenet_v1", "resnet8"]
        | None
    ) = None
    """A published network instead of a search: scaled down until it fits, then trained as a searched one is."""
    model: ModelSettings | None = None
    """A network that exists already, instead of a search for one; a data set then gives its accuracy alone."""
    start: str | None = Field(default=None, min_length=1)
    """Another spec with a search, by its name beside this one or its path from here: training begins with the weights
    of its super network, so that few samples suffice where those of a similar task are many."""
    board: str
    """Which microcontroller: the stem of a file in boards/."""
    bits: Bits = BitsSettings()
    """Of the weights: 8, 4, or ``"mixed"``, 8 or 4 for each layer; activations have 8. A table names both:
    ``{ weights = 4, activations = 8 }``."""
    seed: int = Field(default=0, ge=0, lt=2**31)
    """Seed of everything random; the same seed gives the same firmware."""
    budget: Budget = Budget()
    """What the firmware may use."""
    detection: DetectionSettings = DetectionSettings()
    """Of task = "object_detection": the detector's head."""
    anomaly: AnomalySettings = AnomalySettings()
    """Of task = "anomaly_detection": the threshold."""
    space: SpaceSettings = SpaceSettings()
    """Which search spaces compete."""
    supernet: SupernetSettings = SupernetSettings()
    """How the super network is trained."""
    search: SearchSettings = SearchSettings()
    """The evolutionary search."""
    finetune: FinetuneSettings = FinetuneSettings()
    """Training of the chosen network."""
    quantize: QuantizeSettings = QuantizeSettings()
    """From floating point to integers."""
    engine: EngineSettings = EngineSettings()
    """Code generation and memory planning."""
    firmware: FirmwareSettings = FirmwareSettings()
    """Compiler and flags."""
    measure: MeasureSettings = MeasureSettings()
    """How the firmware is run."""
    report: ReportSettings = ReportSettings()
    """How the results are shown."""

    @model_validator(mode="after")
    def _searched_or_brought(self) -> "Spec":
        if self.model is None:
            missing = [key for key in ("task", "dataset") if getattr(self, key) is None]
            if missing:
                raise ValueError(
                    f"found no {' and no '.join(missing)}, and no [model] either; say what to search a network for "
                    '(task = "image_classification", dataset = "digits"), or take one: [model] file = "net.tflite"'
                )
            if self.arch is not None and self.search != SearchSettings():
                raise ValueError(f'found [search] beside arch = "{self.arch}", which is not searched for: remove one')
            if self.arch is not None and self.start is not None:
                raise ValueError(
                    f'found start beside arch = "{self.arch}", which has no super network to start with: remove one'
                )
            return self._data_set_is_for_the_task()
        fields = type(self).model_fields
        unused = [key for key in _OF_A_SEARCH if getattr(self, key) != fields[key].default]
        if unused:
            raise ValueError(
                f"found [model] beside {', '.join(unused)}; a network that exists is not searched for: remove one"
            )
        if self.dataset is not None and self.model.inputs is not None:
            raise ValueError("found dataset beside inputs of [model]; both say what to run: remove one")
        self._quantises(self.model)
        boxes = self.dataset is not None and "object_detection" in self.dataset.tasks
        if boxes and self.model.anchors is None:
            raise ValueError(
                "found [model] with a data set of boxes and no anchors; say what boxes start from, heights and widths "
                "as shares of the input: [model] anchors = [[0.1, 0.2], [0.4, 0.3]]"
            )
        if self.dataset is not None and "anomaly_detection" in self.dataset.tasks:
            raise ValueError(
                f'found [model] with dataset.kind = "{self.dataset.kind}", which is for networks that are searched '
                "for: remove one, or give [model] inputs and outputs"
            )
        if not boxes and self.model.anchors is not None:
            raise ValueError(
                "found model.anchors without a data set that has boxes, whose classes the network finds: add one, or "
                "remove them"
            )
        if not boxes and self.detection != DetectionSettings():
            raise ValueError("found [detection] beside a [model] that detects nothing: remove one")
        heads = [key for key in _OF_A_HEAD if getattr(self.detection, key) != getattr(DetectionSettings(), key)]
        if heads:
            raise ValueError(
                f"found detection.{heads[0]} = {getattr(self.detection, heads[0])} beside [model]; a network that "
                "exists has its own anchors, which model.anchors says, and cells: remove it"
            )
        self._labels_serve_and_are_served(self.model)
        return self

    def _labels_serve_and_are_served(self, model: ModelSettings) -> None:
        if self.dataset is None and model.pixels is not None:
            raise ValueError("found model.pixels without a dataset, whose pixels they are: remove one or add the other")
        if self.dataset is not None or model.labels is not None:
            return
        of_labels = {"model.output": model.output, "model.threshold": model.threshold}
        for key, value in {"budget.accuracy": self.budget.accuracy, **of_labels}.items():
            if value is not None:
                raise ValueError(
                    f"found {key} without labels, so nothing says which answers are right; add inputs and labels to "
                    f'[model]: labels = "labels.npy", or remove it'
                )

    def _data_set_is_for_the_task(self) -> "Spec":
        assert self.dataset is not None
        if self.search.time is not None:
            given = [f"{key}.epochs" for key in ("supernet", "finetune") if getattr(self, key).epochs is not None]
            if given:
                raise ValueError(f"found search.time beside {' and '.join(given)}; both say how long: remove one")
        if self.task in ("object_detection", "anomaly_detection") and self.bits.weights == "mixed":
            raise ValueError(
                f'found bits = "mixed" with task = "{self.task}"; layers are weighed by answers that are classes: '
                "write bits = 8 or bits = 4"
            )
        if self.task != "object_detection" and self.detection != DetectionSettings():
            raise ValueError(f'found [detection] with task = "{self.task}", which detects nothing: remove one')
        if self.task != "anomaly_detection" and self.anomaly != AnomalySettings():
            raise ValueError(f'found [anomaly] with task = "{self.task}", which has no threshold: remove one')
        if self.task == "anomaly_detection" and self.measure.samples is not None:
            raise ValueError(
                f'found measure.samples = {self.measure.samples} with task = "anomaly_detection"; all windows of a '
                "recording count for its score: leave samples out"
            )
        if self.task == "anomaly_detection" and self.arch is not None:
            raise ValueError(
                f'found arch = "{self.arch}" with task = "anomaly_detection"; it is no autoencoder: leave arch out, so '
                "that one is searched for"
            )
        if self.task == "anomaly_detection" and self.space.blocks != SpaceSettings().blocks:
            raise ValueError(
                f'found space.blocks = {json.dumps(self.space.blocks)} with task = "anomaly_detection"; autoencoders '
                "have fully connected layers alone: leave blocks out"
            )
        if self.task not in self.dataset.tasks:
            allowed = " or ".join(f'"{task}"' for task in self.dataset.tasks)
            raise ValueError(
                f'found dataset.kind = "{self.dataset.kind}", which is for task = {allowed}, with '
                f'task = "{self.task}"; change the task or the data set'
            )
        return self

    def _quantises(self, model: ModelSettings) -> None:
        """Refuse what [quantize] says of training, and of samples that are not chosen."""
        fields = type(self.quantize).model_fields
        found = [key for key in fields if getattr(self.quantize, key) != fields[key].default]
        trained = [key for key in found if key not in _OF_LEVELS]
        if trained:
            raise ValueError(
                f"found quantize.{trained[0]} with [model]; a network that exists is not trained: of [quantize] it "
                f"takes {' and '.join(_OF_LEVELS)}, if it is in floating point"
            )
        if "samples" in found and self.dataset is None:
            raise ValueError(
                "found quantize.samples with [model] and no dataset; all of [model] inputs count: remove it"
            )
        if found and self.dataset is None and model.inputs is None:
            raise ValueError(
                "found quantize.method with [model] and nothing to quantise it by: add inputs or a dataset"
            )


_OF_A_SEARCH = ("task", "arch", "start", "bits", "space", "supernet", "search", "finetune")
"""Keys that mean nothing for a network that exists already."""
_OF_A_HEAD = ("anchors", "stride")
"""Keys of [detection] that mean nothing for it either."""
_OF_LEVELS = ("samples", "method")
"""Keys of [quantize] that mean something for one in floating point."""


class SpecFile(Spec):
    """A deployment spec, as files in specs/ say it."""

    extends: str | None = Field(default=None, min_length=1)
    """Another TOML file, by its path from here: what this one does not say, that one does, table by table. Paths in
    either are relative to the spec that is built."""
    matrix: Mapping[str, Any] | None = None
    """Lists of values by key, such as ``board = ["stm32f412", "stm32f746"]`` and ``bits = [8, 4]``: the spec stands
    for a build of each combination, called ``<spec>-<value>-<value>``."""


@dataclass(frozen=True)
class Build:
    """One of those that a spec file stands for."""

    spec: Spec
    board: Board
    chosen: Mapping[str, Any]
    """The values that [matrix] gives it, by dotted keys."""


def read_builds(path: Path, changes: Mapping[str, str] | None = None) -> tuple[list[Build], list[Path]]:
    """The builds that the spec in ``path`` stands for, and the files that it is written in, itself the last one.

    Arguments and errors as for ``read_spec``.
    """
    changes = changes or {}
    sources = read_sources(path)
    named = list(variants(sources, path.stem, changes))
    builds = []
    for one in named:
        chosen = {key: value for key, value in one.chosen.items() if key not in changes}
        spec = validated(sources, Spec, {"name": one.name}, changes, chosen, one.origin, SpecFile)
        builds.append(Build(*_resolved(spec, sources), one.chosen))
    return builds, [source.path for source in sources]


def read_spec(path: Path, changes: Mapping[str, str] | None = None) -> tuple[Spec, Board]:
    """The spec in ``path`` and its board; limits that the budget leaves open are the board's memories.

    The latency's limit is at most the time in which the board's active power uses up the energy's.

    Args:
        path: the TOML file.
        changes: values that count instead of the file's, by dotted keys: ``{"budget.latency": "100ms"}``.

    Raises:
        BuildError: the file or its board is not valid, a budget is above the board's memory, or it stands for several
            builds.
    """
    builds, _ = read_builds(path, changes)
    if builds[1:]:
        raise BuildError(f"{path}: found [matrix], which stands for {len(builds)} builds; name a spec without one.")
    return builds[0].spec, builds[0].board


def _resolved(spec: Spec, sources: Sequence[Source]) -> tuple[Spec, Board]:
    try:
        board = read_board(spec.board)
    except BuildError as error:
        raise error.of(f"{holder(sources, ['board']).path}: board") from None
    filled: dict[str, float] = {}
    for key, available in (("sram", board.sram_bytes), ("flash", board.flash_bytes)):
        limit: int | None = getattr(spec.budget, key)
        if limit is not None and limit > available:
            raise BuildError(
                f"{holder(sources, ['budget', key]).path}: budget.{key}: found {format_size(limit)}, but {board.title} "
                f"has {format_size(available)}; lower the budget or choose a larger board."
            )
        filled[key] = available if limit is None else limit
    if spec.budget.energy is not None:
        longest = min(spec.budget.energy / (board.active_power_mw / 1e3), MOST)
        filled["latency"] = min(longest, spec.budget.latency or longest)
    budget = spec.budget.model_copy(update=filled)
    return spec.model_copy(update={"budget": budget}), board
