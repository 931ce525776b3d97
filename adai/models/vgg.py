"""VGG networks (Simonyan and Zisserman 2015) with batch normalisation, for images of 16 to 64 pixels."""

from collections.abc import Sequence

from torch import Tensor, nn


class VGG(nn.Module):
    """Stages of 3 × 3 convolutions, a maximum over 2 × 2 after each stage, and a linear layer on the last mean.

    This is the form that is usual on CIFAR: the three large linear layers of the original are left out, and each
    convolution is followed by batch normalisation. Convolutions (2, 2, 3, 3, 3) and width 64 make VGG-16, with
    14,728,266 parameters for 10 classes.

    Args:
        convolutions: of each stage.
        width: channels of the first stage; they double until they are eight times as many.
        classes: outputs, one logit a class.
    """

    def __init__(self, *, convolutions: Sequence[int], width: int = 64, classes: int = 10) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for stage, count in enumerate(convolutions):
            outputs = width * min(2**stage, 8)
            for _ in range(count):
                layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
                channels = outputs
            # Images of 16 pixels have nothing left to halve after four stages.
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(x).mean(dim=(2, 3)))
        return logits
