"""One optimizer under test, and what the behaviours are made of."""

import contextlib
import copy
import inspect
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch.optim import lr_scheduler
from torch.testing._internal.common_optimizers import (
    ErrorOptimizerInput,
    OptimizerInfo,
    OptimizerInput,
    get_error_inputs_for_all_optims,
    optim_db,
)

from adai.optim.catalogue import OURS, Entry
from tests.optim.problems import SHAPES, assert_close, feed, trained

NO_COMPILER = "there is no C++ compiler here"
AGES = {"young": 20, "old": 210}
"""Steps to train. An old run has an eps so large that what Adai corrects for is lost to rounding in float32."""


class AbsentError(Exception):
    """The optimizer does not offer what is asked for."""


class NeedsCudaError(Exception):
    """This cannot be tried on this machine."""


# ── the optimizers, in torch's form ──


def _inputs(entry: Entry, device: str, dtype: torch.dtype | None = None) -> list[OptimizerInput]:
    half = entry.in_float16 if dtype == torch.float16 else {}
    return [
        OptimizerInput(None, options | half, desc)
        for desc, options in {
            "default": {},
            "non-default lr": {"lr": 0.01},
            "nonzero weight_decay": {"weight_decay": 0.1},
            "maximize": {"weight_decay": 0.1, "maximize": True},
            "its own hyperparameters": entry.inputs[1],
            "capturable": {"capturable": True},
            "Tensor lr with capturable": {"lr": torch.tensor(0.01), "capturable": True},
        }.items()
    ]


def _error_inputs(entry: Entry, device: str, dtype: torch.dtype) -> list[ErrorOptimizerInput]:
    errors: list[tuple[dict[str, Any], str]] = [
        ({"lr": -1e-2}, "lr is -0.01, but must satisfy"),
        ({"weight_decay": -1}, "weight_decay is -1, but must satisfy"),
        ({"betas": (0.1, 1.0)}, r"beta2 \(betas\[1\]\) is 1.0"),
        *entry.errors,
    ]
    if entry.takes("fused"):
        errors += [({"fused": True, path: True}, "fused without") for path in ("foreach", "differentiable")]
    return get_error_inputs_for_all_optims(device, dtype) + [
        ErrorOptimizerInput(OptimizerInput(None, options, regex), error_type=ValueError, error_regex=regex)
        for options, regex in errors
    ]


def _info(entry: Entry) -> OptimizerInfo:
    fused = ("fused",) if entry.takes("fused") else ()
    return OptimizerInfo(
        entry.optimizer,
        optim_inputs_func=partial(_inputs, entry),
        optim_error_inputs_func=partial(_error_inputs, entry),
        scheduler_inputs=ADAM.scheduler_inputs,
        supported_impls=("foreach", "differentiable", *fused),
        not_og_supported_flags=("foreach", "differentiable", "capturable", *fused),
        has_capturable_arg=True,
        supports_fused_on=("cpu",) if fused else (),
    )


ADAM = next(entry for entry in optim_db if entry.optim_cls is torch.optim.Adam)
INFOS = {label: _info(entry) for label, entry in OURS.items()} | {"Adam": ADAM}


@dataclass
class Case:
    """One optimizer under test, and how to train with it."""

    info: OptimizerInfo

    def __call__(self, params: Any, **options: Any) -> torch.optim.Optimizer:
        return self.info.optim_cls(params, **options)

    def inputs(self, dtype: torch.dtype = torch.float64) -> list[dict[str, Any]]:
        return [copy.deepcopy(one.kwargs) for one in self.info.optim_inputs_func(device="cpu", dtype=dtype)]

    def needs(self, path: str) -> None:
        if path != "capturable" and path not in self.info.supported_impls:
            raise AbsentError(f"there is no argument {path}")
        if path == "capturable" and self.info is ADAM and not torch.cuda.is_available():
            raise NeedsCudaError("torch allows capturable on accelerators alone")

    def needs_compiler(self) -> None:
        self.needs("fused")
        if self.info is not ADAM and not (os.environ.get("CI") or shutil.which(os.environ.get("CXX", "g++"))):
            raise AbsentError(NO_COMPILER)

    def takes(self, argument: str) -> bool:
        return argument in inspect.signature(self.info.optim_cls).parameters

    def over(self, process_group: Any) -> Callable[..., torch.optim.Optimizer]:
        """Return the class, told which processes hold the parameters if it asks for that."""
        kind = self.info.optim_cls
        return partial(kind, mean_over=process_group) if self.takes("mean_over") else kind

    def options(self, age: str) -> dict[str, float]:
        """Return the arguments of a run of one of `AGES`."""
        return {"eps": 0.5} if age == "old" and self.takes("eps") else {}

    def trained(self, steps=5, dtype=torch.float64, shapes=SHAPES, scale=1.0, **options):
        return trained(self, steps, dtype, shapes, scale, **options)


def behaviour(function: Callable[[Case], None]) -> Callable[[Case], None]:
    """Mark a function as a behaviour; its docstring is the row of the table."""
    function.row = inspect.getdoc(function)
    return function


# ── what the behaviours are made of ──


def go_on(optimizer, steps=range(5, 8)):
    params = [param for group in optimizer.param_groups for param in group["params"]]
    for step in steps:
        feed(params, step)
        optimizer.step()
    return params


def twin(case, params, **options):
    return case([torch.nn.Parameter(param.detach().clone()) for param in params], **options)


def frozen(optimizer):
    return copy.deepcopy(optimizer.state_dict())


def assert_same_state(optimizer, before):
    assert_same_dict(optimizer.state_dict(), before)


def assert_same_dict(after, before):
    assert after["param_groups"] == before["param_groups"], "the groups have changed"
    assert after["state"].keys() == before["state"].keys(), "the state has changed"
    for index, state in before["state"].items():
        assert after["state"][index].keys() == state.keys(), "what a state holds has changed"
        for name, value in state.items():
            assert_close([torch.as_tensor(after["state"][index][name])], [torch.as_tensor(value)])


def refused(error, call, *arguments):
    try:
        call(*arguments)
    except error as caught:
        return str(caught)
    except Exception as caught:
        raise AssertionError(f"refused by {type(caught).__name__}, not by {error.__name__}") from caught
    raise AssertionError("it was not refused")


@contextlib.contextmanager
def one_process():
    """Yield a process group of this process alone."""
    if not dist.is_available() or not dist.is_gloo_available():
        raise AbsentError("torch was built without gloo")
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        yield dist.group.WORLD
    finally:
        dist.destroy_process_group()


class Problem:
    """A quadratic of curvature 1 with a weight, a bias and an input of length 1."""

    def __init__(self, dtype=torch.float64):
        generator = torch.Generator().manual_seed(2)
        self.params = [torch.nn.Parameter(torch.randn(s, dtype=dtype, generator=generator)) for s in [(4, 3), (4,)]]
        self.input = torch.nn.functional.normalize(torch.randn(3, dtype=dtype, generator=generator), dim=0)

    def loss(self):
        weight, bias = self.params
        return 0.25 * (weight @ self.input + bias).square().sum()

    def train(self, optimizer, schedulers=(), steps=20):
        for _ in range(steps):
            optimizer.zero_grad()
            loss = self.loss()
            loss.backward()
            optimizer.step()
            for scheduler in schedulers:
                scheduler.step(*([loss] if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau) else []))
