"""Ours against pytorch_optimizer: equal where it follows the papers; each place where it does not has its test."""

import numpy as np
import pytest
import pytorch_optimizer
import torch

from adai import AdaBound, Adai, AdaiV2, AdaiW, Padam, Yogi
from adai.optim import CATALOGUE
from tests.optim.problems import arrays, follow, largest_difference, parameters, run, train

NO_EPS = 1e-300
"""So small that it does not matter whether it joins the root of the corrected or of the uncorrected moment."""


def as_the_paper_has_it(values, gradients):
    group = {"lr": 1.0, "betas": (0.1, 0.99), "eps": 1e-3}
    return [p.theta for p in follow(CATALOGUE["adai"], values, gradients, [group] * 2)]


def drawn(optimizer, scale=1.0, **options):
    values, gradients = arrays(22, steps=50)
    return run(optimizer, values, [[scale * g for g in step_gradients] for step_gradients in gradients], **options)


def theirs(params, **options):
    return pytorch_optimizer.Adai(params, **({"lr": 1.0} | options))


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("decoupled", [False, True])
def test_equals_pytorch_optimizer_where_it_follows_the_paper(decoupled, foreach):
    values, gradients = arrays(2, steps=50)  # every parameter has every gradient, and v_bar is above 1e-3
    one, other = parameters(values), parameters(values)
    train((AdaiW if decoupled else Adai)(one, lr=0.5, weight_decay=0.01), one, gradients)
    options = {"lr": 0.5, "weight_decay": 0.01, "weight_decouple": decoupled, "foreach": foreach}
    train(theirs(other, **options), other, gradients)
    assert largest_difference(one, other) <= 1e-11


def test_pytorch_optimizer_clamps_v_bar_at_eps_which_breaks_scale_invariance():
    values, gradients = arrays(2, steps=10)
    small = [[1e-4 * g for g in step_gradients] for step_gradients in gradients]
    one, other, paper = parameters(values), parameters(values), as_the_paper_has_it(values, small)
    train(Adai(one), one, small)
    train(theirs(other), other, small)
    assert largest_difference(one, paper) <= 1e-12
    assert largest_difference(other, paper) > 1e-5


def test_pytorch_optimizer_counts_steps_by_group_which_misjudges_late_gradients():
    values, gradients = arrays(2, steps=10)
    for step_gradients in gradients[:5]:
        step_gradients[0] = None
    one, other, paper = parameters(values), parameters(values), as_the_paper_has_it(values, gradients)
    train(Adai(one), one, gradients)
    train(theirs(other), other, gradients)
    assert largest_difference(one, paper) <= 1e-12
    assert largest_difference(other, paper) > 1e-5


def test_pytorch_optimizer_writes_into_gradients_and_we_do_not():
    values, ((gradient,),) = arrays(3, steps=1, shapes=[(4,)])
    one, other = parameters(values), parameters(values)
    train(Adai(one, weight_decay=0.1), one, [[gradient]])
    train(theirs(other, weight_decay=0.1, foreach=False), other, [[gradient]])
    assert torch.equal(one[0].grad, gradient)
    assert not torch.equal(other[0].grad, gradient)


def test_pytorch_optimizer_refuses_a_step_without_gradients_and_we_do_nothing():
    values, _ = arrays(3, steps=0)
    params = parameters(values)
    with pytest.raises(pytorch_optimizer.base.exception.ZeroParameterSizeError):
        theirs(params).step()
    optimizer = Adai(params, weight_decay=0.1)
    optimizer.step()
    assert largest_difference(params, values) == 0
    assert not optimizer.state


def test_pytorch_optimizer_refuses_complex_parameters_and_we_do_not():
    params = [torch.nn.Parameter(torch.ones(2, dtype=torch.complex64))]
    params[0].grad = torch.ones_like(params[0])
    with pytest.raises(pytorch_optimizer.base.exception.NoComplexParameterError):
        theirs(params).step()
    Adai(params).step()


# The others


def test_pytorch_optimizers_adabound_adds_a_floor_under_the_root():
    options = {"lr": 0.1, "weight_decay": 0.01, "gamma": 0.01}
    theirs = {"weight_decouple": False, "foreach": False}
    close = largest_difference(drawn(AdaBound, **options), drawn(pytorch_optimizer.AdaBound, **options, **theirs))
    assert close <= 1e-9  # squared gradients are far above its 1e-15
    options = {"lr": 0.1, "final_lr": 1e9}
    apart = largest_difference(
        drawn(AdaBound, scale=1e-7, **options), drawn(pytorch_optimizer.AdaBound, scale=1e-7, **options, **theirs)
    )
    assert apart > 0.01


def test_pytorch_optimizers_adabound_forgets_the_first_lr_when_resumed():
    params, their_params = parameters([np.ones(2)]), parameters([np.ones(2)])
    ours = AdaBound(params, lr=0.1, gamma=0.5)
    theirs = pytorch_optimizer.AdaBound(their_params, lr=0.1, gamma=0.5)
    for optimizer, values in ((ours, params), (theirs, their_params)):
        resumed = type(optimizer)(values, lr=0.01, gamma=0.5)  # the schedule has divided lr by 10 meanwhile
        state = optimizer.state_dict()
        state["param_groups"][0]["lr"] = 0.01
        resumed.load_state_dict(state)
        train(resumed, values, [[np.full(2, 1e-6)]])
    # The bound is final_lr * 3 = 0.3, or a tenth of it after the schedule; the mean of gradients is 1e-7.
    assert 1 - params[0][0].item() == pytest.approx(0.03 * 1e-7, rel=1e-6)
    assert 1 - their_params[0][0].item() == pytest.approx(0.3 * 1e-7, rel=1e-6)


def test_pytorch_optimizers_padam_lacks_the_maximum():
    # Chen and Gu (2018), Algorithm 1, and their code keep the largest second moment; it matters once v falls.
    values, gradients = arrays(23, steps=30)
    growing = [[torch.full_like(g, 1.1**t) for g in step] for t, step in enumerate(gradients)]
    falling = growing[::-1]
    options = {"lr": 0.1, "partial": 0.125, "weight_decay": 0.0}
    for case, within in ((growing, True), (falling, False)):
        one, other = parameters(values), parameters(values)
        train(Padam(one, **options), one, case)
        train(pytorch_optimizer.PAdam(other, foreach=False, **options), other, case)
        assert (largest_difference(one, other) <= 1e-12) == within


def test_pytorch_optimizers_yogi_starts_the_momentum_at_v0():
    # TensorFlow Addons starts it at 0, as Adam does.
    values, gradients = arrays(24, steps=50)
    options = {"lr": 0.01, "betas": (0.9, 0.999), "eps": NO_EPS, "initial_accumulator": 0.1}

    def theirs(first_moment):
        params = parameters(values)
        optimizer = pytorch_optimizer.Yogi(params, foreach=False, **options)
        for param, gradient in zip(params, gradients[0], strict=True):
            param.grad = gradient.clone()
        optimizer.init_group(optimizer.param_groups[0])
        for param in params:
            optimizer.state[param]["exp_avg"].fill_(first_moment)
        train(optimizer, params, gradients)
        return params

    ours = parameters(values)
    train(Yogi(ours, **options), ours, gradients)
    assert largest_difference(ours, theirs(0.0)) <= 1e-12
    assert largest_difference(ours, theirs(0.1)) > 1e-3


def test_pytorch_optimizers_yogi_adds_epsilon_after_the_bias_correction():
    # Algorithm 2 adds it to the root of v itself, and so does TensorFlow Addons.
    options = {"lr": 0.01, "eps": 1e-3, "initial_accumulator": 0.0}
    theirs = drawn(pytorch_optimizer.Yogi, foreach=False, **options)
    assert largest_difference(drawn(Yogi, **options), theirs) > 1e-4
    options["eps"] = NO_EPS
    theirs = drawn(pytorch_optimizer.Yogi, foreach=False, **options)
    assert largest_difference(drawn(Yogi, **options), theirs) <= 1e-12


@pytest.mark.parametrize("dampening", [0.0, 0.5, 1.0])
def test_adaiv2_equals_pytorch_optimizers_adai_with_dampening(dampening):
    options = {"lr": 0.1, "weight_decay": 0.01, "dampening": dampening}
    theirs = drawn(pytorch_optimizer.Adai, weight_decouple=True, **options)
    assert largest_difference(drawn(AdaiV2, **options), theirs) <= 1e-11
