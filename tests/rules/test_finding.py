"""What a stage reads on a worker: found where the machine that asks has it, or in a store; else it is to be sent."""

import hashlib
import pickle
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from mcubuild import ROOT
from mcubuild.errors import BuildError, NothingFitsError
from mcubuild.shared import SharedStore, shared_store
from mcubuild.store import Store
from rules import cluster
from rules.derived import SAMPLES, derived
from rules.known import Files
from rules.resolve import resolve

CONTENT = b"thousands of pictures"
KEY = "5" * 64


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a job on a machine with stores of its own."""
    monkeypatch.setattr("rules.known.FILES", Files(None))
    monkeypatch.setenv("MCUBUILD_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("MCUBUILD_STORE_URL", str(tmp_path / "shared"))
    shared_store.cache_clear()
    (tmp_path / "job").mkdir()
    yield tmp_path / "job"
    shared_store.cache_clear()


def _lacking(worker: Path, path: Path, name: str = "train.npz") -> list[str]:
    place: dict[str, Any] = {"path": str(path), "key": KEY, "files": ["index.json", "train.npz"]}
    return cluster._find({name: place}, {name: hashlib.sha256(CONTENT).hexdigest()}, worker)


def _made(folder: Path, content: bytes = CONTENT) -> Path:
    folder.mkdir(parents=True)
    (folder / "index.json").write_text("{}")
    (folder / "train.npz").write_bytes(content)
    return folder


def test_a_file_that_the_worker_sees_is_read_in_place(worker: Path) -> None:
    there = _made(worker.parent / "build") / "train.npz"
    assert _lacking(worker, there) == []
    assert (worker / "inputs" / "train.npz").resolve() == there


def test_another_file_of_that_name_is_not_taken(worker: Path) -> None:
    assert _lacking(worker, _made(worker.parent / "build", b"other pictures") / "train.npz") == ["train.npz"]
    assert not (worker / "inputs").exists()


@pytest.mark.parametrize("name", ["train.npz", "start/train.npz"])
def test_the_workers_own_store_has_it(worker: Path, name: str) -> None:
    store = Store()
    with store.lock(KEY, lambda: None):
        store.put(KEY, _made(worker.parent / "made"), ["index.json", "train.npz"])
    assert _lacking(worker, Path("/nowhere/train.npz"), name) == []
    assert (worker / "inputs" / name).read_bytes() == CONTENT


def test_the_shared_store_has_it_and_then_the_workers_own(worker: Path) -> None:
    made = _made(worker.parent / "made")
    SharedStore(str(worker.parent / "shared")).push(KEY, made, ["index.json", "train.npz"], worker)
    assert _lacking(worker, Path("/nowhere/train.npz")) == []
    assert (worker / "inputs" / "train.npz").read_bytes() == CONTENT
    digests = Store().contents(KEY, ["index.json", "train.npz"])
    assert digests is not None and digests["train.npz"] == hashlib.sha256(CONTENT).hexdigest()


def test_what_a_store_has_of_another_content_is_not_taken(worker: Path) -> None:
    made = _made(worker.parent / "made", b"what another machine made")
    SharedStore(str(worker.parent / "shared")).push(KEY, made, ["index.json", "train.npz"], worker)
    assert _lacking(worker, Path("/nowhere/train.npz")) == ["train.npz"]


def test_what_was_sent_is_not_looked_for(worker: Path) -> None:
    (worker / "inputs").mkdir()
    (worker / "inputs" / "train.npz").write_bytes(CONTENT)
    assert _lacking(worker, Path("/nowhere/train.npz")) == []


def test_what_another_build_makes_is_known_with_all_its_files(tmp_path: Path) -> None:
    (base,) = resolve(ROOT / "specs" / "quickstart.toml", tmp_path)
    other = derived(base, "quickstart-other", {"seed": 7}, sharing=SAMPLES)
    assert cluster._makers(other)["train.npz"] == cluster._makers(base)["train.npz"] != ()


def test_nothing_of_the_store_is_lost_to_an_artifact_whose_files_are_not_known(worker: Path) -> None:
    store = Store()
    with store.lock(KEY, lambda: None):
        store.put(KEY, _made(worker.parent / "made"), ["index.json", "train.npz"])
    place: dict[str, Any] = {"path": "/nowhere/train.npz", "key": KEY, "files": []}
    assert cluster._find({"train.npz": place}, {"train.npz": "0" * 64}, worker) == ["train.npz"]
    assert _lacking(worker, Path("/nowhere/train.npz")) == []


def test_nothing_fits_on_a_worker_as_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verdict, not its text alone: in a comparison that is a result, elsewhere a failure."""
    for error in (NothingFitsError("no size fits.", "96 kB"), BuildError("no such file.")):
        monkeypatch.setattr(cluster, "_work", Mock(side_effect=error))
        monkeypatch.setattr("rules.cluster.subprocess.run", lambda line, **_: _main_in(Path(line[-1]), monkeypatch))
        answer = cluster.there("{}", {})
        assert type(answer) is type(error) and answer.args == error.args
        assert pickle.loads(pickle.dumps(answer)).args == error.args, "it travels"


def _main_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Mock:
    monkeypatch.setattr("sys.argv", ["cluster", str(folder)])
    cluster.main()
    return Mock(returncode=0)


def test_a_file_here_that_cannot_be_sent_is_told_as_such(worker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "connected", lambda address: nullcontext())
    monkeypatch.setattr(cluster, "_places", lambda *_: {})
    monkeypatch.setattr(cluster, "_there", lambda *_: ["train.npz"])
    stage = next(one for one in SAMPLES if one.name == "dataset")
    with pytest.raises(BuildError, match=r"train\.npz: cannot be read \(No such file"):
        cluster.run("tcp://127.0.0.1:1", stage, {}, {}, worker, worker)
