"""The files of a build folder that the report is made from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcubuild.artifacts import A, read_artifact
from mcubuild.artifacts.accuracy import ACCURACY, Accuracy
from mcubuild.artifacts.margin import MARGIN, Margin, read_margin
from mcubuild.artifacts.measured import MEASURED, MEASURED_REMOTELY, Measured, MeasuredRemotely
from mcubuild.artifacts.plan import PLAN, Planned
from mcubuild.artifacts.quantized import QUANTIZED, Quantized
from mcubuild.artifacts.searched import SEARCHED, Searched
from mcubuild.artifacts.sizes import SIZES, Sizes
from mcubuild.artifacts.spaces import RACE, SCALING, SPACE_TABLE, Race, Scaling, SpaceTable
from mcubuild.data.inventory import Inventory, read_inventory
from mcubuild.data.splits import Index, Split, Targets, read_index, read_split
from mcubuild.errors import BuildError
from mcubuild.tasks import DEFAULT
from mcubuild.tasks.reading import Reading, restored

Json = dict[str, Any]
_OPTIONAL = (
    "arch",
    "pace",
    "start",
    "supernet_log",
    "finetune_log",
    "train_log",
    "preprocessing",
)


@dataclass(frozen=True)
class Artifacts:
    """What the stages before have written. What a build did not do (a search, say) is ``None``."""

    index: Index | None
    inventory: Inventory | None
    test: Split | None
    plan: Planned
    sizes: Sizes
    accuracy: Accuracy
    measure: Measured
    outputs: NDArray[np.int8]
    """What the firmware computed, int8 (samples, outputs)."""
    expected: NDArray[np.int8]
    """What the integer reference computed for all samples, int8 (N, outputs)."""
    margin: Margin
    """What other networks took, where the search asked before it began."""
    arch: Json | None
    space_table: SpaceTable | None
    pace: Json | None
    """How long the search may take, where the spec says so."""
    race: Race | None
    start: Json | None
    """What the super network's training began with."""
    supernet_log: list[dict[str, float]] | None
    search: Searched | None
    scaling: Scaling | None
    finetune_log: list[dict[str, float]] | None
    """Of the network trained on alone."""
    train_log: list[dict[str, float]] | None
    """Of the network trained from scratch instead."""
    quantize_log: Quantized | None
    preprocessing: Json | None
    """What turning a picture into the network's input takes; ``None`` also where the board's RAM cannot hold one."""
    remote: MeasuredRemotely | None
    """What a board or a second emulator tells."""
    remote_outputs: NDArray[np.int8] | None
    """What the firmware computed there, int8 (samples, classes)."""

    @property
    def task(self) -> str:
        """As in a spec: that of the data set, if there is one."""
        return DEFAULT if self.index is None else self.index.task

    @property
    def reading(self) -> Reading | None:
        """How outputs are read and judged; ``None``: no targets are known."""
        return restored(self.accuracy.classification, self.task)

    @property
    def learned_validation(self) -> bool:
        """Whether the network learned from the validation samples, too: the log of its training has no figures then."""
        log = self.finetune_log or self.train_log
        return log is not None and len(log) > 0 and "val_accuracy" not in log[-1]

    @property
    def targets(self) -> Targets:
        """What the answers to all samples (N, ...) should be, where that is known."""
        return np.array(self.accuracy.labels)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, or their numbers."""
        if self.index is not None:
            return self.index.classes
        reads = self.reading
        return () if reads is None else tuple(str(number) for number in range(reads.classes))


def read(inputs: Mapping[str, Path]) -> Artifacts:
    """The artifacts at ``inputs``: file by artifact name (``"plan.json"``; folders in the name do not matter).

    Raises:
        BuildError: a file that no build goes without is missing, or one is damaged.
    """
    files = {Path(name).name: path for name, path in inputs.items()}
    optional: dict[str, Any] = {
        name: _json(files[f"{name}.json"]) if f"{name}.json" in files else None for name in _OPTIONAL
    }

    def found(name: str, kind: type[A]) -> A | None:
        return read_artifact(files[name], kind) if name in files else None

    return Artifacts(
        index=read_index(files["index.json"]) if "index.json" in files else None,
        inventory=read_inventory(files["inventory.json"]) if "inventory.json" in files else None,
        test=read_split(files["test.npz"]) if "test.npz" in files else None,
        plan=read_artifact(_file(files, PLAN), Planned),
        sizes=read_artifact(_file(files, SIZES), Sizes),
        accuracy=read_artifact(_file(files, ACCURACY), Accuracy),
        measure=read_artifact(_file(files, MEASURED), Measured),
        outputs=np.load(_file(files, "device_outputs.npy")),
        expected=np.load(_file(files, "int8_outputs.npy")),
        margin=read_margin(files.get(MARGIN)),
        space_table=found(SPACE_TABLE, SpaceTable),
        race=found(RACE, Race),
        search=found(SEARCHED, Searched),
        scaling=found(SCALING, Scaling),
        quantize_log=found(QUANTIZED, Quantized),
        remote=found(MEASURED_REMOTELY, MeasuredRemotely),
        remote_outputs=None if MEASURED_REMOTELY not in files else np.load(_file(files, "remote_outputs.npy")),
        **optional,
    )


def _file(files: Mapping[str, Path], name: str) -> Path:
    if name not in files or not files[name].is_file():
        raise BuildError(
            f"{files.get(name, name)}: missing; the report needs it. Build the stage that writes it first."
        )
    return files[name]


def _json(path: Path) -> Json:
    try:
        values: Json = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BuildError(f"{path}: cannot be read ({error}); delete it and build again.") from None
    return values
