"""The ten optimizers of Table 1 and AdaiV2: each is the algorithm of the work that introduced it.

Where torch, pytorch_optimizer or the printed algorithm does something else, a test says what.
"""

import copy

import numpy as np
import pytest
import pytorch_optimizer
import torch

from adai.optim import OPTIMIZERS, AdaBound, AdaiV2, AdaiW, Padam, Yogi, create, settings

from . import reference
from .reference import Parameter, adai_step
from .test_adai import arrays, largest_difference, parameters, through_a_file, train

OURS = pytest.mark.parametrize("optimizer", [AdaBound, AdaiV2, Padam, Yogi])
LATE = 10
"""The last parameter has its first gradient after this many steps."""


def arrays_with_gaps(missing):
    start, gradients = arrays(20, steps=50, missing=missing)
    for step_gradients in gradients[:LATE]:
        step_gradients[-1] = None
    return start, gradients


def follow(rule, start, gradients, groups, **fixed):
    """Each parameter after the last step; the first three are in the first group."""
    return [
        list(reference.trajectory(rule, value, [g[i] for g in gradients], **fixed, **groups[int(i >= 3)]))[-1]
        for i, value in enumerate(start)
    ]


def difference(optimizer, rule, groups, missing=0.0, fixed=None, reference_groups=None):
    """The largest difference to the reference after 50 steps, over two groups and five shapes."""
    start, gradients = arrays_with_gaps(missing)
    params = parameters(start)
    train(optimizer([{"params": params[:3], **groups[0]}, {"params": params[3:], **groups[1]}]), params, gradients)
    return largest_difference(params, follow(rule, start, gradients, reference_groups or groups, **(fixed or {})))


BETAS = [{"betas": (0.9, 0.999)}, {"betas": (0.5, 0.9)}]
RATES = [{"lr": 0.01, "weight_decay": 0.1}, {"lr": 0.1, "weight_decay": 0.0}]


def groups_of(*columns):
    return [{key: value for column in columns for key, value in column[i].items()} for i in range(2)]


EPS = [{"eps": 1e-8}, {"eps": 0.01}]
CASES = {
    "sgd": (reference.sgd, groups_of(RATES, [{"momentum": 0.9}, {"momentum": 0.5}]), {}),
    "adam": (reference.adam, groups_of(RATES, BETAS, EPS), {}),
    "amsgrad": (reference.amsgrad_corrected, groups_of(RATES, BETAS, EPS), {}),
    "adamw": (reference.adam, groups_of(RATES, BETAS, EPS), {"decoupled": True}),
    "adabound": (
        reference.adabound,
        groups_of(RATES, BETAS, EPS, [{"final_lr": 0.1, "gamma": 1e-3}, {"final_lr": 0.05, "gamma": 0.3}]),
        {},
    ),
    "padam": (reference.padam, groups_of(RATES, BETAS, EPS, [{"partial": 0.125}, {"partial": 0.4}]), {}),
    "yogi": (
        reference.yogi,
        groups_of(RATES, BETAS, EPS, [{"initial_accumulator": 1e-6}, {"initial_accumulator": 1.0}]),
        {},
    ),
}


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("name", CASES)
def test_equals_its_original_over_groups_shapes_and_missing_gradients(name, missing):
    rule, groups, fixed = CASES[name]
    assert difference(OPTIMIZERS[name], rule, groups, missing, fixed) <= 1e-12


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("dampening", [0.0, 0.5, 1.0])
def test_adaiv2_equals_its_authors_formulas(dampening, missing):
    first = {"lr": 0.5, "beta0": 0.1, "beta2": 0.99, "eps": 1e-3, "weight_decay": 0.01, "dampening": dampening}
    second = {"lr": 0.1, "beta0": 0.7, "beta2": 0.9, "eps": 0.05, "weight_decay": 0.0, "dampening": 1 - dampening}
    start, gradients = arrays_with_gaps(missing)

    def group(params, options):
        options = dict(options)
        return {"params": params, "betas": (options.pop("beta0"), options.pop("beta2")), **options}

    params = parameters(start)
    train(AdaiV2([group(params[:3], first), group(params[3:], second)]), params, gradients)
    expected = [Parameter(value, **(first if i < 3 else second)) for i, value in enumerate(start)]
    for step_gradients in gradients:
        adai_step(expected, step_gradients, decoupled=True)
    assert largest_difference(params, [p.theta for p in expected]) <= 1e-12


# torch's own: where they differ from what was printed


def test_torchs_amsgrad_corrects_the_bias_and_the_printed_one_does_not():
    assert difference(OPTIMIZERS["amsgrad"], reference.amsgrad, groups_of(RATES, BETAS), missing=0.3) > 0.01


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_torchs_radam_rectifies_above_5_where_liu_et_al_print_4_and_adds_epsilon(missing):
    # The threshold is that of the authors' code, https://github.com/LiyuanLucasLiu/RAdam (N_sma >= 5).
    groups = groups_of(RATES, BETAS)
    with_eps = groups_of(groups, [{"eps": 1e-300}] * 2)
    radam = OPTIMIZERS["radam"]
    assert difference(radam, reference.radam, with_eps, missing, {"threshold": 5}, groups) <= 1e-12
    assert difference(radam, reference.radam, with_eps, missing, {"threshold": 4}, groups) > 1e-3


def test_torchs_adamw_scales_the_decay_by_lr_where_loshchilov_and_hutter_do_not():
    # Their Algorithm 2 scales it by the schedule's factor alone: theirs is lr * weight_decay.
    start, gradients = arrays(21, steps=20)
    params = parameters(start)
    train(create("adamw", params, task="cifar"), params, gradients)
    schedule_factor, theirs = 1.0, 1e-3 * 0.5
    for i, theta in enumerate(start):
        for t in range(1, 21):
            step = reference.adam([g[i] for g in gradients[:t]], 1e-3, (0.9, 0.999), 1e-8)
            theta = theta - schedule_factor * (step + theirs * theta)
        assert largest_difference([params[i]], [theta]) <= 1e-12


# Ours against torch, where a setting makes them the same


def run(optimizer, seed=22, steps=50, gradients=None, scale=1.0, **options):
    start, drawn = arrays(seed, steps=steps)
    params = parameters(start)
    gradients = gradients or [[scale * g for g in step_gradients] for step_gradients in drawn]
    train(optimizer(params, **options), params, gradients)
    return params


NO_EPS = 1e-300
"""So small that it does not matter whether it joins the root of the corrected or of the uncorrected moment."""


def test_adabound_with_bounds_wide_open_is_torchs_adam():
    options = {"lr": 0.1, "weight_decay": 0.01, "eps": NO_EPS}
    ours, theirs = run(AdaBound, gamma=1e-300, **options), run(torch.optim.Adam, **options)
    assert largest_difference(ours, theirs) <= 1e-12


def test_padam_with_the_full_power_is_torchs_amsgrad():
    options = {"lr": 0.1, "weight_decay": 0.01, "eps": NO_EPS}
    ours, theirs = run(Padam, partial=0.5, **options), run(torch.optim.Adam, amsgrad=True, **options)
    assert largest_difference(ours, theirs) <= 1e-12


def test_padam_with_no_power_is_momentum():
    start, gradients = arrays(22, steps=50)
    momentum = [
        value
        - sum(
            reference.adam_rate(0.1, t, (0.9, 0.999)) * reference.mean([g[i] for g in gradients[:t]], 0.9)
            for t in range(1, 51)
        )
        for i, value in enumerate(start)
    ]
    assert largest_difference(run(Padam, lr=0.1, partial=0.0), momentum) <= 1e-12


@pytest.mark.parametrize("lr", [0.1, 0.5])
def test_adaiv2_without_dampening_left_is_adaiw(lr):
    assert largest_difference(run(AdaiV2, lr=lr), run(AdaiW, lr=lr)) == 0


# Ours against pytorch_optimizer


def test_pytorch_optimizers_adabound_adds_a_floor_under_the_root():
    options = {"lr": 0.1, "weight_decay": 0.01, "gamma": 0.01}
    theirs = {"weight_decouple": False, "foreach": False}
    close = largest_difference(run(AdaBound, **options), run(pytorch_optimizer.AdaBound, **options, **theirs))
    assert close <= 1e-9  # squared gradients are far above its 1e-15
    options = {"lr": 0.1, "final_lr": 1e9}
    apart = largest_difference(
        run(AdaBound, scale=1e-7, **options), run(pytorch_optimizer.AdaBound, scale=1e-7, **options, **theirs)
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
    start, gradients = arrays(23, steps=30)
    growing = [[np.full_like(g, 1.1**t) for g in step] for t, step in enumerate(gradients)]
    falling = growing[::-1]
    options = {"lr": 0.1, "partial": 0.125, "weight_decay": 0.0}
    for case, within in ((growing, True), (falling, False)):
        one, other = parameters(start), parameters(start)
        train(Padam(one, **options), one, case)
        train(pytorch_optimizer.PAdam(other, foreach=False, **options), other, case)
        assert (largest_difference(one, other) <= 1e-12) == within


def test_pytorch_optimizers_yogi_starts_the_momentum_at_v0():
    # TensorFlow Addons starts it at 0, as Adam does.
    start, gradients = arrays(24, steps=50)
    options = {"lr": 0.01, "betas": (0.9, 0.999), "eps": NO_EPS, "initial_accumulator": 0.1}

    def theirs(first_moment):
        params = parameters(start)
        optimizer = pytorch_optimizer.Yogi(params, foreach=False, **options)
        for param, gradient in zip(params, gradients[0], strict=True):
            param.grad = torch.tensor(gradient)
        optimizer.init_group(optimizer.param_groups[0])
        for param in params:
            optimizer.state[param]["exp_avg"].fill_(first_moment)
        train(optimizer, params, gradients)
        return params

    ours = parameters(start)
    train(Yogi(ours, **options), ours, gradients)
    assert largest_difference(ours, theirs(0.0)) <= 1e-12
    assert largest_difference(ours, theirs(0.1)) > 1e-3


def test_pytorch_optimizers_yogi_adds_epsilon_after_the_bias_correction():
    # Algorithm 2 adds it to the root of v itself, and so does TensorFlow Addons.
    options = {"lr": 0.01, "eps": 1e-3, "initial_accumulator": 0.0}
    theirs = run(pytorch_optimizer.Yogi, foreach=False, **options)
    assert largest_difference(run(Yogi, **options), theirs) > 1e-4
    options["eps"] = NO_EPS
    theirs = run(pytorch_optimizer.Yogi, foreach=False, **options)
    assert largest_difference(run(Yogi, **options), theirs) <= 1e-12


@pytest.mark.parametrize("dampening", [0.0, 0.5, 1.0])
def test_adaiv2_equals_pytorch_optimizers_adai_with_dampening(dampening):
    options = {"lr": 0.1, "weight_decay": 0.01, "dampening": dampening}
    theirs = run(pytorch_optimizer.Adai, weight_decouple=True, **options)
    assert largest_difference(run(AdaiV2, **options), theirs) <= 1e-11


# What users of torch.optim expect of each of ours


@OURS
def test_gradients_are_never_modified_and_maximize_climbs(optimizer):
    start, gradients = arrays(25, steps=10)
    flipped = [[-g for g in step_gradients] for step_gradients in gradients]
    one, other = parameters(start), parameters(start)
    train(optimizer(one, weight_decay=0.1, maximize=True), one, gradients)
    assert all(np.array_equal(p.grad, g) for p, g in zip(one, gradients[-1], strict=True))
    train(optimizer(other, weight_decay=0.1), other, flipped)
    assert largest_difference(one, other) == 0


@OURS
@pytest.mark.parametrize("carry", [copy.deepcopy, through_a_file], ids=["in memory", "through a file"])
def test_a_saved_state_continues_bit_for_bit(optimizer, carry):
    start, gradients = arrays(26, steps=20, missing=0.2)
    params = parameters(start, torch.float32)
    ours = optimizer(params, weight_decay=0.01)
    train(ours, params, gradients[:10])
    resumed_params = [torch.nn.Parameter(p.detach().clone()) for p in params]
    resumed = optimizer(resumed_params, lr=123.0)
    resumed.load_state_dict(carry(ours.state_dict()))
    train(ours, params, gradients[10:])
    train(resumed, resumed_params, gradients[10:])
    assert all(torch.equal(a, b) for a, b in zip(params, resumed_params, strict=True))


@OURS
def test_complex_parameters_are_pairs_of_real_ones(optimizer):
    rng = np.random.default_rng(27)
    real = torch.nn.Parameter(torch.tensor(rng.normal(size=(3, 2))))
    pair = torch.nn.Parameter(torch.view_as_complex(real.detach().clone()))
    optimizers = [optimizer([p], weight_decay=0.1) for p in (real, pair)]
    for _ in range(5):
        gradient = torch.tensor(rng.normal(size=(3, 2)))
        real.grad, pair.grad = gradient, torch.view_as_complex(gradient)
        for one in optimizers:
            one.step()
    assert torch.equal(torch.view_as_real(pair), real)


@OURS
def test_zero_gradients_move_nothing_and_stay_finite(optimizer):
    params = parameters([np.ones(3)], torch.bfloat16)
    train(optimizer(params, weight_decay=0.0), params, [[np.zeros(3)]] * 3)
    assert torch.equal(params[0], torch.ones(3, dtype=torch.bfloat16))
    train(optimizer(params, weight_decay=0.0), params, [[np.array([0.0, 1.0, 1e3])]] * 3)
    assert torch.isfinite(params[0]).all()


@OURS
def test_sparse_gradients_are_refused_by_name(optimizer):
    table = torch.nn.Embedding(4, 3, sparse=True)
    table(torch.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match=rf"^{optimizer.__name__} needs dense gradients.*\(4, 3\)"):
        optimizer([table.weight]).step()


@OURS
def test_lr_schedules_drive_the_step(optimizer):
    start, gradients = arrays(28, steps=10)
    scheduled, constant = parameters(start), parameters(start)
    one, other = optimizer(scheduled, lr=0.1), optimizer(constant, lr=0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(one, lambda t: 0.0 if t >= 5 else 1.0)
    for step_gradients in gradients:
        train(one, scheduled, [step_gradients])
        schedule.step()
    train(other, constant, gradients[:5])
    assert largest_difference(scheduled, constant) == 0


def test_adabounds_bounds_follow_the_schedule():
    start, gradients = arrays(29, steps=20)
    params = parameters(start)
    options = {"betas": (0.9, 0.999), "gamma": 0.3, "eps": 1e-8}
    optimizer = AdaBound(params, lr=0.1, final_lr=0.05, **options)
    expected = list(start)
    for t, step_gradients in enumerate(gradients, start=1):
        factor = 0.1 if t > 10 else 1.0
        optimizer.param_groups[0]["lr"] = 0.1 * factor
        train(optimizer, params, [step_gradients])
        for i, theta in enumerate(expected):
            seen = [g[i] for g in gradients[:t]]
            expected[i] = theta - reference.adabound(seen, 0.1 * factor, final_lr=0.05 * factor, **options)
    assert largest_difference(params, expected) <= 1e-12


@pytest.mark.parametrize(
    ("optimizer", "options", "message"),
    [
        (AdaBound, {"lr": 0.0}, r"lr is 0\.0, but must satisfy 0 < lr < inf"),
        (AdaBound, {"final_lr": 0.0}, "final_lr is 0.0, but must satisfy 0 < final_lr < inf"),
        (AdaBound, {"gamma": 1.0}, "gamma is 1.0, but must satisfy 0 < gamma < 1"),
        (AdaBound, {"betas": (1.0, 0.9)}, r"beta1 \(betas\[0\]\) is 1.0, but must satisfy 0 <= beta1 < 1"),
        (AdaiV2, {"dampening": 1.5}, "dampening is 1.5, but must satisfy 0 <= dampening <= 1"),
        (Padam, {"partial": 0.6}, r"partial is 0\.6, but must satisfy 0 <= partial <= 0\.5"),
        (Padam, {"eps": 0.0}, r"eps is 0\.0, but must satisfy 0 < eps < inf"),
        (Padam, {"betas": (0.9,)}, r"pair \(beta1, beta2\)"),
        (Yogi, {"initial_accumulator": -1.0}, "initial_accumulator is -1.0, but must satisfy 0 <= initial_accumulator"),
        (Yogi, {"weight_decay": -1.0}, "weight_decay is -1.0"),
    ],
)
def test_bad_hyperparameters_are_named_with_value_and_range(optimizer, options, message):
    with pytest.raises(ValueError, match=message):
        optimizer([torch.nn.Parameter(torch.ones(1))], **options)


# By name, with the paper's settings


def test_table_1_comes_first_and_in_its_order():
    assert list(OPTIMIZERS) == [
        *("adaiw", "adai", "sgd", "adam", "amsgrad", "adamw", "adabound", "padam", "yogi", "radam"),
        *("adais", "adaiv2"),
    ]


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "adaiv2"])
def test_create_gives_the_papers_settings_and_says_whose_the_others_are(name):
    chosen = settings(name, "cifar")
    (group,) = create(name, [torch.nn.Parameter(torch.ones(1))], task="cifar").param_groups
    assert {key: group[key] for key in chosen} == {key: setting.value for key, setting in chosen.items()}
    assert chosen["lr"].source == chosen["weight_decay"].source == "Appendix D.1"
    decoupled = name in ("adaiw", "adais", "adamw")
    if decoupled:
        assert group["lr"] * group["weight_decay"] == pytest.approx(5e-4)
    else:
        assert group["weight_decay"] == 5e-4


@pytest.mark.parametrize(
    ("name", "task", "values"),
    [
        ("adai", "imagenet", {"lr": 1.0, "weight_decay": 1e-4, "betas": (0.1, 0.99), "eps": 1e-3}),
        ("sgd", "imagenet", {"lr": 0.1, "weight_decay": 1e-4, "momentum": 0.9}),
        ("adam", "imagenet", {"lr": 1e-4, "weight_decay": 1e-4, "betas": (0.9, 0.999)}),
        ("sgd", "ptb", {"lr": 1e-3, "weight_decay": 5e-5, "momentum": 0.9}),
        ("padam", "cifar", {"lr": 0.01, "partial": 0.125}),
        ("yogi", "cifar", {"lr": 1e-3, "eps": 1e-3}),
    ],
)
def test_settings_are_those_of_appendix_d(name, task, values):
    assert values.items() <= {key: setting.value for key, setting in settings(name, task).items()}.items()


def test_create_takes_what_shall_be_different_and_groups():
    params = [torch.nn.Parameter(torch.ones(1)) for _ in range(2)]
    optimizer = create("sgd", [{"params": params[:1]}, {"params": params[1:], "lr": 7.0}], task="cifar", momentum=0.5)
    assert [(g["lr"], g["momentum"], g["weight_decay"]) for g in optimizer.param_groups] == [
        (0.1, 0.5, 5e-4),
        (7.0, 0.5, 5e-4),
    ]


def test_create_without_a_task_gives_the_optimizers_own_defaults():
    (group,) = create("adaiv2", [torch.nn.Parameter(torch.ones(1))], dampening=0.5).param_groups
    assert (group["dampening"], group["lr"]) == (0.5, 0.1)


@pytest.mark.parametrize(
    ("name", "task", "message"),
    [
        ("adma", "cifar", "no optimizer is called 'adma'; there are adaiw, adai, sgd"),
        ("adma", None, "no optimizer is called 'adma'"),
        ("adam", "mnist", "no task is called 'mnist'; there are cifar, imagenet, ptb"),
        ("yogi", "imagenet", "no settings of 'yogi' for 'imagenet', only of adai, sgd, adam"),
        ("adaiv2", "cifar", "no settings of 'adaiv2' for 'cifar'"),
    ],
)
def test_what_the_paper_does_not_say_is_an_error(name, task, message):
    with pytest.raises(ValueError, match=message):
        create(name, [torch.nn.Parameter(torch.ones(1))], task=task)
