"""Kinds that mcubuild does not bring: what is wrong with their code, or with what it finds, is told of their file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from mcubuild.data.kinds.base import Found, Kind
from mcubuild.errors import BuildError, shown
from mcubuild.spec.own import Origin, load, telling

_SPLITS = ("train", "val", "test", None)


def own_kind(source: Origin) -> Kind:
    """What the module of a kind defines as ``KIND``.

    Raises:
        BuildError: it cannot be imported, or defines no such thing.
    """
    found = getattr(load(source), "KIND", None)
    if not isinstance(found, Kind):
        what = "defines no KIND" if found is None else f"found KIND = {shown(found)}"
        raise BuildError(
            f"{source.file}: {what}; a kind is such a thing: KIND = Kind(form, sources, find), of "
            f"mcubuild.data.kinds.base."
        )

    def told(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            with telling(source.file):
                return function(*arguments)

        return call

    def find(settings: Any, root: Path) -> Found:
        with telling(source.file):
            samples = found.find(settings, root)
            _check(samples, source.file)
        return samples

    return replace(
        found,
        sources=told(found.sources),
        find=find,
        lacking=told(found.lacking),
        foretold=told(found.foretold),
    )


def _check(found: Any, file: Path) -> None:
    """What a kind has found is what the rest takes for granted.

    Raises:
        BuildError: it is not.
    """
    import numpy as np

    def refuse(what: str) -> BuildError:
        return BuildError(f"{file}: find() gave {what}.")

    if not isinstance(found, Found):
        raise refuse(f"{shown(found)}; it must be a Found, of mcubuild.data.kinds.base")
    classes, labels = found.classes, np.asarray(found.labels)
    if len(set(classes)) != len(classes) or not all(isinstance(name, str) and name for name in classes):
        raise refuse(f"the classes {shown(classes)}; they must be names, each of them once")
    if labels.dtype != np.int64 or labels.ndim != 1:
        raise refuse(f"labels of {labels.dtype} with {labels.ndim} axes; they must be int64 with one")
    if len(labels) and not (labels.min() >= 0 and labels.max() < len(classes)):
        raise refuse(f"labels from {labels.min()} to {labels.max()} with {len(classes)} classes")
    lengths = {"labels": len(labels), "samples": len(found.samples.names), "splits": len(found.splits)}
    lengths |= {} if found.groups is None else {"groups": len(found.groups)}
    if len({*lengths.values()}) > 1:
        listed = ", ".join(f"{count} {what}" for what, count in lengths.items())
        raise refuse(f"{listed}; each sample has one of each")
    if wrong := [split for split in found.splits if split not in _SPLITS]:
        raise refuse(f"the split {shown(wrong[0])}; allowed: train, val, test, or None where it is to be drawn")
    if lacking := {"val", "test"} - {*found.splits} - {*found.held_out}:
        raise refuse(f"no {' and no '.join(sorted(lacking))} split and no share for it in held_out")
