"""Densely connected networks (Huang, Liu, van der Maaten and Weinberger 2017), for images of 16 to 64 pixels."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class DenseLayer(nn.Module):
    """A 1 × 1 and a 3 × 3 convolution, each after normalisation and ReLU; adds its channels to its input's."""

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, 4 * growth, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.relu(self.bn1(x)))
        return torch.cat([x, self.conv2(F.relu(self.bn2(y)))], dim=1)


class DenseNet(nn.Module):
    """DenseNet-BC with the stem that is usual on CIFAR: one 3 × 3 convolution, no pooling.

    Between blocks, a transition halves the channels and the image. Blocks (6, 12, 24, 16) and growth 32 make
    DenseNet-121, with 6,956,426 parameters for 10 classes.

    Args:
        blocks: dense layers of each block.
        width: channels that each dense layer adds, the paper's growth rate; the stem has twice as many.
        classes: outputs, one logit a class.
    """

    def __init__(self, *, blocks: Sequence[int], width: int = 32, classes: int = 10) -> None:
        super().__init__()
        channels = 2 * width
        layers: list[nn.Module] = [
            nn.Conv2d(3, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        ]
        for block, count in enumerate(blocks):
            if block > 0:
                layers += [nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels // 2, 1, bias=False)]
                layers.append(nn.AvgPool2d(2))
                channels //= 2
            for _ in range(count):
                layers.append(DenseLayer(channels, width))
                channels += width
        self.features = nn.Sequential(*layers, nn.BatchNorm2d(channels), nn.ReLU())
        self.head = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(x).mean(dim=(2, 3)))
        return logits
