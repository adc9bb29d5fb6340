"""Small networks of PyTorch as others write them, with statistics of batch norm that are not those of a fresh one."""

import torch
from torch import Tensor, nn


class Block(nn.Module):
    """An inverted bottleneck."""

    def __init__(self, inputs: int, outputs: int, stride: int, act: type[nn.Module]) -> None:
        super().__init__()
        wide = 3 * inputs
        self.body = nn.Sequential(
            nn.Conv2d(inputs, wide, 1, bias=False), nn.BatchNorm2d(wide), act(),
            nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False), nn.BatchNorm2d(wide), act(),
            nn.Conv2d(wide, outputs, 1, bias=False), nn.BatchNorm2d(outputs),
        )  # fmt: skip
        self.residual = inputs == outputs and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + y if self.residual else y


class Mobile(nn.Module):
    """MobileNetV2's parts: (1, 3, side, side) -> (1, 10)."""

    def __init__(self, act: type[nn.Module] = nn.ReLU6) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), act())
        self.blocks = nn.Sequential(Block(8, 8, 1, act), Block(8, 16, 2, act))
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.dropout(self.blocks(self.stem(x)).mean((2, 3))))
        return y


class Odd(nn.Module):
    """Much of what the other has not: (1, 4, 8, 12) -> (1, 6) and maps (1, 2, 16, 24)."""

    def __init__(self) -> None:
        super().__init__()
        self.grouped = nn.Conv2d(4, 8, 3, padding=1, groups=2)
        self.slope = nn.PReLU(8)
        self.norm = nn.BatchNorm2d(8)
        self.up = nn.ConvTranspose2d(8, 4, 3, 2, 1, output_padding=1)
        self.map = nn.Conv2d(12, 2, 1)
        self.head = nn.Linear(8 * 4 * 6, 6)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.slope(self.grouped(x))
        gate = torch.sigmoid(self.norm(x))
        x = x * gate
        up = nn.functional.hardswish(self.up(x))
        near = nn.functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        maps = torch.tanh(self.map(torch.cat([up, near], 1)))
        pooled = nn.functional.max_pool2d(x, 2) - nn.functional.avg_pool2d(x, 3, 2, 1)
        flat = pooled.permute(0, 2, 3, 1).flatten(1)
        return torch.softmax(self.head(flat), -1), maps


def settled(network: nn.Module) -> nn.Module:
    """In evaluation mode, with statistics as after training."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
    return network.eval()
