import pytest
import torch

from mcubuild.ir.geometry import same_padding
from mcubuild.nas.training.depthwise import conv_same


def reference(x: torch.Tensor, weight: torch.Tensor, stride: int, groups: int) -> torch.Tensor:
    kernel = weight.shape[2]
    top, bottom, left, right = same_padding((x.shape[2], x.shape[3]), (kernel, kernel), (stride, stride))
    padded = torch.nn.functional.pad(x, (left, right, top, bottom))
    return torch.nn.functional.conv2d(padded, weight, None, stride, 0, 1, groups)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("size", [*((n, n) for n in (1, 2, 5, 8, 16, 24)), (4, 5), (5, 4), (8, 11), (16, 7), (2, 24)])
def test_values_and_gradients_are_those_of_torch(size: tuple[int, int], kernel: int, stride: int) -> None:
    generator = torch.Generator().manual_seed(size[0])
    x = torch.randn(3, 6, *size, generator=generator).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(6, 1, kernel, kernel, generator=generator)
    x.requires_grad_()
    weight.requires_grad_()
    expected = reference(x, weight, stride, 6)
    gradient = torch.randn(expected.shape, generator=generator)
    wanted = torch.autograd.grad(expected, (x, weight), gradient)
    actual = conv_same(x, weight, stride, 6)
    torch.testing.assert_close(actual, expected)
    for got, want in zip(torch.autograd.grad(actual, (x, weight), gradient), wanted, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


def test_padding_is_tensorflows() -> None:
    # Even side, stride 2: the odd pixel of padding lies at the bottom and right, so the first window starts at 0.
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    corner = torch.zeros(1, 1, 3, 3)
    corner[0, 0, 0, 0] = 1
    assert conv_same(x, corner, 2, 1)[0, 0].tolist() == [[0, 2], [8, 10]]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [1, 7, 54])
def test_pointwise_convolutions_are_torchs(size: int, stride: int) -> None:
    """At 54 pixels, 8 channels and stride 2, oneDNN's own gradient kills the process."""
    generator = torch.Generator().manual_seed(size)
    x = torch.randn(64, 8, size, size, generator=generator).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(8, 8, 1, 1, generator=generator)
    expected = torch.einsum("nchw,oc->nohw", x[:, :, ::stride, ::stride], weight[:, :, 0, 0])
    gradient = torch.randn(expected.shape, generator=generator)
    x.requires_grad_()
    weight.requires_grad_()
    actual = conv_same(x, weight, stride, 1)
    torch.testing.assert_close(actual, expected)
    to_x, to_weight = torch.autograd.grad(actual, (x, weight), gradient)
    spread = torch.zeros(x.shape)
    spread[:, :, ::stride, ::stride] = torch.einsum("nohw,oc->nchw", gradient, weight[:, :, 0, 0].detach())
    torch.testing.assert_close(to_x, spread)
    seen = x.detach()[:, :, ::stride, ::stride]
    wanted = torch.einsum("nohw,nchw->oc", gradient.double(), seen.double())[:, :, None, None]
    # As many float32 roundings as there are products, in an order that each processor has of its own.
    products = torch.einsum("nohw,nchw->oc", gradient.abs().double(), seen.abs().double())
    torch.testing.assert_close(to_weight.double(), wanted, rtol=1e-5, atol=2**-24 * float(products.max()))
