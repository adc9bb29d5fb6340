"""Programs of ``torch.export.save``: PyTorch's operators, levels as PT2E writes them, archives that are damaged."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (the name that everyone uses)
from numpy.typing import NDArray
from torch import Tensor, nn

from mcubuild.errors import BuildError
from mcubuild.importers.network import import_network, read_network
from mcubuild.ir.executor import run, sample_shape
from mcubuild.quant.floating import Network
from tests.quant.exported import Mobile, settled


class Function(nn.Module):
    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(x)


def saved(network: nn.Module, x: Tensor, path: Path) -> Path:
    torch.export.save(torch.export.export(network.eval(), (x,)), str(path))
    return path


def residual(x: Tensor) -> Tensor:
    """Of what is changed in place."""
    y = torch.tanh(x)
    y += x
    return y * F.relu_(y)


def dropped(x: Tensor) -> Tensor:
    """Of what has two names and one memory."""
    y = torch.tanh(x)
    z = torch.sigmoid(y)
    return F.relu_(F.dropout(y, training=False)) + y + z


def copied(x: Tensor) -> Tensor:
    """Of a copy, which changes alone."""
    y = torch.tanh(x)
    return y.clone() + y.mul_(2)


FUNCTIONS: dict[str, Callable[[Tensor], Any]] = {
    "in place": residual,
    "in place by another name": dropped,
    "in place beside a copy": copied,
    "several names": lambda x: torch.exp(x) * F.dropout(x, training=False) + F.dropout(torch.tanh(x), training=False),
    "turned around": lambda x: torch.rsub(x, x.abs(), alpha=2),
    "pools of odd sides": lambda x: F.avg_pool2d(x, 2, ceil_mode=True),
    "numbers": lambda x: (3 - x) * 2 + torch.add(x, x, alpha=0.5) / 4 - 1,
    "clamps": lambda x: torch.clamp(x, -0.5, 0.7) + torch.clamp(x, min=0.1) + F.hardtanh(x) + torch.clamp_max(x, 0.2),
    "activations": lambda x: F.elu(x) + F.gelu(x) + F.gelu(x, approximate="tanh") + F.mish(x) + F.softplus(x),
    "powers": lambda x: x.square() + x.abs().sqrt() + torch.rsqrt(x.abs() + 1) + (x.abs() + 1).reciprocal() + x**2,
    "softmax": lambda x: x.softmax(1) + x.log_softmax(3),
    "means": lambda x: x.mean(1, keepdim=True) + x.sum((2, 3), keepdim=True) + x.amax(2, keepdim=True),
    "pools": lambda x: (
        F.max_pool2d(x, 3, 2, 1) + F.avg_pool2d(x, 3, 2, 1) + F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
    ),
    "ceiling": lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True),
    "adaptive": lambda x: F.adaptive_avg_pool2d(x, (2, 3)) + F.adaptive_avg_pool2d(x, 1) + F.adaptive_max_pool2d(x, 1),
    "upsampled": lambda x: F.interpolate(x, scale_factor=2.0) + F.interpolate(x, size=(12, 18), mode="bilinear"),
    "corners": lambda x: F.interpolate(x, size=(7, 5), mode="bilinear", align_corners=True),
    "joined": lambda x: torch.cat([x, x * 2], 1) + torch.stack([x, x], 2).flatten(1, 2),
    "parts": lambda x: torch.cat(
        [*x.chunk(2, 1), *torch.split_with_sizes(x, [1, 3], 1), x[:, 1:3], x[:, 2].unsqueeze(1)], 1
    ),
    "unbound": lambda x: x.unbind(1)[2] + x.select(1, -1),
    "slices": lambda x: x[:, :, 1:-1, ::2],
    "permuted": lambda x: x.permute(0, 2, 3, 1).reshape(1, 54, 4).transpose(1, 2) @ x.flatten(2).transpose(1, 2),
    "padded": lambda x: F.pad(x, (1, 2, 0, 3), value=0.5) + F.pad(x, (2, 1, 3, 0), mode="reflect"),
    "shuffled": lambda x: F.pixel_shuffle(x, 2),
    "shuffled back": lambda x: F.channel_shuffle(F.pixel_unshuffle(F.pixel_shuffle(x, 2), 2), 2) + x,
    "several": lambda x: (x + 1, x.flatten(1)),
    "norms of rows": lambda x: (
        F.layer_norm(x, (9,), torch.arange(9) + 0.5, torch.arange(9) * 0.1)
        + F.layer_norm(x, (6, 9), eps=1e-3)
        + F.rms_norm(x, (9,), torch.arange(9) + 0.5)
    ),
    "norms of channels": lambda x: (
        F.group_norm(x, 2, torch.arange(4) + 0.5, torch.arange(4) * 0.1)
        + F.instance_norm(x)
        + F.layer_norm(x.permute(0, 2, 3, 1), (4,), torch.arange(4) + 0.5).permute(0, 3, 1, 2)
    ),
    "the same twice": lambda x: (
        x[:, :, :4, :4] @ x[:, :, :4, :4].transpose(2, 3) + (x @ x.transpose(2, 3))[:, :, :4, :4]
    ),
    "attention": lambda x: (
        F.scaled_dot_product_attention(x, x * 2, x + 1) + F.scaled_dot_product_attention(x, x, x, scale=0.5)
    ),
    "extremes": lambda x: x.max(1, keepdim=True)[0] - x.amin((2, 3), keepdim=True) + x.min(3, keepdim=True)[0],
    "spread": lambda x: x.var((2, 3), keepdim=True) + x.std(1, keepdim=True) + F.normalize(x, dim=1),
    "bent": lambda x: (
        F.selu(x) + F.celu(x, 0.7) + F.logsigmoid(x) + torch.sin(x) * torch.cos(x) + F.glu(x.repeat(1, 2, 1, 1), 1)
    ),
    "repeated": lambda x: (
        x.mean(1, keepdim=True).expand_as(x) * x
        + torch.cat([x[:, :1].expand(-1, 2, -1, -1), x[:, :2].tile(1, 1, 1, 1)], 1)
    ),
    "along the first": lambda x: x[0].sum(0) + x[0].amax(0) + torch.roll(x, 1, 0)[0, 0],
    "edges": lambda x: F.pad(x, (1, 2, 0, 3), mode="replicate") + F.pad(x, (2, 1, 3, 0), mode="circular"),
    "turned": lambda x: x.flip(3) + torch.roll(x, (2, -1), (2, 3)) + x[:, [0, 3, 2, 1]] + x.narrow(1, 1, 1),
    "counted": lambda x: F.relu(x) + torch.arange(9) / 8 + torch.arange(1, 10) / torch.arange(3, 12),
    "counted in reals": lambda x: (
        F.relu(x) + torch.arange(9, dtype=torch.float32) ** 0.5 + torch.arange(9.0) / 4 + torch.arange(0, 4.5, 0.5)
    ),
    "powers of integers": lambda x: (
        x + torch.arange(9) ** 0.5 + torch.arange(9) ** 2 + torch.arange(1, 10).rsqrt() + 1 / torch.arange(1, 10)
    ),
    "constants cut": lambda x: (
        x + torch.arange(18.0)[::2] + torch.arange(18.0)[1:2:4] + torch.arange(54.0).reshape(6, 9).flip(1)
    ),
    "cut from the end": lambda x: x.narrow(3, -3, 2) + x.narrow(3, -2, 2),
    "rolled as a row": lambda x: torch.roll(x, 5) * 2,
    "moved": lambda x: torch.movedim(x, 1, 3).reshape(1, 54, 4).swapaxes(1, 2) + torch.zeros(1, 4, 54),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_operators_are_those_of_pytorch(tmp_path: Path, name: str) -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 4, 6, 9)
    network = Function(FUNCTIONS[name])
    file = read_network(saved(network, x, tmp_path / "net.pt2"))
    found = np.split(Network(file).run([last(x)]), np.cumsum([file.tensors[index].elements for index in file.outputs]))
    wanted = network(x)
    for index, ours, theirs in zip(
        file.outputs, found, wanted if isinstance(wanted, tuple) else (wanted,), strict=False
    ):
        order = file.orders.get(index, tuple(range(theirs.ndim)))
        assert np.abs(ours - theirs.permute(order).numpy().ravel()).max() < 1e-5


def last(x: Tensor) -> NDArray[np.float32]:
    """Channels last, flattened."""
    found: NDArray[np.float32] = x.permute(0, 2, 3, 1).numpy().ravel()
    return found


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 8, 3, 2, 1, dilation=2),
        nn.Conv2d(4, 8, 3, padding="same", groups=4),
        nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1),
        nn.Sequential(nn.Flatten(2), nn.ConvTranspose1d(4, 3, 5, 3, 1, output_padding=2)),
        nn.Sequential(nn.Flatten(2), nn.Conv1d(4, 3, 5, padding=2), nn.MaxPool1d(2), nn.AvgPool1d(3, 2, 1)),
        nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1, bias=False), nn.BatchNorm2d(4)),
        nn.Sequential(nn.Flatten(), nn.Linear(216, 5), nn.Dropout(0.5), nn.Linear(5, 3, bias=False)),
        nn.Linear(9, 3),
    ],
    ids=str,
)
def test_layers_are_those_of_pytorch(tmp_path: Path, layer: nn.Module) -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 4, 6, 9)
    settled(layer)
    file = read_network(saved(layer, x, tmp_path / "net.pt2"))
    with torch.no_grad():
        wanted = layer(x)
    order = file.orders.get(file.outputs[0], tuple(range(wanted.ndim)))
    assert np.abs(Network(file).run([last(x)]) - wanted.permute(order).numpy().ravel()).max() < 1e-5


class Levels(nn.Module):
    """As PT2E converts: quantize and dequantize around each operator, weights on levels, a bias of real numbers."""

    def __init__(self, per_channel: bool) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.per_channel = per_channel
        self.register_buffer("levels", torch.randint(-127, 128, (6, 4, 3, 3), generator=generator).to(torch.int8))
        self.register_buffer("scales", torch.rand(6, generator=generator) * 0.01 + 0.002)
        self.register_buffer("zeros", torch.zeros(6, dtype=torch.int64))
        self.register_buffer("matrix", torch.randint(-127, 128, (5, 6), generator=generator).to(torch.int8))
        self.bias = nn.Parameter(torch.randn(6, generator=generator))

    def forward(self, x: Tensor) -> Tensor:
        ops = torch.ops.quantized_decomposed

        def through(x: Tensor, scale: float, zero: int) -> Tensor:
            levels = ops.quantize_per_tensor.default(x, scale, zero, -128, 127, torch.int8)
            real: Tensor = ops.dequantize_per_tensor.default(levels, scale, zero, -128, 127, torch.int8)
            return real

        if self.per_channel:
            weights = ops.dequantize_per_channel.default(self.levels, self.scales, self.zeros, 0, -127, 127, torch.int8)
        else:
            weights = ops.dequantize_per_tensor.default(self.levels, 0.004, 0, -127, 127, torch.int8)
        matrix = ops.dequantize_per_tensor.default(self.matrix, 0.01, 0, -127, 127, torch.int8)
        x = through(F.relu(F.conv2d(through(x, 0.02, 3), weights, self.bias, padding=1)), 0.03, -128)
        x = through(x + through(F.hardswish(x), 0.025, -120), 0.04, -125)
        return through(F.linear(through(x.mean((2, 3)), 0.02, -110), matrix), 0.05, 4)


def steps(path: Path, network: nn.Module, x: Tensor) -> NDArray[np.int64]:
    """By how many levels the integers are off PyTorch's own, (N, elements)."""
    found = import_network(path)
    face, result = found.inputs[0], found.outputs[0]
    levels = face.to_levels(face.arranged(x.numpy().reshape(len(x), -1))).astype(np.int8)
    ours = run(found.graph, levels.reshape(len(x), *sample_shape(found.graph))).reshape(len(x), -1)
    with torch.no_grad():
        wanted = torch.cat([network(each[None]) for each in x]).numpy()
    return np.asarray(np.abs(result.to_levels(wanted).astype(np.int64) - ours))


@pytest.mark.parametrize("per_channel", [False, True])
def test_levels_as_pt2e_writes_them(tmp_path: Path, per_channel: bool) -> None:
    import torch.ao.quantization.fx._decomposed  # defines the operators

    torch.manual_seed(0)
    network, x = Levels(per_channel), torch.randn(32, 4, 7, 9)
    off = steps(saved(network, x[:1], tmp_path / "net.pt2"), network, x)
    assert off.max() <= 1 and off.mean() < 0.35


@pytest.mark.needs("torchao")
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("act", [nn.ReLU6, nn.Hardswish, nn.SiLU])
def test_what_torchao_quantises(tmp_path: Path, act: type[nn.Module], per_channel: bool) -> None:
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.testing.pt2e._xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config

    torch.manual_seed(0)
    network, x = settled(Mobile(act)), torch.randn(32, 3, 24, 24)
    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=per_channel))
    prepared = prepare_pt2e(torch.export.export(network, (x[:1],)).module(), quantizer)
    for each in x:
        prepared(each[None])
    quantised = convert_pt2e(prepared)
    torch.export.save(torch.export.export(quantised, (x[:1],)), str(tmp_path / "net.pt2"))
    off = steps(tmp_path / "net.pt2", quantised, x)
    assert off.max() <= 1 and off.mean() < 0.35


# ---- refusals --------------------------------------------------------------------------------------------------------


def refusal(path: Path) -> str:
    with pytest.raises(BuildError) as caught:
        import_network(path)
    told = str(caught.value)
    assert str(path) in told and "\n" not in told and len(told) < 500
    return told


def test_an_unknown_operator_is_told_with_its_place(tmp_path: Path) -> None:
    path = saved(Function(lambda x: torch.cumsum(x, 1)), torch.randn(1, 4, 6, 9), tmp_path / "net.pt2")
    told = refusal(path)
    assert "node 'cumsum' (aten.cumsum.default) is not supported" in told and "(1, 4, 6, 9)" in told


def test_a_network_that_learns_is_refused(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)).train()
    torch.export.save(torch.export.export(network, (torch.randn(2, 4, 6, 9),)), str(tmp_path / "net.pt2"))
    assert "model.eval()" in refusal(tmp_path / "net.pt2")


def test_what_is_changed_while_there_are_views_is_refused(tmp_path: Path) -> None:
    def function(x: Tensor) -> Tensor:
        y = x * 2
        part = y[:, 1:]
        y.relu_()
        return part + y[:, :3]

    told = refusal(saved(Function(function), torch.randn(1, 4, 6, 9), tmp_path / "net.pt2"))
    assert "changes what has views" in told


def rewritten(path: Path, change: Callable[[str, bytes], bytes | None]) -> None:
    """Pass each member of an archive through ``change``; None leaves it out."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            if (changed := change(name, data)) is not None:
                archive.writestr(name, changed)


def test_pickles_are_not_read(tmp_path: Path) -> None:
    """Neither sample inputs, which the archive has as a pickle, nor weights."""
    path = saved(nn.Conv2d(4, 4, 1), torch.randn(1, 4, 6, 9), tmp_path / "net.pt2")
    rewritten(path, lambda name, data: b"cos\nsystem\n(S'false'\ntR." if name.endswith(".pt") else data)
    assert len(read_network(path).operators) == 1
    rewritten(path, lambda name, data: data.replace(b'"use_pickle": false', b'"use_pickle": true'))
    assert "is a pickle, which is not read" in refusal(path)


def test_archives_of_other_versions_are_told(tmp_path: Path) -> None:
    path = saved(nn.Conv2d(4, 4, 1), torch.randn(1, 4, 6, 9), tmp_path / "net.pt2")
    rewritten(path, lambda name, data: data.replace(b'"major": 8', b'"major": 7'))
    assert "its schema has version 7, must have 8" in refusal(path)
    rewritten(path, lambda name, data: None if "/models/" in name else data)
    assert "holds no program" in refusal(path)


@pytest.mark.parametrize("seed", range(60))
def test_damage_is_told_in_a_line(tmp_path: Path, seed: int) -> None:
    """Bytes of the archive, or of a member."""
    path = saved(settled(Mobile()), torch.randn(1, 3, 8, 8), tmp_path / "net.pt2") if seed == 0 else None
    path = path or saved(nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU()), torch.randn(1, 4, 6, 9), tmp_path / "net.pt2")
    rng = np.random.default_rng(seed)

    def damaged(data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(int(rng.integers(1, 6))):
            if changed:
                changed[rng.integers(len(changed))] = rng.integers(256)
        return bytes(changed[: rng.integers(len(changed) + 1)]) if rng.random() < 0.2 else bytes(changed)

    if seed % 2:
        path.write_bytes(damaged(path.read_bytes()))
    else:
        rewritten(path, lambda name, data: damaged(data) if name.endswith(".json") else data)
    try:
        import_network(path)
    except BuildError as error:
        assert "\n" not in str(error) and str(path) in str(error)


class Heads(nn.Module):
    """What is read under several names, of which a norm behind one could be folded into the layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.norm = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer(x)
        z = F.dropout(y, training=self.training)
        found: Tensor = self.norm(z) + y + z.exp()
        return found


def test_a_layer_with_several_names_keeps_its_result(tmp_path: Path) -> None:
    torch.manual_seed(0)
    x, network = torch.randn(1, 4, 6, 9), Heads()
    settled(network)
    with torch.no_grad():
        network.norm.weight.fill_(3)
    file = read_network(saved(network, x, tmp_path / "net.pt2"))
    assert np.abs(Network(file).run([last(x)]) - last(network(x).detach())).max() < 1e-4


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda x: F.interpolate(x, scale_factor=1.3), "by a factor of 1.3; give it sizes instead"),
        (lambda x: F.scaled_dot_product_attention(x, x, x, dropout_p=0.5), "drops elements at random"),
        (lambda x: F.softplus(x, threshold=2), "has threshold 2, must be at least 10"),
        (lambda x: x[..., :4] + torch.arange(0, 4.5, dtype=torch.int64), "as integers; give it integers"),
        (lambda x: (x + 1, None), "returns something that is no tensor"),
    ],
)
def test_what_would_be_computed_otherwise_is_refused(
    tmp_path: Path, function: Callable[[Tensor], Any], reason: str
) -> None:
    assert reason in refusal(saved(Function(function), torch.randn(1, 4, 6, 9), tmp_path / "net.pt2"))


def test_a_number_that_is_known_only_when_it_runs_is_refused(tmp_path: Path) -> None:
    x, path = torch.randn(2, 4, 6, 9), tmp_path / "net.pt2"
    network = Function(lambda x: x / x.shape[0])
    batch = {0: torch.export.Dim("batch", min=1, max=64)}
    torch.export.save(torch.export.export(network, (x,), dynamic_shapes={"x": batch}), str(path))
    assert "known only when it runs" in refusal(path)


class Unused(nn.Module):
    def forward(self, x: Tensor, more: Tensor) -> Tensor:
        return x.tanh()


def test_an_input_that_nothing_reads_is_none(tmp_path: Path) -> None:
    x = torch.randn(1, 4, 6, 9)
    torch.export.save(torch.export.export(Unused(), (x, x)), str(tmp_path / "net.pt2"))
    assert len(read_network(tmp_path / "net.pt2").inputs) == 1
