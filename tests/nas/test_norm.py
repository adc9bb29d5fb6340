import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (the name that everyone uses)

from mcubuild.nas.activation import relu6
from mcubuild.nas.norm import norm


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize(
    "shape", [(64, 8, 5, 5), (3, 24, 7, 7), (5, 3, 1, 1), (2, 1, 4, 4), (7, 130, 3, 3), (64, 48, 21, 21)]
)
def test_values_and_gradients_are_those_of_torch(shape: tuple[int, ...], clip: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    x = (3 + 2 * torch.randn(shape, generator=generator)).contiguous(memory_format=torch.channels_last)
    weight, bias = 1 + torch.rand(2, shape[1], generator=generator)
    leaves = x, weight, bias = x.requires_grad_(), weight.clone().requires_grad_(), bias.clone().requires_grad_()
    gradient = torch.randn(shape, generator=generator)
    exact = [leaf.detach().double().requires_grad_() for leaf in leaves]
    expected = F.batch_norm(exact[0], None, None, exact[1], exact[2], training=True, eps=1e-5)
    # Where a value is next to a bound, rounding decides whether the gradient passes.
    sure = (expected.abs() > 1e-4) & ((expected - 6).abs() > 1e-4)
    expected = F.relu6(expected) if clip else expected
    actual = norm(x, weight, bias, 1e-5, clip=clip)
    torch.testing.assert_close(actual, expected.float(), rtol=1e-4, atol=2e-5)
    assert actual.is_contiguous(memory_format=torch.channels_last)
    wanted = torch.autograd.grad(expected, exact, gradient.double() * sure)
    for got, want in zip(torch.autograd.grad(actual, leaves, gradient * sure), wanted, strict=True):
        torch.testing.assert_close(got, want.float(), rtol=1e-4, atol=1e-3 if got.ndim == 1 else 2e-5)


def test_any_layout_and_half_precision_are_served() -> None:
    x, weight, bias = torch.randn(4, 6, 5, 5), torch.ones(6), torch.zeros(6)
    expected = norm(x.contiguous(memory_format=torch.channels_last), weight, bias, 1e-5, clip=True)
    assert torch.equal(norm(x, weight, bias, 1e-5, clip=True), expected)
    half = norm(x.bfloat16(), weight, bias, 1e-5, clip=True)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), expected, rtol=0.05, atol=0.05)


def test_relu6_alone_passes_the_gradient_between_its_bounds() -> None:
    x = torch.tensor([-1.0, 0.0, 2.0, 6.0, 7.0], requires_grad=True)
    y = relu6(x * 1)
    assert y.tolist() == [0, 0, 2, 6, 6]
    (gradient,) = torch.autograd.grad(y, x, torch.full((5,), 3.0))
    assert gradient.tolist() == [0, 0, 3, 0, 0]
