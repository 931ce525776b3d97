"""Each optimizer of the catalogue is the algorithm of the work that introduced it.

Where torch does something else than the paper prints, a test says what.
"""

from dataclasses import replace
from functools import partial

import pytest
import torch

from adai import AdaBound, AdaiV2, AdaiW, Padam
from adai.optim import CATALOGUE, create, reference
from tests.optim.problems import arrays, each_of_ours, follow, largest_difference, parameters, run, train

RATES = [{"lr": 0.01, "weight_decay": 0.1}, {"lr": 0.1, "weight_decay": 0.0}]
NO_EPS = 1e-300
"""So small that it does not matter whether it joins the root of the corrected or of the uncorrected moment."""


def difference(entry, missing=0.0, **changes):
    """The largest difference to the reference after 50 steps, over two groups and five shapes."""
    values, gradients = arrays(20, steps=50, missing=missing, late=10)
    groups = [rates | inputs | changes for rates, inputs in zip(RATES, entry.inputs, strict=True)]
    params = parameters(values)
    shared = [{"params": params[:3]} | groups[0], {"params": params[3:]} | groups[1]]
    train(entry.optimizer(shared), params, gradients)
    return largest_difference(params, [p.theta for p in follow(entry, values, gradients, groups)])


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("name", CATALOGUE)
def test_equals_its_original_over_groups_shapes_and_missing_gradients(name, missing):
    assert difference(CATALOGUE[name], missing) <= 1e-12


@each_of_ours
def test_the_first_step_is_as_right_in_float32_as_its_numbers_are(entry):
    (value,), gradients = arrays(23, steps=1, shapes=[(1000,)])
    params = parameters([torch.zeros_like(value)], torch.float32)
    train(entry.optimizer(params, lr=0.1, weight_decay=0.0), params, gradients)
    group = {name: default for name, default in entry.hyperparameters.items() if name in entry.inputs[0]}
    (expected,) = follow(entry, [torch.zeros_like(value)], gradients, [group | {"lr": 0.1}] * 2)
    assert (params[0] / expected.theta - 1).abs().max() <= 2e-6


def test_optimizers_share_a_rule_only_where_weight_decay_tells_them_apart():
    values, gradients = arrays(20, steps=5)
    ends = {}
    for name, entry in CATALOGUE.items():
        followed = follow(entry, values, gradients, [{"lr": 0.1} | inputs for inputs in entry.inputs])
        ends.setdefault(str([p.theta.tolist() for p in followed]), []).append(name)
    shared = [names for names in ends.values() if len(names) > 1]
    assert shared == [["adaiw", "adai", "adais"], ["adam", "adamw"]]


# torch's own: where they differ from what was printed


def printed(name, move):
    return replace(CATALOGUE[name], rule=reference.elementwise(move))


def test_torchs_amsgrad_corrects_the_bias_and_the_printed_one_does_not():
    def as_printed(p, betas, eps):
        return reference.amsgrad(p, betas)

    assert difference(printed("amsgrad", as_printed), missing=0.3) > 0.01


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_torchs_radam_rectifies_above_5_where_liu_et_al_print_4(missing):
    # The threshold is that of the authors' code, https://github.com/LiyuanLucasLiu/RAdam (N_sma >= 5).
    assert difference(printed("radam", partial(reference.radam, threshold=4)), missing) > 1e-3


def test_torchs_radam_adds_an_epsilon_that_is_not_printed():
    def as_printed(p, betas, eps):
        return reference.radam(p, betas, threshold=5)

    assert difference(printed("radam", as_printed), eps=NO_EPS) <= 1e-12
    assert difference(printed("radam", as_printed)) > 1e-3


def test_torchs_adamw_scales_the_decay_by_lr_where_loshchilov_and_hutter_do_not():
    # Their Algorithm 2 scales it by the schedule's factor alone: theirs is lr * weight_decay.
    values, gradients = arrays(21, steps=20)
    params = parameters(values)
    train(create("adamw", params, task="cifar"), params, gradients)
    schedule_factor, theirs = 1.0, 1e-3 * 0.5
    for i, theta in enumerate(values):
        p = reference.Parameter(theta, lr=1e-3)
        for step_gradients in gradients:
            p.gradients.append(step_gradients[i])
            p.theta = p.theta - schedule_factor * (reference.adam(p, (0.9, 0.999), 1e-8) + theirs * p.theta)
        assert largest_difference([params[i]], [p.theta]) <= 1e-12


# Ours against torch, where a setting makes them the same


def drawn(optimizer, **options):
    return run(optimizer, *arrays(22, steps=50), **options)


def test_adabound_with_bounds_wide_open_is_torchs_adam():
    options = {"lr": 0.1, "weight_decay": 0.01, "eps": NO_EPS}
    ours, theirs = drawn(AdaBound, gamma=1e-300, **options), drawn(torch.optim.Adam, **options)
    assert largest_difference(ours, theirs) <= 1e-12


def test_padam_with_the_full_power_is_torchs_amsgrad():
    options = {"lr": 0.1, "weight_decay": 0.01, "eps": NO_EPS}
    ours, theirs = drawn(Padam, partial=0.5, **options), drawn(torch.optim.Adam, amsgrad=True, **options)
    assert largest_difference(ours, theirs) <= 1e-12


def test_padam_with_no_power_is_momentum():
    def momentum(p, betas):
        return reference.adam_rate(p, betas) * reference.mean(p.gradients, betas[0])

    values, gradients = arrays(22, steps=50)
    entry, group = printed("padam", momentum), {"lr": 0.1, "betas": (0.9, 0.999)}
    expected = [p.theta for p in follow(entry, values, gradients, [group] * 2)]
    assert largest_difference(drawn(Padam, lr=0.1, partial=0.0), expected) <= 1e-12


@pytest.mark.parametrize("lr", [0.1, 0.5])
def test_adaiv2_without_dampening_left_is_adaiw(lr):
    assert largest_difference(drawn(AdaiV2, lr=lr), drawn(AdaiW, lr=lr)) == 0


def test_adabounds_bounds_follow_the_schedule():
    values, gradients = arrays(29, steps=20)
    params, entry = parameters(values), CATALOGUE["adabound"]
    optimizer = AdaBound(params, lr=0.1, **entry.inputs[1])
    expected = [reference.Parameter(value, lr=0.1, hyperparameters=entry.inputs[1]) for value in values]
    for t, step_gradients in enumerate(gradients, start=1):
        optimizer.param_groups[0]["lr"] = lr = 0.1 if t <= 10 else 0.01
        for p in expected:
            p.lr = lr
        train(optimizer, params, [step_gradients])
        reference.step(entry.rule, expected, step_gradients)
    assert largest_difference(params, [p.theta for p in expected]) <= 1e-12


def test_adabound_made_of_anothers_groups_keeps_the_rate_that_its_bounds_are_relative_to():
    first = AdaBound(parameters([torch.ones(2)]), lr=0.1)
    first.param_groups[0]["lr"] = 0.01  # a schedule
    assert AdaBound(first.param_groups).param_groups[0]["base_lr"] == 0.1
