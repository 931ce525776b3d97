"""Steps through which gradients flow to hyperparameters that are learned."""

import torch

from tests.optim.conformance.case import AbsentError, behaviour
from tests.optim.conformance.schedules import options_of

STEPS = 4
START = (0.5, -1.0, 2.0, 0.7, 1e-3)
"""The gradient of the last one is so small beside the others that Adai's inertia is bounded there, by eps."""


def trained(case, names, values, fixed):
    """Return a loss after some steps on it, with hyperparameters that are tensors; beta1 and beta2 make a pair."""
    options = dict(zip(names, values, strict=True))
    if "beta1" in options:
        options["betas"] = (options.pop("beta1"), options.pop("beta2"))
    theta = torch.tensor(START, dtype=torch.float64, requires_grad=True).clone()
    curvatures = torch.tensor([1.0, 0.8, 1.5, 0.6, 0.01], dtype=torch.float64)

    def loss():
        now = theta.clone()  # the step writes into theta itself
        return now, (curvatures * now.square() + now.cos()).sum()

    optimizer = case([theta], **{**fixed, **options}, differentiable=True)
    if "base_lr" in optimizer.param_groups[0]:  # AdaBound's first lr is a number, the same for every lr that is tried
        optimizer.param_groups[0]["base_lr"] = 0.1
    for _ in range(STEPS):
        now, value = loss()
        (theta.grad,) = torch.autograd.grad(value, now, create_graph=True)
        optimizer.step()
    return loss()[1]


def check(case, fixed, **learned):
    """Compare derivatives with finite differences."""
    values = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in learned.values()]
    assert torch.autograd.gradcheck(lambda *values: trained(case, learned, values, fixed), values)


@behaviour
def learned_lr(case):
    """differentiable: a learned lr, through four steps (gradcheck)"""
    case.needs("differentiable")
    check(case, {"weight_decay": 0.1}, lr=0.1)


@behaviour
def learned_betas_and_decay(case):
    """differentiable: learned lr, betas and weight decay, through four steps (gradcheck)"""
    case.needs("differentiable")
    check(case, {}, lr=0.1, beta1=0.3, beta2=0.9, weight_decay=0.1)


@behaviour
def learned_others(case):
    """differentiable: learned eps and hyperparameters of its own, through four steps (gradcheck)"""
    case.needs("differentiable")
    options = options_of(case)
    fixed = {name: options.pop(name) for name in ("lr", "weight_decay", "betas") if name in options}
    if not options:
        raise AbsentError("no other may be a tensor")
    check(case, fixed, **options)
