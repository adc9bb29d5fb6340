"""What was found in a data set, in inventory.json: apart from the index, so that another sample concerns no stage that
asks but for classes and sizes.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from mcubuild.errors import BuildError

_DIGITS = 16


@dataclass(frozen=True)
class Inventory:
    """The samples by number, and what is odd about them."""

    splits: Mapping[str, int]
    """Samples of ``train``, ``val`` and ``test``."""
    cautions: tuple[str, ...] = ()
    """What looks wrong: a sentence each without the full stop, with counts and names of files."""
    test_ids: tuple[str, ...] = ()
    """``short_id`` of each test sample's file, or of its pixels where there are no files, in the order of test.npz."""


def short_id(digest: str) -> str:
    """What tells a sample from others: the first 16 digits of the SHA-256 of its content, in hexadecimal."""
    return digest[:_DIGITS]


def write_inventory(inventory: Inventory, path: Path) -> None:
    """Write ``inventory`` as JSON."""
    content = asdict(inventory) | {"test_ids": "".join(inventory.test_ids)}  # a line, however many they are
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_inventory(path: Path) -> Inventory:
    """The inventory in ``path``.

    Raises:
        BuildError: the file is missing or damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        ids: str = content["test_ids"]
        content["test_ids"] = tuple(ids[start : start + _DIGITS] for start in range(0, len(ids), _DIGITS))
        return Inventory(**{**content, "cautions": tuple(content["cautions"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BuildError(f"{path}: not a data set's inventory ({error}); delete it and build again.") from None
