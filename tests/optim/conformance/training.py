"""A training loop: descent, schedulers, closures, hooks, gradient scaler."""

import copy

import torch
from torch.optim import lr_scheduler
from torch.testing._internal.common_optimizers import _get_optim_inputs_including_global_cliquey_kwargs

from tests.optim.conformance.case import AbsentError, Problem, assert_same_state, behaviour, frozen, go_on
from tests.optim.problems import assert_close, feed, start


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
        assert_close([optimizer.step(closure)], [expected])
    assert problem.loss() < expected


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
def zero_grad(case):
    """zero_grad, to None and to zeros"""
    for to_none in (True, False):
        params = start()
        optimizer = case(params)
        feed(params, 1)
        optimizer.zero_grad(set_to_none=to_none)
        assert all(param.grad is None if to_none else not param.grad.any() for param in params)


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
    assert_close(params, go_on(plain, range(7, 8)))
    before, values = frozen(optimizer), [param.detach().clone() for param in params]
    feed(params, 8)
    params[3].grad[0, 0] = float("inf")
    scaler.step(optimizer)
    assert_same_state(optimizer, before)
    assert_close(params, values)
