import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from mcubuild.files import discard
from mcubuild.nas.space.arch import Space, draw, draw_among, largest, smallest
from mcubuild.nas.training.network import initialise
from mcubuild.nas.training.recipe import evaluate
from mcubuild.nas.training.supernet import SuperNetwork, fresh, read_supernet, share, sort_channels
from mcubuild.nas.training.supernet_training import train
from mcubuild.resolution import square
from mcubuild.spec.supernet import SupernetSettings
from tests.damage import DAMAGES
from tests.nas.toy import LEARNING, SPACE, logged, split

EPOCHS = 3
SETTINGS = SupernetSettings(epochs=EPOCHS, batch=32, learning_rate=0.05, subnets=1)


def run(out: Path, work: Path, seed: int = 0, settings: SupernetSettings = SETTINGS) -> bytes:
    train(
        SPACE,
        split(64, 1),
        split(32, 2),
        settings,
        learning=LEARNING,
        seed=seed,
        out=out,
        work=work,
    )
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
    space = Space(width=0.4, resolution=square(20), channels=1, classes=5)
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
    space = Space(width=0.2, resolution=square(30), channels=1, classes=5)
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
    settings = SupernetSettings(epochs=24, batch=32, learning_rate=0.1, subnets=0)
    run(tmp_path, tmp_path / "work", settings=settings)
    log = json.loads((tmp_path / "supernet_log.json").read_text())
    assert len(log) == 24
    assert set(log[0]) == {
        "steps",
        "loss",
        "train_accuracy",
        "val_loss",
        "val_accuracy_largest",
        "val_accuracy_smallest",
    }
    assert log[-1]["val_accuracy_largest"] > 0.8
    assert log[-1]["loss"] < log[0]["loss"]
    network = read_supernet(tmp_path / "supernet.safetensors", SPACE)
    assert not network.training
    for name, value in network.state_dict().items():
        assert torch.equal(value, load_file(tmp_path / "supernet.safetensors")[name])


def test_training_begins_with_the_weights_to_start_from(tmp_path: Path) -> None:
    begun, start = fresh(SPACE, 9).state_dict(), tmp_path / "start.safetensors"
    save_file(begun, start)
    settings = SETTINGS.model_copy(update={"epochs": 1, "learning_rate": 1e-9})
    learned, judged = split(64, 1), split(32, 2)
    train(
        SPACE, learned, judged, settings, learning=LEARNING, seed=0, out=tmp_path, work=tmp_path / "work", start=start
    )
    trained = load_file(tmp_path / "supernet.safetensors")
    for name, value in begun.items():
        if "running" not in name and "num_batches" not in name:
            torch.testing.assert_close(trained[name], value)


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
    assert len(logged(work)) < EPOCHS
    assert run(tmp_path / "killed", work) == undisturbed
    assert (tmp_path / "whole/supernet_log.json").read_bytes() == (tmp_path / "killed/supernet_log.json").read_bytes()


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes], bytes]:
    """Of a run that was cut off in its last epoch: folder and files of its checkpoints; and what a whole run gives."""
    folder = tmp_path_factory.mktemp("cut_off")
    whole = run(folder / "whole", folder / "whole_work")
    work, calls = folder / "work", 0

    def stop(*arguments: object) -> tuple[float, float]:
        nonlocal calls
        calls += 1
        if calls == 2 * EPOCHS:  # two networks an epoch
            raise KeyboardInterrupt
        return evaluate(*arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("mcubuild.nas.training.supernet_training.evaluate", stop)
        run(folder / "cut", work)
    files = {path.name: path.read_bytes() for path in work.iterdir()}
    assert set(files) == {"checkpoint.pt", "checkpoint.pt.before"}
    return work, files, whole


@pytest.mark.parametrize(
    ("damage", "both"),
    [*((f"flipped bit {seed}", False) for seed in range(3)), ("truncated", False), ("folder", False), ("empty", True)],
)
def test_a_damaged_checkpoint_costs_time_and_not_the_result(
    cut_off: tuple[Path, dict[str, bytes], bytes],
    tmp_path: Path,
    damage: str,
    both: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    work, files, whole = cut_off
    discard(work)
    work.mkdir()
    for name, content in files.items():
        (work / name).write_bytes(content)
        if both or name == "checkpoint.pt":
            DAMAGES[damage](work / name)
    assert run(tmp_path, work) == whole
    source = "the start" if both else "the one before"
    told = f"  checkpoint {work}/checkpoint.pt is damaged and removed; going on from {source}.\n"
    assert capsys.readouterr().err == told


def _some_network(space: Space, *, kernel_transform: bool = False) -> SuperNetwork:
    """With nothing left at zero or one, so that every weight matters."""
    torch.manual_seed(0)
    network = SuperNetwork(space, kernel_transform=kernel_transform)
    initialise(network)
    for name, parameter in network.named_parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, mean=1, std=0.3)
        elif name.startswith("transforms."):
            torch.nn.init.normal_(parameter, std=0.1)
    return network


def test_sorted_channels_change_the_small_networks_alone() -> None:
    space = Space(width=0.2, resolution=square(20), channels=1, classes=5)
    network, x = _some_network(space), torch.rand(8, 1, 20, 20)
    archs = largest(space), smallest(space)
    before = [network.forward_as(x, arch) for arch in archs]
    sort_channels(network)
    after = [network.forward_as(x, arch) for arch in archs]
    torch.testing.assert_close(after[0], before[0], rtol=1e-3, atol=1e-4)
    assert (after[1] - before[1]).abs().max() > 0.01
    importance = network.get_parameter("stages.2.1.project.conv.weight").detach().abs().sum(dim=(0, 2, 3))
    assert torch.equal(importance, importance.sort(descending=True).values)


def test_transformed_kernels_begin_as_the_centre_and_are_in_the_extracted_network() -> None:
    space = Space(width=0.2, resolution=square(40), channels=1, classes=5)
    arch, x = smallest(space), torch.rand(8, 1, 40, 40)
    plain, learned = _some_network(space), _some_network(space, kernel_transform=True)
    torch.testing.assert_close(learned.extract(arch).train()(x), learned.forward_as(x, arch), rtol=1e-3, atol=1e-4)
    assert (plain.forward_as(x, arch) - learned.forward_as(x, arch)).abs().max() > 0.01
    torch.testing.assert_close(plain.forward_as(x, largest(space)), learned.forward_as(x, largest(space)))
    for matrix in learned.transforms.parameters():
        torch.nn.init.zeros_(matrix)
    torch.testing.assert_close(plain.forward_as(x, arch), learned.forward_as(x, arch))


def test_the_matrices_of_kernels_learn(tmp_path: Path) -> None:
    settings = SupernetSettings(epochs=1, batch=32, kernel_transform=True)
    space = Space(width=0.2, resolution=square(16), channels=1, classes=3)
    train(
        space,
        split(64, 1),
        split(32, 2),
        settings,
        learning=LEARNING,
        seed=0,
        out=tmp_path,
        work=tmp_path,
    )
    network = read_supernet(tmp_path / "supernet.safetensors", space)
    # Further blocks of a stage begin as the identity, or have no part in so few networks.
    names = [name for name, _ in network.named_parameters() if re.match(r"transforms.stages-\d-0.", name)]
    assert len(names) == 4
    assert all(network.get_parameter(name).abs().max() > 0 for name in names)


def test_shrinking_learns(tmp_path: Path) -> None:
    settings = SupernetSettings(schedule="shrinking", epochs=16, batch=32, learning_rate=0.1, subnets=0)
    run(tmp_path, tmp_path / "work", settings=settings)
    log = json.loads((tmp_path / "supernet_log.json").read_text())
    assert len(log) == 16
    assert log[-1]["val_accuracy_largest"] > 0.6


def test_shrinking_goes_on_in_any_phase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SupernetSettings(schedule="shrinking", epochs=4, batch=32, ema=0.9)
    whole = run(tmp_path / "whole", tmp_path / "work", settings=settings)
    calls = 0

    def cut_off(*arguments: object) -> tuple[float, float]:
        nonlocal calls
        calls += 1
        if calls in (3, 6):  # two an epoch, an epoch a phase
            raise KeyboardInterrupt
        return evaluate(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("mcubuild.nas.training.supernet_training.evaluate", cut_off)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "cut", tmp_path / "cut_work", settings=settings)
    assert run(tmp_path / "cut", tmp_path / "cut_work", settings=settings) == whole
    assert (tmp_path / "cut/supernet_log.json").read_bytes() == (tmp_path / "whole/supernet_log.json").read_bytes()


def test_networks_of_a_phase_differ_in_its_choices_alone() -> None:
    space = Space(width=0.2, resolution=square(40), channels=1, classes=5)
    rng = np.random.default_rng(0)
    assert draw_among(space, (), rng) == largest(space)
    for _ in range(20):
        arch = draw_among(space, ("kernel",), rng)
        assert [len(stage) for stage in arch.stages] == [len(stage) for stage in largest(space).stages]
        assert {expansion for stage in arch.stages for _, expansion in stage} == {6}
    assert {kernel for stage in arch.stages for kernel, _ in stage} > {3}


def test_training_in_half_precision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used = []

    def half(network: torch.nn.Module) -> torch.autocast:
        used.append(network)
        return torch.autocast("cpu", torch.bfloat16)

    plain = run(tmp_path / "plain", tmp_path / "plain_work", settings=SupernetSettings(epochs=1, batch=32))
    monkeypatch.setattr("mcubuild.nas.training.supernet_training.mixed_precision", half)
    assert run(tmp_path / "half", tmp_path / "half_work", settings=SupernetSettings(epochs=1, batch=32)) != plain
    log = json.loads((tmp_path / "half/supernet_log.json").read_text())
    assert used and np.isfinite(log[0]["loss"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"schedule": "shrinking", "epochs": 3}, "needs 4 epochs or more"),
        ({"processes": 3, "batch": 64}, "batch must be a multiple of processes"),
        ({"processes": 2, "batch": 2}, "2 samples each or more"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SupernetSettings.model_validate(settings)
