import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mcubuild.nas.arch import Space, draw, largest, smallest
from mcubuild.nas.network import initialise
from mcubuild.nas.supernet import SuperNetwork, read_supernet, share, train
from mcubuild.spec.supernet import SupernetSettings
from tests.nas.toy import SPACE, split

SETTINGS = SupernetSettings(epochs=3, batch=32, learning_rate=0.05, subnets=1)


def run(out: Path, work: Path, seed: int = 0, settings: SupernetSettings = SETTINGS) -> bytes:
    train(SPACE, split(64, 1), split(32, 2), settings, task="image_classification", seed=seed, out=out, work=work)
    return (out / "supernet.safetensors").read_bytes()


def test_smaller_networks_share_the_first_channels_and_the_kernels_centre() -> None:
    weights = torch.arange(4 * 3 * 7 * 7.0).reshape(4, 3, 7, 7)
    assert torch.equal(share(weights, (2, 3, 5, 5)), weights[:2, :, 1:6, 1:6])
    assert torch.equal(share(weights, (4, 1, 3, 3)), weights[:, :1, 2:5, 2:5])
    assert torch.equal(share(weights[:, :, 0, 0], (3, 2)), weights[:3, :2, 0, 0])
    assert torch.equal(share(weights[:, 0, 0, 0], (2,)), weights[:2, 0, 0, 0])
    assert share(torch.tensor(3), ()).item() == 3


@pytest.mark.parametrize("seed", range(3))
def test_running_as_a_network_is_running_the_extracted_network(seed: int) -> None:
    space = Space(width=0.4, resolution=20, channels=1, classes=5)
    torch.manual_seed(seed)
    supernet = SuperNetwork(space)
    initialise(supernet)
    for parameter in supernet.parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, mean=1, std=0.3)
    x = torch.rand(8, 1, 20, 20)
    for arch in (smallest(space), largest(space), draw(space, np.random.default_rng(seed))):
        extracted = supernet.extract(arch).train()
        torch.testing.assert_close(supernet.forward_as(x, arch), extracted(x), rtol=1e-3, atol=1e-4)


def test_gradients_reach_exactly_the_shared_weights() -> None:
    space = Space(width=0.2, resolution=30, channels=1, classes=5)
    supernet = SuperNetwork(space)
    initialise(supernet)
    for parameter in supernet.parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, mean=1, std=0.3)
    arch = smallest(space)
    supernet.forward_as(torch.rand(4, 1, 30, 30), arch).square().sum().backward()  # type: ignore[no-untyped-call]
    block = supernet.get_submodule("stages.1.1.depthwise.conv")
    gradient = block.weight.grad
    assert isinstance(gradient, torch.Tensor)
    outside = gradient.clone()
    share(outside, (24, 1, 3, 3)).zero_()
    assert share(gradient, (24, 1, 3, 3)).abs().max() > 0
    assert outside.abs().max() == 0
    assert supernet.get_submodule("stages.1.2.depthwise.conv").weight.grad is None


def test_training_learns_and_writes_weights_and_log(tmp_path: Path) -> None:
    settings = SupernetSettings(epochs=8, batch=32, learning_rate=0.1, subnets=0)
    run(tmp_path, tmp_path / "work", settings=settings)
    log = json.loads((tmp_path / "supernet_log.json").read_text())
    assert len(log) == 8
    assert set(log[0]) == {
        "loss",
        "train_accuracy",
        "val_accuracy_largest",
        "val_accuracy_smallest",
    }
    assert log[-1]["val_accuracy_largest"] > 0.8
    assert log[-1]["loss"] < log[0]["loss"]
    network = read_supernet(tmp_path / "supernet.safetensors", SPACE)
    assert not network.training
    for name, value in network.state_dict().items():
        assert torch.equal(value, load_file(tmp_path / "supernet.safetensors")[name])


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    first = run(tmp_path / "a", tmp_path / "wa")
    assert run(tmp_path / "b", tmp_path / "wb") == first
    assert (tmp_path / "a/supernet_log.json").read_bytes() == (tmp_path / "b/supernet_log.json").read_bytes()
    assert run(tmp_path / "c", tmp_path / "wc", seed=1) != first


def test_a_killed_run_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    undisturbed = run(tmp_path / "whole", tmp_path / "whole_work")
    code = (
        "import sys; from pathlib import Path; from tests.nas.test_supernet import run; "
        "run(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    work = tmp_path / "work"
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "killed"), str(work)])
    deadline = time.monotonic() + 120
    while not (work / "checkpoint.pt").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed").exists()
    assert len(torch.load(work / "checkpoint.pt")["log"]) < SETTINGS.epochs
    assert run(tmp_path / "killed", work) == undisturbed
    assert (tmp_path / "whole/supernet_log.json").read_bytes() == (tmp_path / "killed/supernet_log.json").read_bytes()
