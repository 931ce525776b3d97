"""AdaBound's bounds are relative to the first learning rate; the present one may be 0, as schedules make it."""

import copy

import pytest
import torch
from torch.optim import lr_scheduler

from adai import AdaBound
from tests.optim.problems import assert_close, feed, start, through_a_file, trained


def one():
    return torch.nn.Parameter(torch.ones(2))


@pytest.mark.parametrize(
    ("schedule", "resumed_at"),
    [
        (lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda step: step / 10), 0),
        (lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 4), 4),  # from there on, it rises again
    ],
    ids=["warm-up from 0", "cosine"],
)
def test_a_run_resumes_where_a_schedule_has_lr_at_0(schedule, resumed_at):
    def run(resumed_at):
        params = start()
        optimizer = AdaBound(params, lr=0.1, gamma=0.3)
        scheduler = schedule(optimizer)
        for step in range(8):
            if step == resumed_at:
                assert optimizer.param_groups[0]["lr"] == 0
                saved = through_a_file([optimizer.state_dict(), scheduler.state_dict()])
                optimizer = AdaBound(params, lr=0.5)
                scheduler = schedule(optimizer)
                optimizer.load_state_dict(saved[0])
                scheduler.load_state_dict(saved[1])
            feed(params, step)
            optimizer.step()
            scheduler.step()
        return params

    assert_close(run(resumed_at), run(None))


@pytest.mark.parametrize("gamma", [1e-3, 1e-300])  # in float32, 1e-300 is 0
def test_with_lr_0_nothing_moves_and_the_state_goes_on(gamma):
    params, optimizer = trained(AdaBound, dtype=torch.float32, gamma=gamma)
    before = [param.detach().clone() for param in params]
    optimizer.param_groups[0]["lr"] = 0.0
    feed(params, 1)
    optimizer.step()
    assert_close(params, before)
    assert optimizer.state[params[0]]["step"] == 13
    assert all(torch.isfinite(value).all() for state in optimizer.state.values() for value in state.values())


def test_a_group_keeps_the_rate_that_its_bounds_are_relative_to():
    first = AdaBound([one()], lr=0.1)
    for lr in (0.01, 0.0):  # a schedule
        first.param_groups[0]["lr"] = lr
        assert AdaBound(first.param_groups).param_groups[0]["base_lr"] == 0.1
    second = AdaBound([one()], lr=0.2)
    second.add_param_group({**first.param_groups[0], "params": [one()]})
    assert [group["base_lr"] for group in second.param_groups] == [0.2, 0.1]


@pytest.mark.parametrize("base_lr", [0.0, -0.1, float("inf"), float("nan")])
def test_a_first_rate_that_bounds_cannot_be_relative_to_is_refused(base_lr):
    message = rf"base_lr is {base_lr}, but must satisfy 0 < base_lr < inf"
    with pytest.raises(ValueError, match=message):
        AdaBound([{"params": [one()], "base_lr": base_lr}])
    optimizer = AdaBound([one()])
    saved = copy.deepcopy(optimizer.state_dict())
    saved["param_groups"][0]["base_lr"] = base_lr
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0]["base_lr"] == 1e-3


def test_a_state_without_the_first_rate_is_refused():
    optimizer = AdaBound([one()])
    saved = copy.deepcopy(optimizer.state_dict())
    del saved["param_groups"][0]["base_lr"]
    with pytest.raises(ValueError, match="not one of AdaBound: its groups lack base_lr"):
        optimizer.load_state_dict(saved)
