"""All optimizers of the paper's Table 1 by name, with the settings that it gives them."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch.optim.optimizer import Optimizer, ParamsT

from adai.optim.adabound import AdaBound
from adai.optim.adai import Adai, AdaiS, AdaiW
from adai.optim.adaiv2 import AdaiV2
from adai.optim.padam import Padam
from adai.optim.yogi import Yogi

__all__ = ["OPTIMIZERS", "Setting", "create", "settings"]

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "adaiw": AdaiW,
    "adai": Adai,
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "amsgrad": partial(torch.optim.Adam, amsgrad=True),
    "adamw": torch.optim.AdamW,
    "adabound": AdaBound,
    "padam": Padam,
    "yogi": Yogi,
    "radam": torch.optim.RAdam,
    "adais": AdaiS,
    "adaiv2": AdaiV2,
}
"""The optimizers by the names that specs and records use: Table 1 in its order, then AdaiS and AdaiV2."""


class Setting(NamedTuple):
    """The value of a hyperparameter and the place that prints it."""

    value: Any
    source: str


def _printed(place: str, **values: float) -> dict[str, Setting]:
    return {name: Setting(value, place) for name, value in values.items()}


_d1 = partial(_printed, "Appendix D.1")
_d2 = partial(_printed, "Appendix D.2, one learning rate for all")

_PAPER = {
    "cifar": {
        "adaiw": _d1(lr=0.1, weight_decay=5e-3),
        "adai": _d1(lr=1.0, weight_decay=5e-4),
        "sgd": _d1(lr=0.1, momentum=0.9, weight_decay=5e-4),
        "adam": _d1(lr=1e-3, weight_decay=5e-4),
        "amsgrad": _d1(lr=1e-3, weight_decay=5e-4),
        "adamw": _d1(lr=1e-3, weight_decay=0.5),
        "adabound": _d1(lr=1e-3, weight_decay=5e-4),
        "padam": _d1(lr=0.01, weight_decay=5e-4),
        "yogi": _d1(lr=1e-3, weight_decay=5e-4),
        "radam": _d1(lr=1e-3, weight_decay=5e-4),
        "adais": _d1(lr=0.1, weight_decay=5e-3),
    },
    "imagenet": {
        "adai": _d1(lr=1.0, weight_decay=1e-4),
        "sgd": _d1(lr=0.1, momentum=0.9, weight_decay=1e-4),
        "adam": _d1(lr=1e-4, weight_decay=1e-4),
    },
    "ptb": {
        "adai": _d2(lr=1e-3, weight_decay=5e-5),
        "sgd": _d2(lr=1e-3, weight_decay=5e-5) | _d1(momentum=0.9),
        "adam": _d2(lr=1e-3, weight_decay=5e-5),
    },
}
_DEFAULTS_FROM = {
    "adaiw": "Section 5",
    "adai": "Section 5",
    "sgd": "default of torch.optim.SGD",
    "adam": "default of Kingma and Ba (2015)",
    "amsgrad": "default of Reddi et al. (2018), where silent of torch.optim.Adam",
    "adamw": "default of Loshchilov and Hutter (2019)",
    "adabound": "default of Luo et al. (2019)",
    "padam": "default of Chen and Gu (2018)",
    "yogi": "default of Zaheer et al. (2018), where silent of TensorFlow Addons",
    "radam": "default of Liu et al. (2020)",
    "adais": "Section 5",
}
_NOT_IN_THE_PAPER = {
    *("params", "maximize", "foreach", "capturable", "differentiable", "fused", "mean_over"),
    "decoupled_weight_decay",  # torch has a class for each kind, and the name says which
}


def settings(name: str, task: str) -> dict[str, Setting]:
    """All hyperparameters of an optimizer in the paper's experiments on a task, each with its source.

    The paper's own values name their place in it. The others it leaves at their defaults; these name the work that
    they are the defaults of. Weight decay is decoupled in AdaiW, AdaiS and AdamW, and :math:`L_2` in all others.

    Args:
        name: one of `OPTIMIZERS`.
        task: ``"cifar"`` (CIFAR-10 and CIFAR-100), ``"imagenet"`` or ``"ptb"`` (language modelling on Penn TreeBank).
            For the last, the paper says that each optimizer's learning rate was selected from a grid but prints only
            one, 0.001, and does not say whose.

    Raises:
        ValueError: the name is unknown, or the paper prints nothing of this optimizer on this task.
    """
    constructor = _constructor(name)
    if task not in _PAPER:
        raise ValueError(f"no task is called {task!r}; there are {', '.join(_PAPER)}")
    if name not in _PAPER[task]:
        raise ValueError(
            f"the paper has no settings of {name!r} for {task!r}, only of {', '.join(_PAPER[task])}; leave out the "
            "task and give your own"
        )
    defaults = {
        argument.name: Setting(argument.default, _DEFAULTS_FROM[name])
        for argument in inspect.signature(constructor).parameters.values()
        if argument.name not in _NOT_IN_THE_PAPER
    }
    return defaults | _PAPER[task][name]


def create(name: str, params: ParamsT, task: str | None = None, **hyperparameters: Any) -> Optimizer:
    """An optimizer by its name, with the paper's settings for a task.

    Args:
        name: one of `OPTIMIZERS`; ``"sgd"`` is SGD with momentum if a task, or ``momentum``, is given.
        params: what any optimizer of torch takes: parameters, named parameters, or groups.
        task: as for `settings`, which also says where each value comes from. Without a task, the optimizer's
            own defaults.
        hyperparameters: whatever shall be different.

    Raises:
        ValueError: the name or the task is unknown, the paper prints nothing of this optimizer on this task, or a
            hyperparameter is outside its range.
    """
    chosen = {key: setting.value for key, setting in settings(name, task).items()} if task is not None else {}
    return _constructor(name)(params, **(chosen | hyperparameters))


def _constructor(name: str) -> Callable[..., Optimizer]:
    if name not in OPTIMIZERS:
        raise ValueError(f"no optimizer is called {name!r}; there are {', '.join(OPTIMIZERS)}")
    return OPTIMIZERS[name]
