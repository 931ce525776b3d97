"""Optimizers for PyTorch, one family a file. Needs torch and nothing else of this project."""

from adai.optim.adai import Adai, AdaiS, AdaiW

__all__ = ["Adai", "AdaiS", "AdaiW"]
