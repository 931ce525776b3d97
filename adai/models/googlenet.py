"""GoogLeNet (Szegedy et al. 2015) with batch normalisation, for images of 16 to 64 pixels."""

import torch
from torch import Tensor, nn

# Channels of each Inception module, as Table 1 of Szegedy et al. prints them: 1 × 1; 3 × 3 reduced, 3 × 3;
# 5 × 5 reduced, 5 × 5; after pooling. None halves the image.
MODULES: tuple[tuple[int, int, int, int, int, int] | None, ...] = (
    (64, 96, 128, 16, 32, 32),
    (128, 128, 192, 32, 96, 64),
    None,
    (192, 96, 208, 16, 48, 64),
    (160, 112, 224, 24, 64, 64),
    (128, 128, 256, 24, 64, 64),
    (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128),
    None,
    (256, 160, 320, 32, 128, 128),
    (384, 192, 384, 48, 128, 128),
)


def _convolution(inputs: int, outputs: int, size: int) -> nn.Sequential:
    """Return a convolution that keeps the image's size, with normalisation and ReLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, size, padding=size // 2), nn.BatchNorm2d(outputs), nn.ReLU())


class Inception(nn.Module):
    """Four branches side by side, their channels joined.

    The 5 × 5 convolution is made of two of 3 × 3, as in the networks that followed (Szegedy et al. 2016).
    """

    def __init__(self, inputs: int, one: int, three_in: int, three: int, five_in: int, five: int, pooled: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            [
                _convolution(inputs, one, 1),
                nn.Sequential(_convolution(inputs, three_in, 1), _convolution(three_in, three, 3)),
                nn.Sequential(
                    _convolution(inputs, five_in, 1), _convolution(five_in, five, 3), _convolution(five, five, 3)
                ),
                nn.Sequential(nn.MaxPool2d(3, 1, padding=1), _convolution(inputs, pooled, 1)),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class GoogLeNet(nn.Module):
    """The nine Inception modules, after the stem that is usual on CIFAR: one 3 × 3 convolution, no pooling.

    6,166,250 parameters for 10 classes at full width. The auxiliary classifiers of the original are left out.

    Args:
        width: channels of the stem; the others keep their proportion to the original's 192.
        classes: outputs, one logit a class.
    """

    def __init__(self, *, width: int = 192, classes: int = 10) -> None:
        super().__init__()
        layers: list[nn.Module] = [_convolution(3, width, 3)]
        channels = width
        for module in MODULES:
            if module is None:
                layers.append(nn.MaxPool2d(3, 2, padding=1))
                continue
            sizes = [max(1, size * width // 192) for size in module]
            layers.append(Inception(channels, *sizes))
            channels = sizes[0] + sizes[2] + sizes[4] + sizes[5]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(x).mean(dim=(2, 3)))
        return logits
