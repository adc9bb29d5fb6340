"""Two processes on the CPU, joined by gloo."""

import json
import multiprocessing
import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from mcubuild.data.splits import Split, write_split
from mcubuild.errors import BuildError
from mcubuild.nas.space.files import write_json
from mcubuild.nas.training import group, supernet_training
from mcubuild.nas.training.fit import fit
from mcubuild.nas.training.length import SUPERNET, length_of
from mcubuild.nas.training.many import HOSTS, launch
from mcubuild.nas.training.recipe import evaluate
from mcubuild.nas.training.supernet import fresh
from mcubuild.progress import bar
from mcubuild.spec.supernet import SupernetSettings
from mcubuild.tasks.learning import Learning
from tests.nas.toy import LEARNING, SPACE, logged, split

SETTINGS = SupernetSettings(epochs=2, batch=32, subnets=1, processes=2)


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def _files(folder: Path) -> dict[str, Path]:
    write_json(SPACE.to_json(), folder / "space.json")
    write_split(split(64, 1), folder / "train.npz")
    write_split(split(32, 2), folder / "val.npz")
    return {name: folder / file for name, file in (("space", "space.json"), ("train", "train.npz"), ("val", "val.npz"))}


def _train(folder: Path, name: str, settings: SupernetSettings = SETTINGS) -> bytes:
    out = folder / name
    launch(
        **_files(folder),
        settings=settings,
        learning=LEARNING,
        seed=0,
        pace=SUPERNET,
        out=out,
        work=folder / f"{name}_w",
    )
    return (out / "supernet.safetensors").read_bytes()


def test_all_processes_begin_with_the_weights_to_start_from(tmp_path: Path) -> None:
    begun = fresh(SPACE, 9).state_dict()
    save_file(begun, tmp_path / "start.safetensors")
    settings = SETTINGS.model_copy(update={"epochs": 1, "learning_rate": 1e-9})
    out, work = tmp_path / "out", tmp_path / "work"
    launch(
        **_files(tmp_path),
        settings=settings,
        learning=LEARNING,
        seed=0,
        pace=SUPERNET,
        out=out,
        work=work,
        start=tmp_path / "start.safetensors",
    )
    trained = load_file(out / "supernet.safetensors")
    for name, value in begun.items():
        if "running" not in name and "num_batches" not in name:
            torch.testing.assert_close(trained[name], value)


def _in_two_processes(work: Callable[[int, Path], None], folder: Path) -> None:
    """``work(rank, folder)`` in two processes that have joined each other."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_join, args=(rank, port, work, folder)) for rank in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(120)
        process.kill()
    assert [process.exitcode for process in both] == [0, 0]


def _join(rank: int, port: int, work: Callable[[int, Path], None], folder: Path) -> None:
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    with group.joined():
        work(rank, folder)


def _cut_off_in_the_second_epoch(rank: int, folder: Path) -> None:
    calls = 0

    def cut_off(network: nn.Module, samples: Split, learning: Learning) -> tuple[float, float]:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return evaluate(network, samples, learning)

    supernet_training.evaluate = cut_off  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt):
        supernet_training.train(
            SPACE,
            split(64, 1),
            split(32, 2),
            SETTINGS,
            learning=LEARNING,
            seed=0,
            out=folder / "cut",
            work=folder / "cut_w",
        )


def test_two_processes_go_on_to_the_same_bits(tmp_path: Path) -> None:
    whole = _train(tmp_path, "whole")
    log = json.loads((tmp_path / "whole/supernet_log.json").read_text())
    assert len(log) == 2 and log[1] != log[0], "it learns"
    _in_two_processes(_cut_off_in_the_second_epoch, tmp_path)
    assert len(logged(tmp_path / "cut_w")) == 1
    assert _train(tmp_path, "cut") == whole


def test_two_hosts_learn_the_same_as_two_processes_on_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = _train(tmp_path, "whole")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv(HOSTS, f"--nnodes=2 --master-addr=127.0.0.1 --master-port={port}")
    capsys.readouterr()
    with ThreadPoolExecutor() as executor:
        first = executor.submit(_train, tmp_path, "many")
        job, told = tmp_path / "many_w" / "job.json", ""
        while "run there" not in told and not first.done():
            time.sleep(0.05)
            told += capsys.readouterr().err
        assert "waits for 1 more of 2 hosts" in told and str(job) in told
        command = told.partition("N = 1 ... 1: python ")[2].strip().replace("=N", "=1")
        second = subprocess.run([sys.executable, *shlex.split(command)], check=False, timeout=300)
        assert first.result() == whole
    assert second.returncode == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--nnodes=2", 'such as "--nnodes=2 --master-addr'),
        ("--nnodes=1 --master-addr=a", "must be options of torchrun"),
        ("--nnodes=2 --master-addr='a", "must be options of torchrun"),
        ("--nnodes=4 --master-addr=a", "shared equally among the 4 hosts"),
    ],
)
def test_hosts_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, told: str) -> None:
    monkeypatch.setenv(HOSTS, options)
    with pytest.raises(BuildError, match=told):
        _train(tmp_path, "many")


def test_a_process_that_fails_is_an_error(tmp_path: Path) -> None:
    files = _files(tmp_path) | {"val": tmp_path / "nothing.npz"}
    with pytest.raises(BuildError, match=r"supernet.processes = 2: a training process failed"):
        launch(
            **files,
            settings=SETTINGS,
            learning=LEARNING,
            seed=0,
            pace=SUPERNET,
            out=tmp_path / "out",
            work=tmp_path / "work",
        )


def test_samples_of_less_than_a_batch_are_not_shared(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"batch": 256})
    with pytest.raises(BuildError, match=r"found \d+ training samples, less than a batch of 256 .*processes = 1"):
        launch(
            **_files(tmp_path), settings=settings, learning=LEARNING, seed=0, pace=SUPERNET, out=tmp_path, work=tmp_path
        )


def _learn_without_batch_norm(rank: int, folder: Path) -> None:
    torch.manual_seed(rank)  # what is not averaged would differ
    network = nn.Linear(64, 3)
    nn.init.zeros_(network.weight)
    nn.init.zeros_(network.bias)

    def learn(images: torch.Tensor, labels: torch.Tensor, rng: np.random.Generator) -> tuple[float, tuple[int, int]]:
        logits = network(images.flatten(1))
        loss = nn.functional.cross_entropy(logits, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.item(), LEARNING.hits(logits, labels)

    settings = SupernetSettings(epochs=2, batch=16)
    work = folder / str(group.count())
    length = length_of(settings, SUPERNET, 64)
    log = fit(
        partial(bar, ""), network, split(64, 1), settings, length, learn, dict, learning=LEARNING, seed=[0], work=work
    )
    torch.save({"weight": network.weight.detach(), "log": log}, folder / f"{group.count()}-{rank}.pt")


def test_two_processes_learn_what_one_does_from_the_whole_batch(tmp_path: Path) -> None:
    _learn_without_batch_norm(0, tmp_path)
    _in_two_processes(_learn_without_batch_norm, tmp_path)
    alone, first, second = (torch.load(tmp_path / f"{name}.pt") for name in ("1-0", "2-0", "2-1"))
    assert torch.equal(first["weight"], second["weight"])
    torch.testing.assert_close(first["weight"], alone["weight"])
    for one, other in zip(first["log"], alone["log"], strict=True):
        assert one == pytest.approx(other)
