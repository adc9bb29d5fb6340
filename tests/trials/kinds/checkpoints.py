"""Random damage to store entries, their manifests and checkpoints: it may cost time, and never a byte of a result."""

import atexit
import contextlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

from mcubuild.board import read_board
from mcubuild.files import discard
from mcubuild.nas.search.search import search
from mcubuild.nas.training.recipe import evaluate
from mcubuild.nas.training.supernet_training import train
from mcubuild.spec.deployment import Deployment
from mcubuild.spec.search import SearchSettings
from mcubuild.spec.supernet import SupernetSettings
from mcubuild.store import Store
from tests.damage import DAMAGES
from tests.e2e.checkout import IMAGES, Checkout, draw_images
from tests.nas.toy import LEARNING, SPACE, split

COUNT = 120
PATIENCE = 300.0
SLOW = True
_KEY = "5eed" * 16
_CONTENT = {
    "model.json": b'{"layers": []}',
    "c/model.c": b"int x;\n" * 400,
    "c/firmware/main.c": b"",
    "a b.npz": bytes(999),
}
_HOSTILE = [
    "/{root}/precious",
    "../../../../precious",
    "c/../model.json",
    "c//model.c",
    ".",
    "",
    "\0",
    "c",
    "/dev/full",
]
_VALUES: list[Any] = [None, 0, -1.5, "", "0" * 64, [], {}, [[]], {"files": {}}, "\ud800", 10**400, True]

Trial = Callable[[Random, Path], str]
"""Damages something, in a folder of its own, and goes on; the kind of damage. An AssertionError: a wrong result."""


def _damage_file(path: Path, rng: Random) -> str:
    """Damage one file somehow."""
    kind = rng.choice(["bit", "cut", "bytes", *DAMAGES])
    content = path.read_bytes() if path.is_file() else b""
    if kind in DAMAGES:
        DAMAGES[kind](path)
    elif not content:
        discard(path)
        kind = "gone"
    elif kind == "cut":
        path.write_bytes(content[: rng.randrange(len(content))])
    else:
        damaged, at = bytearray(content), rng.randrange(len(content))
        if kind == "bit":
            damaged[at] ^= 1 << rng.randrange(8)
        else:
            damaged[at : at + rng.randrange(1, 64)] = rng.randbytes(rng.randrange(64))
        if damaged == content:
            damaged += b"\0"
        path.write_bytes(damaged)
    return kind


def _damage_manifest(entry: Path, rng: Random, precious: Path) -> str:
    """Damage a manifest so that it is still JSON."""
    path = entry / "manifest.json"
    manifest = json.loads(path.read_text())
    files = manifest["files"]
    kind = rng.choice(["name", "digest", "value", "entry gone", "form"])
    name = rng.choice(sorted(files))
    if kind == "name":
        hostile = str(precious) if rng.random() < 0.4 else rng.choice(_HOSTILE)
        files[hostile] = files.pop(name) if rng.random() < 0.5 else {"sha256": "0" * 64, "bytes": 8}
    elif kind == "digest":
        digest, at = files[name]["sha256"], rng.randrange(64)
        other = rng.choice([digit for digit in "0123456789abcdefABCDEFg " if digit != digest[at]])
        files[name]["sha256"] = digest[:at] + other + digest[at + 1 :]
    elif kind == "value":
        value = rng.choice(_VALUES)
        files[name] = rng.choice([value, files[name] | {"sha256": value}, files[name] | {"bytes": value}])
    elif kind == "entry gone":
        del files[name]
    else:
        manifest = rng.choice([*_VALUES, {"files": rng.choice(_VALUES)}])
    path.write_text(json.dumps(manifest))
    return f"manifest's {kind}"


def _damage_entry(entry: Path, rng: Random, precious: Path) -> str:
    """Damage a file, the manifest or all of an entry."""
    files = sorted(path for path in entry.rglob("*") if path.is_file())
    match rng.randrange(4):
        case 0:
            return _damage_manifest(entry, rng, precious)
        case 1:
            discard(entry)
            kind = rng.choice(["empty", "file", "pipe", "link", "link to nothing"])
            if kind == "empty":
                entry.mkdir()
            elif kind == "file":
                entry.touch()
            elif kind == "pipe":
                os.mkfifo(entry)
            else:
                entry.symlink_to(precious.parent if kind == "link" else "nothing")
            return f"entry: {kind}"
        case _:
            return f"file: {_damage_file(rng.choice(files), rng)}"


def _fill(folder: Path) -> Path:
    for name, content in _CONTENT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def _store(rng: Random, folder: Path) -> str:
    """An entry, or what lies beside it."""
    precious = folder / "outside" / "precious"
    precious.parent.mkdir()
    precious.write_bytes(b"precious")
    store, made = Store(folder / "store"), _fill(folder / "made")
    store.put(_KEY, made, _CONTENT)
    with store.lock(_KEY, lambda: None):
        store.work(_KEY)
    entry = next((store.root / "artifacts").glob("*/*"))
    beside = [store.root / "locks" / _KEY, store.root / "work" / _KEY, entry.parent]
    if rng.random() < 0.2:
        path = rng.choice(beside)
        discard(path)
        path.touch()
        kind = f"{path.relative_to(store.root).parts[0]}: {_damage_file(path, rng)}"
    else:
        kind = _damage_entry(entry, rng, precious)
    got = folder / "got"
    got.mkdir()
    with store.lock(_KEY, lambda: None):
        (store.work(_KEY) / "epoch").write_bytes(b"1")
        if not store.fetch(_KEY, got, _CONTENT):
            assert not list(got.iterdir())
            store.put(_KEY, made, _CONTENT)
            assert store.fetch(_KEY, got, _CONTENT)
    assert {
        path.relative_to(got).as_posix(): path.read_bytes() for path in got.rglob("*") if path.is_file()
    } == _CONTENT
    assert [(path.name, path.read_bytes()) for path in precious.parent.iterdir()] == [("precious", b"precious")]
    return kind


_EPOCHS = 3
_TRAINING = SupernetSettings(epochs=_EPOCHS, batch=32, learning_rate=0.05, subnets=0)
_BOARD = read_board("stm32f412")


def _train(out: Path, work: Path) -> bytes:
    train(SPACE, split(64, 1), split(32, 2), _TRAINING, learning=LEARNING, seed=0, out=out, work=work)
    return (out / "supernet.safetensors").read_bytes() + (out / "supernet_log.json").read_bytes()


def _search(supernet: Path, out: Path, work: Path) -> bytes:
    settings = SearchSettings(population=4, generations=2, parents=2, calibration=32)
    search(
        SPACE, supernet, split(64, 1), split(32, 2), settings, Deployment(_BOARD),
        learning=LEARNING, seed=0, out=out, work=work,
    )  # fmt: skip
    return (out / "search.json").read_bytes()


def _damage_checkpoints(work: Path, files: dict[str, bytes], rng: Random) -> str:
    """Put ``files`` into the folder ``work`` and damage one of them, or all."""
    discard(work)
    work.mkdir(parents=True)
    for name, content in files.items():
        (work / name).write_bytes(content)
    hit = rng.choice([[name] for name in files] + [list(files)])
    return " and ".join(sorted({_damage_file(work / name, rng) for name in hit}))


class _Checkpoints:
    """Those of a training that was cut off in its last epoch, and of a search after it."""

    def __init__(self, folder: Path) -> None:
        self._training, self._searching = folder / "training", folder / "searching"
        self._trained = _train(folder / "out", folder / "whole")
        self._supernet = folder / "out" / "supernet.safetensors"
        with (
            mock.patch("mcubuild.nas.training.supernet_training.evaluate", self._cut_off),
            contextlib.suppress(KeyboardInterrupt),
        ):
            _train(folder / "cut", self._training)
        self._searched = _search(self._supernet, folder / "found", self._searching)
        self._epochs, self._scores = (
            {path.name: path.read_bytes() for path in work.iterdir()} for work in (self._training, self._searching)
        )
        assert len(self._epochs) == len(self._scores) == 2

    _calls = 0

    def _cut_off(self, *arguments: Any) -> tuple[float, float]:
        self._calls += 1
        if self._calls == 2 * _EPOCHS:  # two networks an epoch
            raise KeyboardInterrupt
        return evaluate(*arguments)

    def training(self, rng: Random, folder: Path) -> str:
        kind = _damage_checkpoints(self._training, self._epochs, rng)
        assert _train(folder, self._training) == self._trained
        return f"epochs: {kind}"

    def searching(self, rng: Random, folder: Path) -> str:
        kind = _damage_checkpoints(self._searching, self._scores, rng)
        assert _search(self._supernet, folder, self._searching) == self._searched
        return f"scores: {kind}"


class _Builds:
    """Whole builds of a checkout, whose store is damaged in between."""

    def __init__(self, folder: Path) -> None:
        self._checkout = Checkout(folder / "checkout", folder / "store")
        draw_images(self._checkout.path / "photos")
        self._checkout.write_spec(IMAGES)
        self._precious = folder / "outside" / "precious"
        self._precious.parent.mkdir()
        self._precious.write_bytes(b"precious")
        self._artifacts = self._build()

    def _build(self) -> dict[str, bytes]:
        shutil.rmtree(self._checkout.path / "build", ignore_errors=True)
        run = self._checkout.doit("build")
        assert run.code == 0 and "Traceback" not in run.output, run.output
        folder = self._checkout.path / "build" / "net"
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def entries(self, rng: Random, folder: Path) -> str:
        """About half of all entries."""
        entries = sorted((self._checkout.store / "artifacts").glob("*/*"))
        for entry in rng.sample(entries, len(entries) // 2):
            _damage_entry(entry, rng, self._precious)
        assert self._build() == self._artifacts
        assert list(self._precious.parent.iterdir()) == [self._precious]
        assert self._precious.read_bytes() == b"precious"
        return "half of a build's entries"


@cache
def _kinds() -> tuple[Callable[[Random, Path], str], ...]:
    kept = tempfile.TemporaryDirectory()
    atexit.register(kept.cleanup)
    folders = [Path(kept.name, name) for name in ("checkpoints", "builds")]
    for folder in folders:
        folder.mkdir()
    checkpoints, builds = _Checkpoints(folders[0]), _Builds(folders[1])
    return (*[_store] * 12, *[checkpoints.training] * 4, *[checkpoints.searching] * 3, builds.entries)


def trial(rng: Random, folder: Path) -> None:
    """Damage an entry of a store, a checkpoint, or half of the entries of a build, and use it."""
    with contextlib.redirect_stderr(io.StringIO()):  # a line of each damage
        rng.choice(_kinds())(rng, folder)
