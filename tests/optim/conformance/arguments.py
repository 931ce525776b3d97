"""Arguments: errors, groups of parameters, names, options that are printed."""

import re
import warnings

import torch
from torch.testing._internal.common_optimizers import OptimizerErrorEnum

from tests.optim.conformance.case import behaviour, refused
from tests.optim.problems import start


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
def named(case):
    """named parameters keep their names"""
    optimizer = case(torch.nn.Linear(2, 1).named_parameters())
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]


@behaviour
def printed(case):
    """its options can be printed"""
    text = repr(case(start(), lr=0.25))
    assert case.info.optim_cls.__name__ in text and "lr: 0.25" in text
