"""Networks: one file a family."""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from adai.models.densenet import DenseNet
from adai.models.googlenet import GoogLeNet
from adai.models.lstm import LSTM
from adai.models.mlp import MLP
from adai.models.resnet import Bottleneck, CifarResNet, ResNet
from adai.models.vgg import VGG

MODELS: dict[str, Callable[..., nn.Module]] = {
    "mlp": MLP,
    "resnet18": partial(ResNet, blocks=(2, 2, 2, 2)),
    "resnet34": partial(ResNet, blocks=(3, 4, 6, 3)),
    "resnet50": partial(ResNet, blocks=(3, 4, 6, 3), classes=1000, block=Bottleneck, halving_stem=True),
    "resnet14": partial(ResNet, blocks=(1, 1, 1, 1), classes=1000, block=Bottleneck, halving_stem=True),
    "resnet10": partial(ResNet, blocks=(1, 1, 1, 1)),
    "resnet20": partial(CifarResNet, depth=20),
    "resnet8": partial(CifarResNet, depth=8),
    "vgg16": partial(VGG, convolutions=(2, 2, 3, 3, 3)),
    "densenet121": partial(DenseNet, blocks=(6, 12, 24, 16)),
    "googlenet": GoogLeNet,
    "lstm": LSTM,
}
"""The networks by the names that specs and records use.

All but two take images of shape (batch, 3, side, side); all but the LSTM return logits of shape (batch, classes).
"""

NARROW = 16
"""Channels in oneDNN's largest block, that of AVX-512; with AVX2 it has 8."""


def memory_format(model: nn.Module, device: torch.device) -> torch.memory_format:
    """Return how a network and its images lie in memory while it trains: channels last, except in one case.

    Channels last are 15 % faster on a CPU, and a GPU's convolutions in 16 bits need them. But on a CPU, the backward
    pass of a 1 × 1 convolution with a stride and fewer input channels than oneDNN's block writes past its workspace: it
    destroys other memory of the process, and gradients can be wrong without a message (uxlfoundation/oneDNN#6035). A
    network with such a convolution is kept contiguous there.
    """
    unsafe = any(
        isinstance(module, nn.Conv2d)
        and module.kernel_size == (1, 1)
        and module.stride != (1, 1)
        and module.in_channels < NARROW
        for module in model.modules()
    )
    return torch.contiguous_format if unsafe and device.type == "cpu" else torch.channels_last
