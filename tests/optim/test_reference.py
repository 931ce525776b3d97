"""Each optimizer of the catalogue is the algorithm of the work that introduced it.

Where torch does something else than the paper prints, a test says what.
"""

import copy
import itertools
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


@pytest.mark.parametrize(
    ("weight_decay", "alike"),
    [(0.0, [["adaiw", "adai", "adais"], ["adam", "adamw"]]), (0.1, [["adaiw", "adais"]])],
)
def test_optimizers_share_a_rule_only_where_weight_decay_tells_them_apart(weight_decay, alike):
    values, gradients = arrays(20, steps=5)
    ends = {}
    for name, entry in CATALOGUE.items():
        groups = [{"lr": 0.1, "weight_decay": weight_decay} | inputs for inputs in entry.inputs]
        followed = follow(entry, values, gradients, groups)
        ends.setdefault(str([p.theta.tolist() for p in followed]), []).append(name)
    assert [names for names in ends.values() if len(names) > 1] == alike


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@each_of_ours
def test_a_rule_goes_on_where_an_optimizer_stands(entry, dtype):
    values, gradients = arrays(24, steps=12, missing=0.3)
    params = parameters(values, dtype)
    optimizer = entry.optimizer(params, lr=0.01, weight_decay=0.1, **entry.inputs[1])
    train(optimizer, params, gradients[:6])
    held = copy.deepcopy([(param.detach(), optimizer.param_groups[0], optimizer.state[param]) for param in params])
    followed = [reference.Parameter.from_state(*one) for one in held]
    train(optimizer, params, gradients[6:])
    for step_gradients in gradients[6:]:
        reference.step(entry.rule, followed, step_gradients)
    tolerance = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 0.05}[dtype]
    for param, p in zip(params, followed, strict=True):
        torch.testing.assert_close(p.theta.to(dtype), param.detach(), rtol=tolerance, atol=tolerance)
        state = optimizer.state[param]
        for name, value in p.to_state(state).items():
            torch.testing.assert_close(value, state[name], rtol=tolerance, atol=tolerance, msg=name)


# torch's own: where they differ from what was printed


def printed(name, move):
    return replace(CATALOGUE[name], rule=reference.elementwise(move))


def test_torchs_amsgrad_corrects_the_bias_and_the_printed_one_does_not():
    def as_printed(p):
        beta1, beta2 = p.betas
        p.m = beta1 * p.m + (1 - beta1) * (p.g + p.weight_decay * p.theta)
        p.v = beta2 * p.v + (1 - beta2) * (p.g + p.weight_decay * p.theta) ** 2
        p.v_hat = torch.maximum(p.v_hat, p.v)
        p.theta = p.theta - p.lr * p.m / p.v_hat.sqrt()

    assert difference(printed("amsgrad", as_printed), missing=0.3) > 0.01


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_torchs_radam_rectifies_above_5_where_liu_et_al_print_4(missing):
    # The threshold is that of the authors' code, https://github.com/LiyuanLucasLiu/RAdam (N_sma >= 5).
    assert difference(printed("radam", partial(reference.radam, threshold=4)), missing) > 1e-3


def test_torchs_radam_adds_an_epsilon_that_is_not_printed():
    def as_printed(p):
        p.eps = 0.0
        reference.radam(p, threshold=5)

    assert difference(printed("radam", as_printed), eps=NO_EPS) <= 1e-12
    assert difference(printed("radam", as_printed)) > 1e-3


def test_torchs_adamw_scales_the_decay_by_lr_where_loshchilov_and_hutter_do_not():
    # Their Algorithm 2 scales it by the schedule's factor alone: theirs is lr * weight_decay.
    schedule_factor, theirs = 1.0, 1e-3 * 0.5

    def as_printed(p):
        decay = schedule_factor * theirs * p.theta
        reference.adam(p)
        p.theta = p.theta - decay

    values, gradients = arrays(21, steps=20)
    params = parameters(values)
    train(create("adamw", params, task="cifar"), params, gradients)
    group = {"lr": schedule_factor * 1e-3, "betas": (0.9, 0.999), "eps": 1e-8}
    followed = follow(printed("adamw", as_printed), values, gradients, [group] * 2)
    assert largest_difference(params, [p.theta for p in followed]) <= 1e-12


# Derivatives

each_rule = pytest.mark.parametrize("entry", CATALOGUE.values(), ids=CATALOGUE)
STEPS = 8
"""RAdam rectifies from the sixth on."""


def learning(entry, values, **changes):
    """Starting values, rates and hyperparameters as tensors that require grad, and what makes parameters of these."""
    options = {"lr": 0.3, "weight_decay": 0.1, **entry.inputs[1], **changes}
    betas = options.pop("betas", ())
    numbers = [torch.tensor(number, dtype=torch.float64) for number in (*betas, *options.values())]

    def made(*tensors):
        thetas, numbers = tensors[: len(values)], tensors[len(values) :]
        given = {"betas": numbers[: len(betas)], **dict(zip(options, numbers[len(betas) :], strict=True))}
        return [reference.Parameter(theta, **given) for theta in thetas]

    return [tensor.requires_grad_() for tensor in (*values, *numbers)], made


@each_rule
def test_gradients_flow_through_the_steps_to_everything_that_a_rule_reads(entry):
    values, gradients = arrays(25, STEPS, shapes=[(3,), (2, 2)], missing=0.2)
    values[0][1] = 0.0
    for gradient in itertools.chain(*gradients):
        if gradient is not None:
            gradient.view(-1)[1] = 0.0
    tensors, made = learning(entry, values)

    def after(*tensors):
        parameters = made(*tensors)
        for step_gradients in gradients:
            reference.step(entry.rule, parameters, step_gradients)
        return tuple(p.theta for p in parameters)

    assert torch.autograd.gradcheck(after, tensors)


@each_rule
def test_gradients_flow_through_the_loss_too(entry):
    values, _ = arrays(26, 0, shapes=[(3,), (2, 2)])
    tensors, made = learning(entry, values)

    def after(*tensors):
        parameters = made(*tensors)
        for _ in range(STEPS):
            one, other = thetas = [p.theta for p in parameters]
            loss = one.sin().sum() * other.cos().sum() + (one**2).sum() + (other**2).sum()
            reference.step(entry.rule, parameters, torch.autograd.grad(loss, thetas, create_graph=True))
        return tuple(p.theta for p in parameters)

    assert torch.autograd.gradcheck(after, tensors)


@each_rule
def test_gradients_of_zero_have_finite_derivatives(entry):
    first = {"initial_accumulator": 0.0} if "initial_accumulator" in entry.inputs[1] else {}
    values, gradients = (
        [torch.zeros(2, dtype=torch.float64)],
        [torch.zeros(2, dtype=torch.float64) for _ in range(STEPS)],
    )
    tensors, made = learning(entry, values, **first)
    parameters = made(*tensors)
    for gradient in gradients:
        reference.step(entry.rule, parameters, [gradient.requires_grad_()])
    slopes = torch.autograd.grad(parameters[0].theta.sum(), [*tensors, *gradients], materialize_grads=True)
    assert all(slope.isfinite().all() for slope in slopes)


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
    def momentum(p):
        p.m = p.betas[0] * p.m + (1 - p.betas[0]) * p.g
        p.theta = p.theta - reference.corrected_lr(p) * p.m

    values, gradients = arrays(22, steps=50)
    entry, group = printed("padam", momentum), {"lr": 0.1, "betas": (0.9, 0.999)}
    expected = [p.theta for p in follow(entry, values, gradients, [group] * 2)]
    assert largest_difference(drawn(Padam, lr=0.1, partial=0.0), expected) <= 1e-12


def test_padam_with_no_power_needs_no_second_moment():
    param = parameters([torch.zeros(2)], torch.float32)[0]
    param.grad = torch.tensor([1.0, -1e25])  # its square is infinite
    Padam([param], lr=0.1, partial=0.0, betas=(0.0, 0.0)).step()
    torch.testing.assert_close(param.detach(), -0.1 * param.grad)


def test_padams_power_is_as_right_in_bfloat16_as_its_numbers_are():
    grad = 1e-4 * torch.randn(1000, generator=torch.Generator().manual_seed(0)).bfloat16()

    def moved(dtype):
        param = parameters([torch.zeros(1000)], dtype)[0]
        param.grad = grad.to(dtype)
        Padam([param], lr=1.0, partial=0.45).step()
        return param.detach().double()

    assert (moved(torch.bfloat16) / moved(torch.float64) - 1).abs().max() <= 0.05


@pytest.mark.parametrize("lr", [0.1, 0.5])
def test_adaiv2_without_dampening_left_is_adaiw(lr):
    assert largest_difference(drawn(AdaiV2, lr=lr), drawn(AdaiW, lr=lr)) == 0


def test_adabounds_bounds_follow_the_schedule():
    values, gradients = arrays(29, steps=20)
    params, entry = parameters(values), CATALOGUE["adabound"]
    optimizer = AdaBound(params, lr=0.1, **entry.inputs[1])
    expected = [reference.Parameter(value, lr=0.1, **entry.inputs[1]) for value in values]
    for t, step_gradients in enumerate(gradients, start=1):
        optimizer.param_groups[0]["lr"] = lr = 0.1 if t <= 10 else 0.01
        for p in expected:
            p.lr = lr
        train(optimizer, params, [step_gradients])
        reference.step(entry.rule, expected, step_gradients)
    assert largest_difference(params, [p.theta for p in expected]) <= 1e-12
