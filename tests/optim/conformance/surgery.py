"""Parameters that are pruned or grown together with their state, as trainers do it that change a model as they train.

An optimizer that is taken apart so still couples or counts what is left. So every row stands twice in what is trained
here, with one gradient: a mean over all elements does not change when each loses its double or gets another one.
"""

import torch

from tests.optim.conformance.case import AGES, behaviour
from tests.optim.problems import SMALL, assert_close, feed, start

ROWS = [shape for shape in SMALL if shape]


def doubled(tensor):
    return torch.cat([tensor, tensor])


def half(tensor):
    mask = torch.arange(len(tensor)) < len(tensor) // 2
    return tensor[mask]


def replace(optimizer, change):
    """Put a new parameter in the place of each one, and change every tensor of its state that has its shape alike."""
    for group in optimizer.param_groups:
        for index, old in enumerate(group["params"]):
            state = optimizer.state.pop(old)
            new = group["params"][index] = torch.nn.Parameter(change(old.detach()))
            optimizer.state[new] = {
                name: change(value) if value.shape == old.shape else value for name, value in state.items()
            }


def go_on(optimizer, steps, change=lambda tensor: tensor):
    params = [param for group in optimizer.param_groups for param in group["params"]]
    for step in steps:
        drawn = start(params[0].dtype, ROWS)
        feed(drawn, step)
        for param, one in zip(params, drawn, strict=True):
            param.grad = one.grad if one.grad is None else change(one.grad)
        optimizer.step()
    return params


def goes_on_as_before(case, age, change, before, after):
    """Assert that an optimizer whose parameters are changed in mid-run goes on as one that had them so all along."""
    dtype, tolerance = (torch.float32, 1e-5) if age == "old" else (torch.float64, 1e-12)
    steps = AGES[age]
    one, other = (
        case([torch.nn.Parameter(form(param.detach())) for param in start(dtype, ROWS)], lr=0.01, **case.options(age))
        for form in (before, after)
    )
    go_on(one, range(steps), before)
    go_on(other, range(steps), after)
    replace(one, change)
    more = range(steps, steps + 20)
    assert_close(go_on(one, more, after), go_on(other, more, after), tolerance)


def same(tensor):
    return tensor.clone()


@behaviour
def pruned(case):
    """a parameter pruned with its state in a young and in an old run: what is left goes on as before"""
    for age in AGES:
        goes_on_as_before(case, age, half, doubled, same)


@behaviour
def grown(case):
    """a parameter grown by copies of its rows with their state, in a young and in an old run: all go on as before"""
    for age in AGES:
        goes_on_as_before(case, age, doubled, same, doubled)
