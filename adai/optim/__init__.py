"""Optimizers for PyTorch, one a file. They need torch and nothing else of this project."""

from adai.optim.adabound import AdaBound
from adai.optim.adai import Adai
from adai.optim.adaiv2 import AdaiV2
from adai.optim.adaiw import AdaiS, AdaiW
from adai.optim.catalogue import CATALOGUE, create, settings
from adai.optim.padam import Padam
from adai.optim.yogi import Yogi

__all__ = ["CATALOGUE", "AdaBound", "Adai", "AdaiS", "AdaiV2", "AdaiW", "Padam", "Yogi", "create", "settings"]
