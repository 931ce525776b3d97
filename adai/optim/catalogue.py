"""All optimizers in one table, from which specs, figures, tests, benchmarks and the API page read."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch.optim.optimizer import Optimizer, ParamsT

from adai.optim import reference
from adai.optim.adabound import AdaBound
from adai.optim.adai import Adai
from adai.optim.adaiv2 import AdaiV2
from adai.optim.adaiw import AdaiW
from adai.optim.base import DenseOptimizer
from adai.optim.padam import Padam
from adai.optim.reference import elementwise
from adai.optim.yogi import Yogi

__all__ = ["CATALOGUE", "OURS", "Entry", "Setting", "create", "settings"]

_TASKS = ("cifar", "imagenet", "ptb")
_NO_HYPERPARAMETERS = {
    *("params", "maximize", "foreach", "capturable", "differentiable", "fused", "mean_over"),
    "decoupled_weight_decay",  # torch has a class for each kind, and the name says which
}


class Setting(NamedTuple):
    """The value of a hyperparameter and the place that prints it."""

    value: Any
    source: str


def _printed(place: str, **values: float) -> dict[str, Setting]:
    return {name: Setting(value, place) for name, value in values.items()}


_d1 = partial(_printed, "Appendix D.1")
_d2 = partial(_printed, "Appendix D.2, one learning rate for all")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One optimizer.

    Attributes:
        optimizer: its class, with the arguments that make it this optimizer if there are any.
        label: its name in figures and tables; of ours, the class's name.
        colour: its colour in figures, as ``#rrggbb``; no other has it, but AdaiS has that of AdaiW, which it is.
        defaults_from: the source of the defaults.
        rule: its step in readable lines, written from the paper (`adai.optim.reference`).
        inputs: two sets of all that the rule reads but lr and weight_decay. Tests train with each, and with both as
            parameter groups. Of ours, they try every hyperparameter away from its default.
        errors: of ours, arguments that raise a ValueError, each with a regular expression for its message. Every
            hyperparameter has one except lr and weight_decay, which all of ours check alike.
        in_float16: arguments that keep a float16 run near a float32 run, such as an eps that does not round to zero.
        paper: the settings that the paper prints, by task.
    """

    optimizer: Callable[..., Optimizer]
    label: str
    colour: str
    defaults_from: str
    rule: reference.Rule
    inputs: tuple[dict[str, Any], dict[str, Any]]
    errors: tuple[tuple[dict[str, Any], str], ...] = ()
    in_float16: dict[str, float] = field(default_factory=dict)
    paper: dict[str, dict[str, Setting]] = field(default_factory=dict)

    @property
    def is_ours(self) -> bool:
        """Return whether the class is of this package, not of torch."""
        return isinstance(self.optimizer, type) and issubclass(self.optimizer, DenseOptimizer)

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Return the name and the default of each hyperparameter."""
        arguments = inspect.signature(self.optimizer).parameters.values()
        return {one.name: one.default for one in arguments if one.name not in _NO_HYPERPARAMETERS}

    def takes(self, argument: str) -> bool:
        """Return whether the constructor has an argument, such as ``fused`` or ``mean_over``."""
        return argument in inspect.signature(self.optimizer).parameters


_ADAI_ERRORS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"betas": (-0.1, 0.99)}, r"beta0 \(betas\[0\]\) is -0\.1, but must satisfy 0 <= beta0"),
    ({"eps": 0.0}, r"eps is 0\.0, but must satisfy 0 < eps <= 1"),
    ({"eps": 1.5}, r"eps is 1\.5, but must satisfy 0 < eps <= 1"),
)
_ADAM_ERRORS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"betas": (1.0, 0.9)}, r"beta1 \(betas\[0\]\) is 1\.0, but must satisfy 0 <= beta1 < 1"),
    ({"eps": 0.0}, r"eps is 0\.0, but must satisfy 0 < eps < inf"),
)
_ADAI_INPUTS = ({"betas": (0.1, 0.99), "eps": 1e-3}, {"betas": (0.7, 0.9), "eps": 0.05})
_ADAM_INPUTS = ({"betas": (0.9, 0.999), "eps": 1e-8}, {"betas": (0.5, 0.9), "eps": 0.01})

_ADAIW = Entry(
    optimizer=AdaiW,
    label="AdaiW",
    colour="#a65fb5",
    defaults_from="Section 5",
    rule=AdaiW.rule,
    inputs=_ADAI_INPUTS,
    errors=_ADAI_ERRORS,
    paper={"cifar": _d1(lr=0.1, weight_decay=5e-3)},
)
CATALOGUE: dict[str, Entry] = {
    "adaiw": _ADAIW,
    "adai": Entry(
        optimizer=Adai,
        label="Adai",
        colour="#d9631e",
        defaults_from="Section 5",
        rule=Adai.rule,
        inputs=_ADAI_INPUTS,
        errors=_ADAI_ERRORS,
        paper={
            "cifar": _d1(lr=1.0, weight_decay=5e-4),
            "imagenet": _d1(lr=1.0, weight_decay=1e-4),
            "ptb": _d2(lr=1e-3, weight_decay=5e-5),
        },
    ),
    "sgd": Entry(
        optimizer=torch.optim.SGD,
        label="SGD M",
        colour="#2f7fc4",
        defaults_from="default of torch.optim.SGD",
        rule=elementwise(reference.sgd),
        inputs=({"momentum": 0.9}, {"momentum": 0.5}),
        paper={
            "cifar": _d1(lr=0.1, momentum=0.9, weight_decay=5e-4),
            "imagenet": _d1(lr=0.1, momentum=0.9, weight_decay=1e-4),
            "ptb": _d2(lr=1e-3, weight_decay=5e-5) | _d1(momentum=0.9),
        },
    ),
    "adam": Entry(
        optimizer=torch.optim.Adam,
        label="Adam",
        colour="#1a9171",
        defaults_from="default of Kingma and Ba (2015)",
        rule=elementwise(reference.adam),
        inputs=_ADAM_INPUTS,
        paper={
            "cifar": _d1(lr=1e-3, weight_decay=5e-4),
            "imagenet": _d1(lr=1e-4, weight_decay=1e-4),
            "ptb": _d2(lr=1e-3, weight_decay=5e-5),
        },
    ),
    "amsgrad": Entry(
        optimizer=partial(torch.optim.Adam, amsgrad=True),
        label="AMSGrad",
        colour="#506a73",
        defaults_from="default of Reddi et al. (2018); of torch.optim.Adam where they give none",
        rule=elementwise(reference.amsgrad),
        inputs=_ADAM_INPUTS,
        paper={"cifar": _d1(lr=1e-3, weight_decay=5e-4)},
    ),
    "adamw": Entry(
        optimizer=torch.optim.AdamW,
        label="AdamW",
        colour="#a69153",
        defaults_from="default of Loshchilov and Hutter (2019)",
        rule=elementwise(reference.adamw),
        inputs=_ADAM_INPUTS,
        paper={"cifar": _d1(lr=1e-3, weight_decay=0.5)},
    ),
    "adabound": Entry(
        optimizer=AdaBound,
        label="AdaBound",
        colour="#8c5846",
        defaults_from="default of Luo et al. (2019)",
        rule=AdaBound.rule,
        inputs=(
            {**_ADAM_INPUTS[0], "final_lr": 0.1, "gamma": 1e-3},
            {**_ADAM_INPUTS[1], "final_lr": 0.05, "gamma": 0.3},
        ),
        errors=(
            *_ADAM_ERRORS,
            ({"lr": 0.0}, r"lr is 0\.0, but must satisfy 0 < lr < inf"),
            ({"final_lr": 0.0}, r"final_lr is 0\.0, but must satisfy 0 < final_lr < inf"),
            ({"gamma": 1.0}, r"gamma is 1\.0, but must satisfy 0 < gamma < 1"),
        ),
        in_float16={"eps": 0.1},
        paper={"cifar": _d1(lr=1e-3, weight_decay=5e-4)},
    ),
    "padam": Entry(
        optimizer=Padam,
        label="Padam",
        colour="#9326ff",
        defaults_from="default of Chen and Gu (2018)",
        rule=Padam.rule,
        inputs=({**_ADAM_INPUTS[0], "partial": 0.125}, {**_ADAM_INPUTS[1], "partial": 0.4}),
        errors=(*_ADAM_ERRORS, ({"partial": 0.6}, r"partial is 0\.6, but must satisfy 0 <= partial <= 0\.5")),
        in_float16={"eps": 0.1},
        paper={"cifar": _d1(lr=0.01, weight_decay=5e-4)},
    ),
    "yogi": Entry(
        optimizer=Yogi,
        label="Yogi",
        colour="#ff4da6",
        defaults_from="default of Zaheer et al. (2018); of TensorFlow Addons where they give none",
        rule=Yogi.rule,
        inputs=({**_ADAM_INPUTS[0], "initial_accumulator": 1e-6}, {**_ADAM_INPUTS[1], "initial_accumulator": 1.0}),
        errors=(
            *_ADAM_ERRORS,
            ({"initial_accumulator": -1.0}, r"initial_accumulator is -1\.0, but must satisfy 0 <= initial_accumulator"),
        ),
        in_float16={"eps": 0.1},
        paper={"cifar": _d1(lr=1e-3, weight_decay=5e-4)},
    ),
    "radam": Entry(
        optimizer=torch.optim.RAdam,
        label="RAdam",
        colour="#7979f2",
        defaults_from="default of Liu et al. (2020)",
        rule=elementwise(partial(reference.radam, threshold=5)),  # as in the authors' code; the paper prints 4
        inputs=_ADAM_INPUTS,
        paper={"cifar": _d1(lr=1e-3, weight_decay=5e-4)},
    ),
    "adais": replace(_ADAIW, label="AdaiS"),
    "adaiv2": Entry(
        optimizer=AdaiV2,
        label="AdaiV2",
        colour="#d64550",
        defaults_from="default of AdaiW",
        rule=AdaiV2.rule,
        inputs=({**_ADAI_INPUTS[0], "dampening": 0.0}, {**_ADAI_INPUTS[1], "dampening": 0.5}),
        errors=(*_ADAI_ERRORS, ({"dampening": 1.5}, r"dampening is 1\.5, but must satisfy 0 <= dampening <= 1")),
    ),
}
"""The optimizers by the names that specs and records use: Table 1 in its order, then the others."""
OURS = {entry.label: entry for entry in CATALOGUE.values() if entry.is_ours and entry.label != "AdaiS"}
"""The entries of our classes by their names; AdaiS is AdaiW."""


def settings(name: str, task: str) -> dict[str, Setting]:
    """Return all hyperparameters of an optimizer in the paper's experiments on a task, each with its source.

    The source of the paper's own values is a place in it. It leaves the others at their defaults, whose source is the
    work that they come from. Weight decay is decoupled in AdaiW, AdaiS and AdamW, and :math:`L_2` in all others.

    Args:
        name: one of `CATALOGUE`.
        task: ``"cifar"`` (CIFAR-10 and CIFAR-100), ``"imagenet"`` or ``"ptb"`` (language modelling on Penn TreeBank).
            For the last, the paper says that each optimizer's learning rate was selected from a grid but prints only
            one, 0.001, and does not say whose.

    Raises:
        ValueError: the name is unknown, or the paper prints nothing of this optimizer on this task.
    """
    entry = _entry(name)
    if task not in _TASKS:
        raise ValueError(f"no task is called {task!r}; there are {', '.join(_TASKS)}")
    if task not in entry.paper:
        printed = ", ".join(name for name, other in CATALOGUE.items() if task in other.paper)
        raise ValueError(
            f"the paper has no settings of {name!r} for {task!r}, only of {printed}; leave out the task and give your "
            "own"
        )
    defaults = {key: Setting(value, entry.defaults_from) for key, value in entry.hyperparameters.items()}
    return defaults | entry.paper[task]


def create(name: str, params: ParamsT, task: str | None = None, **hyperparameters: Any) -> Optimizer:
    """Return a new optimizer by its name, with the paper's settings for a task.

    Args:
        name: one of `CATALOGUE`; ``"sgd"`` is SGD with momentum if a task, or ``momentum``, is given.
        params: what any optimizer of torch takes: parameters, named parameters, or groups.
        task: as for `settings`, which also says where each value comes from. Without a task, the optimizer's
            own defaults.
        hyperparameters: arguments that replace these.

    Raises:
        ValueError: the name or the task is unknown, the paper prints nothing of this optimizer on this task, or a
            hyperparameter is outside its range.
    """
    chosen = {key: setting.value for key, setting in settings(name, task).items()} if task is not None else {}
    return _entry(name).optimizer(params, **(chosen | hyperparameters))


def _entry(name: str) -> Entry:
    if name not in CATALOGUE:
        raise ValueError(f"no optimizer is called {name!r}; there are {', '.join(CATALOGUE)}")
    return CATALOGUE[name]
