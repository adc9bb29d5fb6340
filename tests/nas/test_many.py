"""Two processes on the CPU, joined by gloo."""

import json
import multiprocessing
import os
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mcubuild.data.splits import Split, write_split
from mcubuild.errors import BuildError
from mcubuild.nas import processes
from mcubuild.nas.files import write_json
from mcubuild.nas.fit import fit
from mcubuild.nas.many import launch
from mcubuild.nas.supernet import SuperNetwork
from mcubuild.spec.supernet import SupernetSettings
from tests.nas.toy import SPACE, split

SETTINGS = SupernetSettings(epochs=2, batch=32, subnets=1, processes=2)


def _files(folder: Path) -> dict[str, Path]:
    write_json(SPACE.to_json(), folder / "space.json")
    write_split(split(64, 1), folder / "train.npz")
    write_split(split(32, 2), folder / "val.npz")
    return {name: folder / file for name, file in (("space", "space.json"), ("train", "train.npz"), ("val", "val.npz"))}


def _train(folder: Path, name: str, settings: SupernetSettings = SETTINGS) -> bytes:
    out = folder / name
    launch(**_files(folder), settings=settings, task="image_classification", seed=0, out=out, work=folder / f"{name}_w")
    return (out / "supernet.safetensors").read_bytes()


def test_two_processes_train_the_same_each_time_and_resume(tmp_path: Path) -> None:
    whole = _train(tmp_path, "whole")
    network = SuperNetwork(SPACE)
    network.load_state_dict(load_file(tmp_path / "whole/supernet.safetensors"))
    log = json.loads((tmp_path / "whole/supernet_log.json").read_text())
    assert len(log) == 2 and log[1]["loss"] < log[0]["loss"]
    # As if killed in the second epoch: the checkpoint is that of the first.
    work = tmp_path / "again_w"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MCUBUILD_TEST_EPOCHS", "1")
    checkpoint = torch.load(tmp_path / "whole_w/checkpoint.pt")
    assert len(checkpoint["log"]) == 2
    work.mkdir()
    assert _train(tmp_path, "again") == whole
