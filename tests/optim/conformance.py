"""What PyTorch tests its own optimizers for, put to ours and to torch's Adam alike.

Inputs, error inputs and schedulers are those of ``torch.testing._internal.common_optimizers``: Adam's entry in its
``optim_db`` as it is, and an `OptimizerInfo` of the same form for each of ours. The tests that PyTorch runs over them
are not part of its wheel, so each behaviour is a function here; it raises what went wrong. ``python -m
tests.optim.conformance`` writes the table of the API page, and test_conformance.py holds the table to what runs give.
"""

import copy
import inspect
import io
import os
import pickle
import re
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch._dynamo.testing
from torch.optim import lr_scheduler
from torch.testing import assert_close
from torch.testing._internal.common_optimizers import (
    ErrorOptimizerInput,
    OptimizerErrorEnum,
    OptimizerInfo,
    OptimizerInput,
    _get_optim_inputs_including_global_cliquey_kwargs,
    get_error_inputs_for_all_optims,
    optim_db,
)
from torch.utils._python_dispatch import TorchDispatchMode

from adai import AdaBound, Adai, AdaiV2, AdaiW, Padam, Yogi

TABLE = Path(__file__).parents[2] / "book/reference/conformance.md"
PASSED = "✓"
RESULTS = (PASSED, "failed", "absent", "needs CUDA")
NO_COMPILER = "there is no C++ compiler here"
SHAPES = [(), (1,), (7,), (3, 4), (2, 3, 2, 2), (130, 150)]


class AbsentError(Exception):
    """The optimizer does not offer what is asked for."""


class NeedsCudaError(Exception):
    """This cannot be tried on this machine."""


# ── the optimizers, in torch's form ──


def info(optimizer: type, own: dict[str, Any], errors: list[tuple[dict[str, Any], str]], *paths: str) -> OptimizerInfo:
    def inputs(device, dtype=None):
        # float16 needs a larger eps where it stands beside a root, as torch has it in Adam's inputs.
        eps = {"eps": 0.1} if dtype == torch.float16 and not paths else {}
        return [
            OptimizerInput(None, eps | options, desc)
            for desc, options in {
                "default": {},
                "non-default lr": {"lr": 0.01},
                "nonzero weight_decay": {"weight_decay": 0.1},
                "maximize": {"weight_decay": 0.1, "maximize": True},
                "its own hyperparameters": own,
                "capturable": {"capturable": True},
                "Tensor lr with capturable": {"lr": torch.tensor(0.01), "capturable": True},
            }.items()
        ]

    def error_inputs(device, dtype):
        return get_error_inputs_for_all_optims(device, dtype) + [
            ErrorOptimizerInput(OptimizerInput(None, options, regex), error_type=ValueError, error_regex=regex)
            for options, regex in errors
        ]

    return OptimizerInfo(
        optimizer,
        optim_inputs_func=inputs,
        optim_error_inputs_func=error_inputs,
        scheduler_inputs=ADAM.scheduler_inputs,
        supported_impls=("foreach", "differentiable", *paths),
        not_og_supported_flags=("foreach", "differentiable", "capturable", *paths),
        has_capturable_arg=True,
        supports_fused_on=("cpu",) if "fused" in paths else (),
    )


COMMON_ERRORS = [
    ({"lr": -1e-2}, "lr is -0.01, but must satisfy"),
    ({"weight_decay": -1}, "weight_decay is -1, but must satisfy"),
    ({"betas": (0.1, 1.0)}, r"beta2 \(betas\[1\]\) is 1.0"),
    ({"eps": 0.0}, "eps is 0.0, but must satisfy"),
]
ADAI_ERRORS = [
    *COMMON_ERRORS,
    ({"betas": (-0.1, 0.9)}, r"beta0 \(betas\[0\]\) is -0.1"),
    ({"fused": True, "foreach": True}, "fused without foreach and differentiable"),
    ({"fused": True, "differentiable": True}, "fused without foreach and differentiable"),
]
ADAM_ERRORS = [*COMMON_ERRORS, ({"betas": (1.0, 0.0)}, r"beta1 \(betas\[0\]\) is 1.0")]
ADAM = next(entry for entry in optim_db if entry.optim_cls is torch.optim.Adam)
INFOS = {
    entry.optim_cls.__name__: entry
    for entry in [
        info(Adai, {"betas": (0.5, 0.9), "eps": 0.05}, ADAI_ERRORS, "fused"),
        info(AdaiW, {"betas": (0.5, 0.9), "eps": 0.05}, ADAI_ERRORS, "fused"),
        info(AdaiV2, {"dampening": 0.5}, [*ADAI_ERRORS, ({"dampening": 2.0}, "dampening is 2.0")], "fused"),
        info(AdaBound, {"final_lr": 0.01, "gamma": 0.1}, [*ADAM_ERRORS, ({"gamma": 1.0}, "gamma is 1.0")]),
        info(Padam, {"partial": 0.5}, [*ADAM_ERRORS, ({"partial": 0.6}, "partial is 0.6")]),
        info(Yogi, {"initial_accumulator": 1.0}, [*ADAM_ERRORS, ({"initial_accumulator": -1.0}, "is -1.0")]),
        ADAM,
    ]
}


# ── what the behaviours are made of ──


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

    def trained(self, steps=5, dtype=torch.float64, shapes=SHAPES, scale=1.0, **options):
        params = start(dtype, shapes)
        optimizer = self(params, **options)
        for step in range(steps):
            feed(params, step, scale)
            optimizer.step()
        return params, optimizer


def start(dtype=torch.float64, shapes=SHAPES):
    generator = torch.Generator().manual_seed(0)
    return [
        torch.nn.Parameter(torch.randn(shape, dtype=torch.float64, generator=generator).to(dtype)) for shape in shapes
    ]


def feed(params, step, scale=1.0):
    """Gradients of several sizes; one of the parameters goes without at every third step."""
    generator = torch.Generator().manual_seed(1000 + step)
    for index, param in enumerate(params):
        drawn = torch.randn(param.shape, dtype=torch.float64, generator=generator)
        param.grad = (scale * 2.0**-index * drawn).to(param.device, param.dtype)
        if index == 2 and step % 3 == 0:
            param.grad = None


def go_on(optimizer, steps=range(5, 8)):
    params = [param for group in optimizer.param_groups for param in group["params"]]
    for step in steps:
        feed(params, step)
        optimizer.step()
    return params


def assert_equal(ours, theirs, tolerance=0.0):
    for one, other in zip(ours, theirs, strict=True):
        assert_close(one.detach(), other.detach(), rtol=tolerance, atol=tolerance)


def twin(case, params, **options):
    return case([torch.nn.Parameter(param.detach().clone()) for param in params], **options)


def frozen(optimizer):
    return copy.deepcopy(optimizer.state_dict())


def assert_same_state(optimizer, before):
    after = optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"], "the groups have changed"
    assert after["state"].keys() == before["state"].keys(), "the state has changed"
    for index, state in before["state"].items():
        assert_equal(after["state"][index].values(), state.values())


def refused(error, call, *arguments):
    try:
        call(*arguments)
    except error as caught:
        return str(caught)
    except Exception as caught:
        raise AssertionError(f"refused by {type(caught).__name__}, not by {error.__name__}") from caught
    raise AssertionError("it was not refused")


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


# ── behaviours, one a function; the docstring is the row of the table ──

BEHAVIOURS: dict[str, Callable[[Case], None]] = {}


def behaviour(function: Callable[[Case], None]) -> Callable[[Case], None]:
    BEHAVIOURS[inspect.getdoc(function)] = function
    return function


@behaviour
def errors(case):
    """error inputs: each has its type and message"""
    for error in case.info.optim_error_inputs_func(device="cpu", dtype=torch.float32):
        one = error.optimizer_error_input
        params = one.params if one.params is not None else start(torch.float32)

        def call(params=params, one=one, error=error):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                optimizer = case(params, **one.kwargs)
                if error.error_on is OptimizerErrorEnum.STEP_ERROR:
                    optimizer.step()

        message = refused(error.error_type, call)
        assert re.search(error.error_regex, message), f"{message!r} is not {error.error_regex!r}"


@behaviour
def unknown_arguments(case):
    """an unknown argument is a TypeError"""
    refused(TypeError, lambda: case(start(), nesterov=True))
    if "fused" not in case.info.supported_impls:
        refused(TypeError, lambda: case(start(), fused=True))


@behaviour
def descends(case):
    """each of its inputs, for-loop and foreach, goes the right way"""
    others = ("fused", "differentiable")
    for one in _get_optim_inputs_including_global_cliquey_kwargs("cpu", torch.float64, case.info, skip=others):
        problem = Problem()
        before = problem.loss().item()
        problem.train(case(problem.params, **one.kwargs))
        change = problem.loss().item() - before
        assert change > 0 if one.kwargs.get("maximize") else change < 0, f"{one.desc}: the loss moved by {change}"


@behaviour
def descends_under_schedules(case):
    """its default goes the right way under each list of schedulers, with lr a number or a tensor"""
    for schedulers in case.info.scheduler_inputs:
        for lr in (0.01, torch.tensor(0.01, dtype=torch.float64)):
            problem = Problem()
            before = problem.loss().item()
            optimizer = case(problem.params, lr=lr)
            problem.train(optimizer, [scheduler(optimizer) for scheduler in schedulers])
            assert problem.loss().item() < before


@behaviour
def foreach_is_the_loop(case):
    """foreach equals for-loop"""
    case.needs("foreach")
    for dtype, tolerance in ((torch.float64, 1e-13), (torch.float32, 1e-5), (torch.bfloat16, 2e-2)):
        for options in case.inputs():
            if dtype == torch.bfloat16 and options:
                continue
            loop = case.trained(dtype=dtype, foreach=False, **copy.deepcopy(options))[0]
            assert_equal(case.trained(dtype=dtype, foreach=True, **copy.deepcopy(options))[0], loop, tolerance)


@behaviour
def fused_is_the_loop(case):
    """fused equals for-loop"""
    case.needs("fused")
    if case.info is not ADAM and not (os.environ.get("CI") or shutil.which(os.environ.get("CXX", "g++"))):
        raise AbsentError(NO_COMPILER)
    for options in [{"weight_decay": 0.1, "maximize": True}]:
        loop = case.trained(dtype=torch.float32, foreach=False, **options)[0]
        assert_equal(case.trained(dtype=torch.float32, fused=True, **options)[0], loop, 1e-4)


@behaviour
def capturable_is_the_loop(case):
    """capturable equals not capturable"""
    case.needs("capturable")
    for path in ({"foreach": False}, {"foreach": True}):
        assert_equal(case.trained(capturable=True, **path)[0], case.trained(**path)[0], 1e-13)


@behaviour
def differentiable_is_the_loop(case):
    """differentiable equals not differentiable, and its gradients are right (gradcheck)"""
    case.needs("differentiable")

    def after_a_step(weight, gradient):
        weight = weight.clone()
        weight.grad = gradient
        case([weight], lr=0.1, differentiable=True).step()
        return weight

    weight = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64, requires_grad=True)
    gradient = torch.tensor([0.3, 1.0, -0.7], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(after_a_step, (weight, gradient))
    plain = torch.nn.Parameter(weight.detach().clone())
    plain.grad = gradient.detach()
    case([plain], lr=0.1).step()
    assert_equal([after_a_step(weight, gradient)], [plain], 1e-5)  # torch takes Adam's corrections in float32 here


@behaviour
def maximize_is_minus(case):
    """maximize equals minimising minus the function"""
    for path in ({"foreach": False}, {"foreach": True}):
        assert_equal(
            case.trained(maximize=True, weight_decay=0.1, **path)[0],
            case.trained(scale=-1.0, weight_decay=0.1, **path)[0],
        )


@behaviour
def tensor_lr(case):
    """a tensor as lr equals the number, for-loop"""
    lr = torch.tensor(0.01, dtype=torch.float64)
    assert_equal(case.trained(lr=lr, foreach=False)[0], case.trained(lr=0.01, foreach=False)[0], 1e-13)


@behaviour
def tensor_lr_foreach(case):
    """a tensor as lr equals the number, foreach"""
    lr = torch.tensor(0.01, dtype=torch.float64)
    try:
        optimizer = case.trained(lr=lr, foreach=True)[0]
    except ValueError as error:
        raise AbsentError("needs capturable") from error
    assert_equal(optimizer, case.trained(lr=0.01, foreach=True)[0], 1e-13)


@behaviour
def complex_is_pairs(case):
    """a complex parameter equals two real ones"""
    if not case.info.supports_complex:
        raise AbsentError("OptimizerInfo says so")
    for options in case.inputs():
        for path in ({"foreach": False}, {"foreach": True}):
            if case.info is ADAM and options.get("amsgrad"):
                continue
            real = start(shapes=[(3, 2), (2, 4, 2)])
            pairs = [torch.nn.Parameter(torch.view_as_complex(param.detach().clone())) for param in real]
            one, other = (case(params, **copy.deepcopy(options), **path) for params in (real, pairs))
            for step in range(5):
                feed(real, step)
                for param, pair in zip(real, pairs, strict=True):
                    pair.grad = torch.view_as_complex(param.grad.clone())
                one.step()
                other.step()
            assert_equal([torch.view_as_real(pair) for pair in pairs], real, 1e-13)


@behaviour
def low_precision(case):
    """bfloat16 and float16 stay near float32"""
    for dtype, tolerance in ((torch.bfloat16, 0.05), (torch.float16, 0.01)):
        for options in case.inputs(dtype):
            exact = case.trained(dtype=torch.float32, **copy.deepcopy(options))[0]
            low = case.trained(dtype=dtype, **copy.deepcopy(options))[0]
            assert_equal([param.float() for param in low], exact, tolerance)


@behaviour
def mixed_dtypes(case):
    """parameters of several types in one group"""
    mixed = [
        torch.nn.Parameter(param.detach().to(dtype))
        for param, dtype in zip(start(), [torch.float64, torch.float32, torch.bfloat16] * 2, strict=True)
    ]
    uniform = start()
    for path in ({"foreach": False}, {"foreach": True}):
        for params in (mixed, uniform):
            optimizer = case(params, lr=0.01, **path)
            feed(params, 1)
            optimizer.step()
    assert_equal([param.double() for param in mixed], uniform, 0.05)


@behaviour
def several_devices(case):
    """parameters on several devices in one group"""
    if not torch.cuda.is_available():
        raise NeedsCudaError("it takes a second device")
    one, other = start(), start()
    other[1::2] = [torch.nn.Parameter(param.detach().cuda()) for param in other[1::2]]
    for params in (one, other):
        optimizer = case(params, lr=0.01)
        for param in params:
            param.grad = torch.ones_like(param)
        optimizer.step()
    assert_equal([param.cpu() for param in other], one, 1e-12)


@behaviour
def groups(case):
    """groups have options of their own, also one that is added later"""
    first, second, third = start(shapes=[(3,), (4,), (5,)])
    before = [param.detach().clone() for param in (first, second, third)]
    optimizer = case([{"params": [first]}, {"params": [second], "maximize": True}], lr=0.01)
    optimizer.add_param_group({"params": third, "lr": 0.05})
    for param in (first, second, third):
        param.grad = torch.ones_like(param)
    optimizer.step()
    moved = [(param.detach() - old)[0].item() for param, old in zip((first, second, third), before, strict=True)]
    assert moved[0] < 0 < moved[1] and moved[2] < 2 * moved[0], f"they moved by {moved}"
    assert optimizer.param_groups[2]["betas"] == optimizer.param_groups[0]["betas"]


@behaviour
def sparse(case):
    """a sparse gradient is refused by name, and nothing has changed"""
    assert not case.info.supports_sparse
    dense = torch.nn.Parameter(torch.ones(2))
    table = torch.nn.Embedding(4, 3, sparse=True)
    optimizer = case([dense, table.weight])
    (dense.sum() + table(torch.tensor([1])).sum()).backward()
    message = refused(RuntimeError, optimizer.step)
    assert "sparse" in message and case.info.optim_cls.__name__ in message
    assert torch.equal(dense, torch.ones(2)), "another parameter has moved"


@behaviour
def resumes(case):
    """a state_dict resumes bit for bit"""
    for options in case.inputs():
        if case.info is ADAM and "lr" in options:
            continue
        params, optimizer = case.trained(dtype=torch.float32, **options)
        resumed = twin(case, params, lr=1.0)
        resumed.load_state_dict(frozen(optimizer))
        assert_equal(go_on(resumed), go_on(optimizer))


@behaviour
def resumes_from_file(case):
    """a state_dict resumes through a file that is loaded with weights_only=True"""
    params, optimizer = case.trained(dtype=torch.float32)
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    resumed = twin(case, params)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert_equal(go_on(resumed), go_on(optimizer))


@behaviour
def resumes_with_schedule(case):
    """a state_dict resumes beside its scheduler's"""
    params, optimizer = case.trained(dtype=torch.float32, lr=0.1)
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
    scheduler.step()
    resumed = twin(case, params, lr=0.1)
    second = lr_scheduler.ExponentialLR(resumed, 0.5)
    resumed.load_state_dict(frozen(optimizer))
    second.load_state_dict(copy.deepcopy(scheduler.state_dict()))
    for one, its in ((optimizer, scheduler), (resumed, second)):
        go_on(one, range(5, 6))
        its.step()
    assert_equal(go_on(resumed, range(6, 8)), go_on(optimizer, range(6, 8)))


@behaviour
def copies(case):
    """deepcopy and pickle give an optimizer that goes on alike and has the same attributes"""
    for clone in (copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))):
        _, optimizer = case.trained(dtype=torch.float32)
        other = clone(optimizer)
        public = [{name for name in dir(one) if not name.startswith("_")} for one in (optimizer, other)]
        assert public[0] == public[1]
        assert_equal(go_on(other), go_on(optimizer))


@behaviour
def older_states(case):
    """a state saved before foreach, fused, capturable, … existed is taken up"""
    params, optimizer = case.trained()
    saved = frozen(optimizer)
    for group in saved["param_groups"]:
        for flag in set(case.info.not_og_supported_flags) & group.keys():
            del group[flag]
    resumed = twin(case, params)
    resumed.load_state_dict(saved)
    assert_equal(go_on(resumed), go_on(optimizer))


@behaviour
def number_steps(case):
    """a state whose step is a number is taken up"""
    params, optimizer = case.trained()
    saved = frozen(optimizer)
    for state in saved["state"].values():
        state["step"] = state["step"].item()
    resumed = twin(case, params)
    resumed.load_state_dict(saved)
    assert_equal(go_on(resumed), go_on(optimizer))


@behaviour
def foreign_states(case):
    """another optimizer's state_dict is a ValueError, and nothing has changed"""
    params, optimizer = case.trained()
    before = frozen(optimizer)
    for foreign in (partial(torch.optim.SGD, momentum=0.9), torch.optim.Adagrad):
        other = foreign([torch.nn.Parameter(param.detach().clone()) for param in params])
        go_on(other)
        refused(ValueError, optimizer.load_state_dict, other.state_dict())
        assert_same_state(optimizer, before)


@behaviour
def other_shapes(case):
    """the state_dict of parameters of other shapes is a ValueError, and nothing has changed"""
    _, optimizer = case.trained()
    before = frozen(optimizer)
    _, other = case.trained(shapes=[(2, *shape) for shape in SHAPES])
    refused(ValueError, optimizer.load_state_dict, other.state_dict())
    assert_same_state(optimizer, before)


@behaviour
def other_groups(case):
    """the state_dict of other numbers of parameters or groups is a ValueError, and nothing has changed"""
    params, optimizer = case.trained()
    before = frozen(optimizer)
    halves = [{"params": params[:3]}, {"params": params[3:]}]
    for other in (case(params[:-1]), case(halves)):
        refused(ValueError, optimizer.load_state_dict, other.state_dict())
        assert_same_state(optimizer, before)


@behaviour
def hooks(case):
    """hooks before and after step, state_dict and load_state_dict"""
    calls = []
    optimizer = case(start())
    for when in ("pre", "post"):
        for what in ("step", "state_dict", "load_state_dict"):
            register = getattr(optimizer, f"register_{what}_{when}_hook")
            register(lambda *_, name=f"{what} {when}": calls.append(name))
    go_on(optimizer, range(1))
    optimizer.load_state_dict(optimizer.state_dict())
    assert calls == [f"{what} {when}" for what in ("step", "state_dict", "load_state_dict") for when in ("pre", "post")]


@behaviour
def named(case):
    """named parameters keep their names"""
    optimizer = case(torch.nn.Linear(2, 1).named_parameters())
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]


@behaviour
def printed(case):
    """its options can be printed"""
    text = repr(case(start(), lr=0.25))
    assert case.info.optim_cls.__name__ in text and "lr: 0.25" in text


@behaviour
def closures(case):
    """a closure runs with gradients enabled, and its loss is returned"""
    problem = Problem()
    optimizer = case(problem.params)

    def closure():
        optimizer.zero_grad()
        loss = problem.loss()
        loss.backward()
        return loss

    expected = problem.loss()
    with torch.no_grad():
        assert_equal([optimizer.step(closure)], [expected])
    assert problem.loss() < expected


@behaviour
def zero_grad(case):
    """zero_grad, to None and to zeros"""
    for to_none in (True, False):
        params = start()
        optimizer = case(params)
        feed(params, 1)
        optimizer.zero_grad(set_to_none=to_none)
        assert all(param.grad is None if to_none else not param.grad.any() for param in params)


@behaviour
def no_gradients(case):
    """without gradients a step does nothing and makes no state"""
    params = start()
    optimizer = case(params, weight_decay=0.1)
    optimizer.step()
    assert_equal(params, start())
    assert not optimizer.state


@behaviour
def zero_gradients(case):
    """zero gradients move nothing, in float32"""
    zero_gradients_in(case, torch.float32)


@behaviour
def zero_gradients_in_half(case):
    """zero gradients move nothing, in bfloat16 and float16"""
    zero_gradients_in(case, torch.bfloat16)
    zero_gradients_in(case, torch.float16)


def zero_gradients_in(case, dtype):
    params = start(dtype)
    optimizer = case(params, weight_decay=0.0)
    for param in params:
        param.grad = torch.zeros_like(param)
    for _ in range(3):
        optimizer.step()
    assert all(torch.equal(*pair) for pair in zip(params, start(dtype), strict=True)), f"{dtype}: parameters changed"


@behaviour
def gradients_are_read_only(case):
    """gradients are never written"""
    for options in case.inputs():
        params = start()
        optimizer = case(params, **options)
        feed(params, 1)
        before = [param.grad.clone() for param in params]
        optimizer.step()
        assert_equal([param.grad for param in params], before)


@behaviour
def empty_parameters(case):
    """parameters without elements and without dimensions"""
    for path in ({"foreach": False}, {"foreach": True}):
        params, _ = case.trained(shapes=[(0,), (), (3, 0), (2,)], **path)
        assert all(torch.isfinite(param).all() for param in params)


@behaviour
def layouts(case):
    """channels-last, transposed and expanded gradients"""
    for path in ({"foreach": False}, {"foreach": True}):
        shapes = [(4, 3, 2, 2), (5, 6), (7,)]
        odd, plain = start(shapes=shapes), start(shapes=shapes)
        odd[0].data = odd[0].data.to(memory_format=torch.channels_last)
        one, other = case(odd, **path), case(plain, **path)
        for step in range(3):
            generator = torch.Generator().manual_seed(step)
            grads = [torch.randn(shape, dtype=torch.float64, generator=generator) for shape in shapes]
            grads[2] = grads[2][:1].expand(7)
            for param, grad in zip(plain, grads, strict=True):
                param.grad = grad.contiguous()
            odd[0].grad = grads[0].to(memory_format=torch.channels_last)
            odd[1].grad = grads[1].t().contiguous().t()
            odd[2].grad = grads[2]
            one.step()
            other.step()
        assert_equal(odd, plain, 1e-13)


@behaviour
def sizes_of_gradients(case):
    """gradients of 1e-25, 1e-12 and 1e15 leave float32 parameters finite"""
    for scale in (1e-25, 1e-12, 1e15):
        params, _ = case.trained(dtype=torch.float32, scale=scale, lr=1e-20)
        assert all(torch.isfinite(param).all() for param in params)


@behaviour
def nan_is_seen(case):
    """a NaN in a gradient is seen in its parameter"""
    params = start(torch.float32)
    optimizer = case(params)
    feed(params, 1)
    params[3].grad[0, 0] = float("nan")
    optimizer.step()
    assert params[3][0, 0].isnan()


@behaviour
def one_cycle(case):
    """OneCycleLR with cycle_momentum=False"""
    params = start()
    optimizer = case(params)
    betas = optimizer.param_groups[0]["betas"]
    scheduler = lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=10, cycle_momentum=False)
    feed(params, 1)
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["betas"] == betas


@behaviour
def one_cycle_of_momentum(case):
    """OneCycleLR as it is, which cycles the momentum"""
    optimizer = case(start())
    before = optimizer.param_groups[0]["betas"]
    try:
        lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=10)
    except ValueError as error:
        assert optimizer.param_groups[0]["betas"] == before
        raise AbsentError("its first beta is not a momentum, so torch's ValueError refuses") from error
    assert optimizer.param_groups[0]["betas"][0] == 0.95


@behaviour
def grad_scaler(case):
    """GradScaler: unscaled as it should be, and a step with inf leaves all as it was"""
    params, optimizer = case.trained(dtype=torch.float32)
    plain = copy.deepcopy(optimizer)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    scaler.scale(torch.zeros(()))
    feed(params, 7, scale=8.0)
    scaler.step(optimizer)
    scaler.update()
    assert_equal(params, go_on(plain, range(7, 8)))
    before, values = frozen(optimizer), [param.detach().clone() for param in params]
    feed(params, 8)
    params[3].grad[0, 0] = float("inf")
    scaler.step(optimizer)
    assert_same_state(optimizer, before)
    assert_equal(params, values)


@behaviour
def nothing_read_back(case):
    """a capturable step reads no number back, so no device is waited for"""
    case.needs("capturable")

    class NoNumbers(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            assert "_local_scalar_dense" not in str(function), "a number was read from a tensor"
            return function(*args, **(kwargs or {}))

    params, optimizer = case.trained(capturable=True, foreach=True)
    feed(params, 5)
    with NoNumbers():
        optimizer.step()


@behaviour
def compiled_once(case):
    """torch.compile(step) is not compiled again under a schedule"""
    params = start(torch.float32, [(3,), (4, 5)])
    optimizer = case(params, lr=torch.tensor(0.01), capturable=True, foreach=True)
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.9)
    torch._dynamo.reset()
    counter = torch._dynamo.testing.CompileCounter()
    step = torch.compile(optimizer.step, backend=counter)
    counts = []
    for number in range(6):
        for param in params:
            param.grad = torch.full_like(param, 1.0 + number)
        step()
        scheduler.step()
        counts.append(counter.frame_count)
    torch._dynamo.reset()
    assert counts[-1] == counts[2] > 0, f"compiled {counts} times"


@behaviour
def default_dtype(case):
    """torch.set_default_dtype(float64) changes nothing"""
    expected = case.trained(dtype=torch.float32, foreach=True)[0]
    torch.set_default_dtype(torch.float64)
    try:
        assert_equal(case.trained(dtype=torch.float32, foreach=True)[0], expected, 1e-6)
    finally:
        torch.set_default_dtype(torch.float32)


# ── the table ──


def outcome(function: Callable[[Case], None], name: str) -> tuple[str, str]:
    """What became of one behaviour of one optimizer, and why if it is not simply ``passed``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function(Case(INFOS[name]))
    except AbsentError as reason:
        return "absent", str(reason)
    except NeedsCudaError as reason:
        return "needs CUDA", str(reason)
    except Exception as error:
        return "failed", f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"
    return "passed", ""


def version() -> str:
    return ".".join(torch.__version__.split(".")[:2])


def table() -> str:
    rows, reasons = [], {}
    for title, function in BEHAVIOURS.items():
        outcomes = {name: outcome(function, name) for name in INFOS}
        rows.append([title, *(result.replace("passed", PASSED) for result, _ in outcomes.values())])
        for name, (result, reason) in outcomes.items():
            if reason:
                reasons.setdefault((result, title, reason), []).append(name)
    columns = list(zip(*rows, strict=True))[1:]
    counts = [[f"**{one}**", *(str(column.count(one)) for column in columns)] for one in RESULTS]
    header = [f"torch {version()}, CPU", *INFOS]
    lines = ["| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *rows, *counts]]
    notes = [f"- *{title}*, {result}: {', '.join(names)} ({why})" for (result, title, why), names in reasons.items()]
    return "\n".join([*lines, "", *notes, ""])


def read_table() -> tuple[str, dict[str, dict[str, str]]]:
    """The version of torch that the stored table is of, and its rows."""
    lines = [line.strip("| \n").split(" | ") for line in TABLE.read_text().splitlines() if line.startswith("|")]
    (version_cell, *names), _, *rows = lines
    return version_cell, {title: dict(zip(names, results, strict=True)) for title, *results in rows}


if __name__ == "__main__":
    torch.set_num_threads(1)
    TABLE.write_text(table())
    print(TABLE.read_text())
