"""Options that are changed in every step, by a schedule or by hand."""

import copy
import subprocess

import torch
import torch._dynamo.utils

from tests.optim.conformance.case import behaviour
from tests.optim.problems import SMALL, assert_close, feed, start

CONSTANT = ("base_lr", "initial_accumulator")
"""What belongs to the first step alone."""


def options_of(case):
    """Return arguments that set every hyperparameter away from its bounds."""
    inputs = {one.desc: one.kwargs for one in case.info.optim_inputs_func(device="cpu", dtype=torch.float32)}
    return {"lr": 0.1, "weight_decay": 0.1, **inputs.get("its own hyperparameters", {})}


def scheduled(case, steps=6, after_step=lambda: None, dtype=torch.float64, **path):
    """Train while every number of the group changes in every step."""
    params = start(dtype, SMALL)
    optimizer = case(params, **copy.deepcopy(options_of(case)), **path)
    (group,) = optimizer.param_groups
    for step in range(steps):
        feed(params, step)
        optimizer.step()
        after_step()
        for name, value in group.items():
            if isinstance(value, float) and name not in CONSTANT:
                group[name] = value * (0.9 if step % 2 else 0.8)
        group["betas"] = tuple(0.97 * beta for beta in group["betas"])
        group["maximize"] = step == 3
        if step == 4:
            group["weight_decay"] = 0.0
    return params


@behaviour
def foreach_under_a_schedule(case):
    """every option changed in every step: foreach equals for-loop"""
    loop = scheduled(case, foreach=False)
    assert_close(scheduled(case, foreach=True), loop, 1e-13)
    assert_close(scheduled(case), loop, 1e-13)


@behaviour
def fused_under_a_schedule(case):
    """every option changed in every step: fused equals for-loop"""
    case.needs_compiler()
    assert_close(scheduled(case, fused=True), scheduled(case, foreach=False), 1e-12)


@behaviour
def compiled_for_life(case):
    """every option changed in every step: fused compiles nothing after its first step"""
    case.needs_compiler()
    counts, started = [], []
    plain_init, plain_compile = subprocess.Popen.__init__, torch.compile

    def count_process(self, *arguments, **options):
        started.append(arguments)
        plain_init(self, *arguments, **options)

    def count_compile(*arguments, **options):
        started.append(arguments)
        return plain_compile(*arguments, **options)

    def count():
        counts.append(len(started) + torch._dynamo.utils.counters["stats"]["unique_graphs"])

    subprocess.Popen.__init__, torch.compile = count_process, count_compile
    try:
        scheduled(case, after_step=count, dtype=torch.float32, fused=True)
    finally:
        subprocess.Popen.__init__, torch.compile = plain_init, plain_compile
    assert len(set(counts)) == 1, f"compiled {counts} times"
