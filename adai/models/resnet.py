"""Residual networks (He, Zhang, Ren and Sun 2016), for images of 16 pixels to ImageNet's 224."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F


class BasicBlock(nn.Module):
    """Two 3 × 3 convolutions beside a shortcut, which is a 1 × 1 convolution where the shape changes."""

    EXPANSION = 1
    """Output channels of the block, over the channels of its stage."""

    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        super().__init__()
        outputs = channels
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class Bottleneck(nn.Module):
    """A 3 × 3 convolution between two of 1 × 1, which lead to few channels and back to four times as many.

    A stride belongs to the 3 × 3 convolution, as in torchvision's networks; He et al. give it to the first 1 × 1.
    """

    EXPANSION = 4

    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        super().__init__()
        outputs = self.EXPANSION * channels
        self.conv1 = nn.Conv2d(inputs, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.shortcut = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.shortcut(x))


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class ResNet(nn.Module):
    """The ImageNet design, by default with the stem that is usual on CIFAR: one 3 × 3 convolution, no pooling.

    Stages double the channels and halve the image. Blocks (2, 2, 2, 2) and width 64 make ResNet-18, with 11,173,962
    parameters for 10 classes; blocks (1, 1, 1, 1) make ResNet-10, which shrinks the design by depth. Bottleneck blocks
    (3, 4, 6, 3) after the stem of the ImageNet networks make ResNet-50, with 25,557,032 for 1,000 classes, and one in
    each stage ResNet-14.

    Args:
        blocks: blocks of each stage.
        width: channels of the first stage.
        classes: outputs, one logit a class.
        block: kind of block.
        halving_stem: begin as the ImageNet networks do, with a 7 × 7 convolution and a maximum that each halve the
            image.
    """

    def __init__(
        self,
        *,
        blocks: Sequence[int],
        width: int = 64,
        classes: int = 10,
        block: type[BasicBlock] | type[Bottleneck] = BasicBlock,
        halving_stem: bool = False,
    ) -> None:
        super().__init__()
        size, stride = (7, 2) if halving_stem else (3, 1)
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, size, stride, padding=size // 2, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        if halving_stem:
            self.stem.append(nn.MaxPool2d(3, 2, padding=1))
        stages: list[nn.Module] = []
        channels = width
        for stage, count in enumerate(blocks):
            for number in range(count):
                stages.append(block(channels, width * 2**stage, stride=2 if stage > 0 and number == 0 else 1))
                channels = block.EXPANSION * width * 2**stage
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.stages(self.stem(x)).mean(dim=(2, 3)))
        return logits


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
