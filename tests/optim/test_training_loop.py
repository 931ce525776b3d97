"""What a training loop does with an optimizer: schedulers, closures, hooks, gradients, a gradient scaler."""

import copy
import warnings

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

from adai import Adai
from adai.optim import reference
from tests.optim.problems import (
    arrays,
    each_of_ours,
    feed,
    follow,
    largest_difference,
    parameters,
    run,
    start,
    train,
    trained,
)


@pytest.mark.parametrize(
    "schedule",
    [
        lambda optimizer: lr_scheduler.MultiStepLR(optimizer, [5]),
        lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 20),
        lambda optimizer: lr_scheduler.OneCycleLR(optimizer, 0.5, total_steps=21, cycle_momentum=False),
    ],
    ids=["MultiStepLR", "CosineAnnealingLR", "OneCycleLR"],
)
@each_of_ours
def test_lr_schedulers_drive_the_step_and_nothing_else(entry, schedule):
    values, gradients = arrays(12, steps=20)
    params, inputs = parameters(values), entry.inputs[1]
    ours = entry.optimizer(params, lr=0.5, weight_decay=0.01, **inputs)
    expected = follow(entry, values, [], [{"lr": 0.5, "weight_decay": 0.01} | inputs] * 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler = schedule(ours)
        for step_gradients in gradients:
            for p in expected:
                p.lr = ours.param_groups[0]["lr"]
            train(ours, params, [step_gradients])
            reference.step(entry.rule, expected, step_gradients)
            scheduler.step()
    assert largest_difference(params, [p.theta for p in expected]) <= 1e-12
    assert inputs.items() <= ours.param_groups[0].items()


@pytest.mark.parametrize(
    "schedule",
    [
        lambda optimizer: lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10),
        lambda optimizer: lr_scheduler.CyclicLR(optimizer, base_lr=0.1, max_lr=1.0),
    ],
    ids=["OneCycleLR", "CyclicLR"],
)
def test_a_schedule_that_would_cycle_beta0_as_a_momentum_is_refused(schedule):
    optimizer = Adai(start())
    with pytest.raises(ValueError, match="must support momentum"):
        schedule(optimizer)
    assert optimizer.param_groups[0]["betas"] == (0.1, 0.99)


@each_of_ours
def test_gradients_are_never_modified_and_maximize_climbs(entry):
    values, gradients = arrays(25, steps=10)
    flipped = [[-g for g in step_gradients] for step_gradients in gradients]
    params = parameters(values)
    ours = entry.optimizer(params, weight_decay=0.1, maximize=True)
    for step_gradients in gradients:
        train(ours, params, [step_gradients])
        assert all(torch.equal(p.grad, g) for p, g in zip(params, step_gradients, strict=True))
    assert largest_difference(params, run(entry.optimizer, values, flipped, weight_decay=0.1)) == 0


@each_of_ours
def test_complex_parameters_are_pairs_of_real_ones(entry):
    rng = np.random.default_rng(27)
    real = torch.nn.Parameter(torch.tensor(rng.normal(size=(3, 2))))
    pair = torch.nn.Parameter(torch.view_as_complex(real.detach().clone()))
    optimizers = [entry.optimizer([p], weight_decay=0.1) for p in (real, pair)]
    for _ in range(5):
        gradient = torch.tensor(rng.normal(size=(3, 2)))
        real.grad, pair.grad = gradient, torch.view_as_complex(gradient)
        for one in optimizers:
            one.step()
    assert torch.equal(torch.view_as_real(pair), real)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@each_of_ours
def test_zero_gradients_move_nothing_and_stay_finite(entry, dtype):
    params = parameters([np.ones(3)], dtype)
    train(entry.optimizer(params, weight_decay=0.0), params, [[np.zeros(3)]] * 3)
    assert torch.equal(params[0], torch.ones(3, dtype=dtype))
    train(entry.optimizer(params, weight_decay=0.0), params, [[np.array([0.0, 1.0, 200.0])]] * 3)
    assert torch.isfinite(params[0]).all()


@each_of_ours
def test_a_closure_runs_with_gradients_and_its_loss_is_returned(entry):
    param = torch.nn.Parameter(torch.tensor([3.0]))
    optimizer = entry.optimizer([param], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = param.square().sum()
        loss.backward()
        return loss

    with torch.no_grad():
        assert optimizer.step(closure).item() == 9.0
    assert param.grad.item() == 6.0 and param.item() < 3.0


@pytest.mark.parametrize("set_to_none", [True, False])
@each_of_ours
def test_zero_grad_does_what_torchs_does(entry, set_to_none):
    ours, torchs = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    for param, optimizer in ((ours, entry.optimizer([ours])), (torchs, torch.optim.SGD([torchs]))):
        param.square().sum().backward()
        optimizer.zero_grad(set_to_none=set_to_none)
    assert (ours.grad is None) == (torchs.grad is None) == set_to_none
    assert set_to_none or torch.equal(ours.grad, torchs.grad)


@pytest.mark.skipif(torch.__version__ < (2, 6), reason="torch has named parameters from 2.6 on")
@each_of_ours
def test_named_parameters_keep_their_names(entry):
    optimizer = entry.optimizer(torch.nn.Linear(2, 1).named_parameters())
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]


@each_of_ours
def test_step_hooks_are_called(entry):
    calls = []
    optimizer = entry.optimizer([torch.nn.Parameter(torch.ones(1))])
    optimizer.register_step_pre_hook(lambda *_: calls.append("pre"))
    optimizer.register_step_post_hook(lambda *_: calls.append("post"))
    optimizer.step()
    assert calls == ["pre", "post"]


@pytest.mark.filterwarnings("ignore")
@each_of_ours
def test_a_skipped_step_of_a_gradient_scaler_leaves_the_state_alone(entry):
    params, optimizer = trained(entry.optimizer, dtype=torch.float32)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    before = copy.deepcopy(optimizer.state_dict()["state"])
    feed(params, 1)
    scaler.scale(torch.zeros(()))
    params[3].grad[0, 0] = float("inf")
    scaler.step(optimizer)
    for index, state in optimizer.state_dict()["state"].items():
        assert all(torch.equal(value, before[index][name]) for name, value in state.items())


@each_of_ours
def test_a_step_draws_no_random_number(entry):
    # So it may stand anywhere in a reproducible program.
    state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
    trained(entry.optimizer)
    assert np.array_equal(state, np.random.get_state()[1]) and torch.equal(torch_state, torch.get_rng_state())
