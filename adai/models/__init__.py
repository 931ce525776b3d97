"""Networks: one file a family."""

from functools import partial

from adai.models.densenet import DenseNet
from adai.models.googlenet import GoogLeNet
from adai.models.lstm import LSTM
from adai.models.mlp import MLP
from adai.models.resnet import Bottleneck, CifarResNet, ResNet
from adai.models.vgg import VGG

MODELS = {
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
