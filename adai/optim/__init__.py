"""Optimizers for PyTorch, one family a file. Needs torch and nothing else of this project."""

from adai.optim.adabound import AdaBound
from adai.optim.adai import Adai, AdaiS, AdaiW
from adai.optim.adaiv2 import AdaiV2
from adai.optim.catalogue import OPTIMIZERS, create, settings
from adai.optim.padam import Padam
from adai.optim.yogi import Yogi

__all__ = ["OPTIMIZERS", "AdaBound", "Adai", "AdaiS", "AdaiV2", "AdaiW", "Padam", "Yogi", "create", "settings"]
