"""Which samples a build was judged on, and on which of them it is right."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from mcubuild.errors import BuildError
from mcubuild.report.artifacts import Artifacts
from mcubuild.report.model import NOT_RUN, TestSet


def test_set(artifacts: Artifacts, samples: NDArray[np.int64]) -> TestSet:
    """The samples of the test split; ``samples`` are the indexes (N,) of those that the firmware was run on.

    Raises:
        BuildError: the artifacts do not belong together.
    """
    # A data set has an inventory; samples that come with an imported network are known to the stage that read them.
    ids = artifacts.accuracy.ids or (artifacts.inventory.test_ids if artifacts.inventory else ())
    if len(ids) != len(artifacts.expected):
        raise BuildError(
            f"the report: {len(ids)} samples are known by their content, {len(artifacts.expected)} have outputs; "
            f"delete inventory.json and accuracy.json and build again."
        )
    labels, reads = artifacts.accuracy.labels, artifacts.reading
    named = ["" for _ in ids] if labels is None else [_name(artifacts, label) for label in labels]
    listed = "\n".join(sorted(f"{one} {name}" for one, name in zip(ids, named, strict=True)))
    int8 = device = None
    if reads is not None:
        expected = reads.right(artifacts.expected, artifacts.targets)
        outputs = reads.right(artifacts.outputs, artifacts.targets[samples])
        if expected is not None and outputs is not None:
            int8 = "".join(np.where(expected, "1", "0"))
            run = np.full(len(ids), NOT_RUN)
            run[samples] = np.where(outputs, "1", "0")
            device = "".join(run)
    return TestSet(digest=hashlib.sha256(listed.encode()).hexdigest()[:16], ids=list(ids), int8=int8, device=device)


def _name(artifacts: Artifacts, target: object) -> str:
    """Of a class its name, if it has one: numbers move when a class is added."""
    if artifacts.index is None or not isinstance(target, int):
        return str(target)
    return artifacts.index.classes[target]
