"""Residual networks (He, Zhang, Ren and Sun 2016), for images of 16 to 64 pixels."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F


class BasicBlock(nn.Module):
    """Two 3 × 3 convolutions beside a shortcut, which is a 1 × 1 convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet(nn.Module):
    """The ImageNet design with the stem that is usual on CIFAR: one 3 × 3 convolution, no pooling.

    Stages double the channels and halve the image. Blocks (2, 2, 2, 2) and width 64 make ResNet-18, with 11,173,962
    parameters for 10 classes; blocks (1, 1, 1, 1) make ResNet-10, which shrinks the design by depth.

    Args:
        blocks: basic blocks of each stage.
        width: channels of the first stage.
        classes: outputs, one logit a class.
    """

    def __init__(self, *, blocks: Sequence[int], width: int = 64, classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        stages: list[nn.Module] = []
        channels = width
        for stage, count in enumerate(blocks):
            for block in range(count):
                outputs = width * 2**stage
                stages.append(BasicBlock(channels, outputs, stride=2 if stage > 0 and block == 0 else 1))
                channels = outputs
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.stages(self.stem(x)).mean(dim=(2, 3)))


class CifarResNet(ResNet):
    """The three-stage networks of He et al., Section 4.2, with 6n + 2 layers.

    Theirs have shortcuts without parameters where the shape changes (option A); these have 1 × 1 convolutions
    (option B).

    Args:
        depth: 8, 14, 20, … layers.
        width: channels of the first stage; 16 in the paper.
        classes: outputs, one logit a class.

    Raises:
        ValueError: there is no network of this depth.
    """

    def __init__(self, *, depth: int, width: int = 16, classes: int = 10) -> None:
        if depth < 8 or depth % 6 != 2:
            raise ValueError(f"depth is {depth}, but these networks have 6n + 2 layers: 8, 14, 20, ...")
        super().__init__(blocks=[(depth - 2) // 6] * 3, width=width, classes=classes)
