"""Elastic kernels: a smaller depthwise kernel made from the centre of the larger one.

Once-for-all (arXiv 1908.09791, section 3) multiplies the centre by a learned matrix, one a layer and size, shared by
all channels. Here the matrix is the identity plus what is learned, so that weight decay draws towards the plain
centre.
"""

from torch import Tensor, nn, zeros

from mcubuild.nas.space.backbones import Mobile


class KernelTransform(nn.Module):
    """From a layer's largest kernel to its smaller ones: 7x7 -> 5x5 -> 3x3."""

    def __init__(self, largest: int, *, series: bool = False) -> None:
        super().__init__()
        sizes = sorted((kernel for kernel in Mobile.kernels if kernel < largest), reverse=True)
        # Pairs: a dict's keys would be sorted.
        taps = {size: size if series else size**2 for size in sizes}
        self.learned = nn.ParameterDict((str(size), nn.Parameter(zeros(n, n))) for size, n in taps.items())

    def forward(self, weight: Tensor, kernel: int) -> Tensor:
        """(C, 1, K, K) -> (C, 1, kernel, kernel), or (C, 1, K, 1) -> (C, 1, kernel, 1), by way of the sizes between."""
        for size in self.learned:
            if int(size) >= kernel:
                taps = centre(weight, int(size)).flatten(1)
                weight = (taps + taps @ self.learned[size]).view(len(taps), 1, int(size), -1)
        return weight


def centre(weight: Tensor, kernel: int) -> Tensor:
    """The centre (..., kernel, kernel) of a kernel (..., K, K), or (..., kernel, 1) of (..., K, 1)."""
    border = (weight.shape[-2] - kernel) // 2
    inside = weight[..., border : border + kernel, :]
    return inside if weight.shape[-1] < weight.shape[-2] else inside[..., border : border + kernel]
