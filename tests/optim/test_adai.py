"""What users rely on in Adai and AdaiW: inertia, the mean over all parameters, and gradients of any size or kind.

That they are the paper's algorithms is in test_reference.py.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adai import Adai, AdaiS, AdaiW
from adai.optim import CATALOGUE, reference
from tests.optim.problems import (
    SMALL,
    arrays,
    assert_close,
    feed,
    follow,
    largest_difference,
    parameters,
    run,
    start,
    train,
)

BOTH = pytest.mark.parametrize("optimizer", [Adai, AdaiW])
fuzz = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**32 - 1)
DEFAULTS = {"lr": 1.0, "betas": (0.1, 0.99), "eps": 1e-3}


def expected(values, gradients, name="adai", **options):
    return [p.theta for p in follow(CATALOGUE[name], values, gradients, [DEFAULTS | options] * 2)]


def test_defaults_are_the_papers():
    params = [torch.nn.Parameter(torch.zeros(1))]
    (group,) = Adai(params).param_groups
    assert {name: group[name] for name in DEFAULTS} == DEFAULTS
    assert (group["weight_decay"], group["maximize"]) == (0.0, False)
    (decoupled,) = AdaiW(params).param_groups
    assert (decoupled["lr"], decoupled["weight_decay"]) == (0.1, 0.005)  # Appendix D.1, CIFAR
    assert decoupled["betas"] == (0.1, 0.99)


def test_two_names_for_one_algorithm():
    assert AdaiS is AdaiW


@fuzz
@given(seed=seeds, scale=st.floats(1e-6, 1e6))
def test_scaling_gradients_and_dividing_lr_changes_nothing(seed, scale):
    values, gradients = arrays(seed, steps=10)
    scaled = [[scale * g for g in step_gradients] for step_gradients in gradients]
    one = run(Adai, values, gradients, lr=1.0)
    other = run(Adai, values, scaled, lr=1.0 / scale)
    assert largest_difference(one, other) <= 1e-11 * max(g.abs().max() for s in gradients for g in s)


@fuzz
@given(seed=seeds, order=st.permutations(range(len(SMALL))), split=st.integers(0, len(SMALL)))
def test_order_and_grouping_of_parameters_do_not_matter(seed, order, split):
    values, gradients = arrays(seed, steps=10, missing=0.2)
    one, other = parameters(values), parameters(values)
    train(Adai(one), one, gradients)
    shuffled = [other[i] for i in order]
    train(Adai([{"params": shuffled[:split]}, {"params": shuffled[split:]}]), other, gradients)
    assert largest_difference(one, other) <= 1e-11 * (1 + max(p.detach().abs().max() for p in one))


@fuzz
@given(seed=seeds, eps=st.floats(1e-3, 1.0))
def test_without_beta0_it_is_momentum_with_bias_correction(seed, eps):
    values, gradients = arrays(seed, steps=10, shapes=[(5,)])
    m, theta, beta1 = 0.0, values[0], 1 - eps
    for t, (gradient,) in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * gradient
        theta = theta - m / (1 - beta1**t)
    params = run(Adai, values, gradients, betas=(0.0, 0.99), eps=eps)
    assert largest_difference(params, [theta]) <= 1e-10 * (1 + theta.abs().max())


# Inertia


@BOTH
def test_inertia_is_the_papers_beta1(optimizer):
    values, gradients = arrays(0, steps=50)
    params = parameters(values)
    ours = optimizer(params, lr=0.5, weight_decay=0.01)
    train(ours, params, gradients)
    entry = CATALOGUE[optimizer.__name__.lower()]
    paper = follow(entry, values, gradients, [DEFAULTS | {"lr": 0.5, "weight_decay": 0.01}] * 2)
    beta1s = {id(param): beta1 for param, beta1 in ours.inertia()}
    assert largest_difference([beta1s[id(p)] for p in params], [p.beta1 for p in paper]) <= 1e-12


@pytest.mark.parametrize("beta0", [0.0, 0.1, 0.6, 1.0, 3.0])
def test_a_single_element_has_inertia_one_minus_beta0_clamped(beta0):
    values, gradients = arrays(1, steps=5, shapes=[(1,)])
    params = parameters(values)
    optimizer = Adai(params, betas=(beta0, 0.99), eps=1e-3)
    train(optimizer, params, gradients)
    ((_, beta1),) = optimizer.inertia()
    assert beta1.item() == pytest.approx(min(max(1 - beta0, 0), 1 - 1e-3), rel=1e-12)


def test_inertia_is_low_where_gradients_are_large():
    params = parameters([np.zeros(3)])
    optimizer = Adai(params)
    assert list(optimizer.inertia()) == []  # nothing seen yet
    train(optimizer, params, [[np.array([0.0, 1.0, 2.0])]])
    ((param, beta1),) = optimizer.inertia()
    assert param is params[0]
    # v_hat is (0, 1, 4), its mean 5/3
    np.testing.assert_allclose(beta1, [0.999, 1 - 0.1 * 3 / 5, 1 - 0.4 * 3 / 5], rtol=1e-14)


@pytest.mark.parametrize("conjugated", [False, True])
@BOTH
def test_complex_parameters_are_pairs_of_real_ones(optimizer, conjugated):
    rng = np.random.default_rng(6)
    real = torch.nn.Parameter(torch.tensor(rng.normal(size=(3, 2))))
    pair = torch.nn.Parameter(torch.view_as_complex(real.detach().clone()))
    other = [torch.nn.Parameter(torch.ones(4, dtype=torch.float64)) for _ in range(2)]
    optimizers = [optimizer([p, q], weight_decay=0.1) for p, q in zip((real, pair), other, strict=True)]
    for _ in range(5):
        gradient = torch.tensor(rng.normal(size=(3, 2)))
        real.grad = gradient
        pair.grad = torch.view_as_complex(gradient)
        if conjugated:  # autograd hands out such lazily conjugated gradients
            pair.grad = pair.grad.conj().resolve_conj().conj()
        for q, one in zip(other, optimizers, strict=True):
            q.grad = torch.full((4,), 0.3, dtype=torch.float64)
            one.step()
    assert torch.equal(torch.view_as_real(pair), real)
    assert torch.equal(*other)  # the complex parameter weighed twice in the mean
    ((_, beta1_real), _), ((_, beta1_pair), _) = (list(one.inertia()) for one in optimizers)
    assert torch.equal(beta1_real, beta1_pair)


# Gradients that are zero or missing


def test_all_zero_gradients_move_nothing_and_leave_a_sound_state():
    values, gradients = arrays(4, steps=10)
    zeros = [[torch.zeros(shape, dtype=torch.float64) for shape in SMALL]] * 3
    params = parameters(values)
    optimizer = Adai(params)
    train(optimizer, params, zeros)
    assert largest_difference(params, values) == 0
    assert all(torch.all(beta1 == 1 - 1e-3) for _, beta1 in optimizer.inertia())
    train(optimizer, params, gradients)
    assert largest_difference(params, expected(values, [*zeros, *gradients])) <= 1e-12


def test_all_zero_gradients_leave_decoupled_weight_decay_alone_at_work():
    values, _ = arrays(4, steps=0)
    zeros = [[np.zeros(shape) for shape in SMALL]] * 3
    params = run(AdaiW, values, zeros, lr=0.1, weight_decay=0.5)
    assert largest_difference(params, [0.95**3 * value for value in values]) <= 1e-15


@pytest.mark.parametrize("beta0", [0.0, 3.0])
def test_zero_gradients_stay_finite_at_any_beta0(beta0):
    params = run(Adai, [np.ones(3)], [[np.zeros(3)], [np.ones(3)]], betas=(beta0, 0.0), eps=1e-12)
    assert torch.isfinite(params[0]).all()


@BOTH
def test_a_parameter_without_gradient_is_left_alone(optimizer):
    values, gradients = arrays(5, steps=5, shapes=[(3,), (3,)])
    alone = run(optimizer, values[:1], [g[:1] for g in gradients])
    both = run(optimizer, values, [[g[0], None] for g in gradients])
    assert largest_difference(both, [alone[0], values[1]]) == 0


def test_a_group_added_later_joins_the_mean_with_its_own_options():
    values, gradients = arrays(11, steps=20, shapes=[(3,), (4,)])
    for step_gradients in gradients[:10]:
        step_gradients[1] = None
    params = parameters(values)
    optimizer = Adai(params[:1], lr=0.1)
    train(optimizer, params, gradients[:10])
    optimizer.add_param_group({"params": params[1:], "lr": 0.01, "betas": (0.5, 0.9)})
    train(optimizer, params, gradients[10:])
    own = [{"betas": (0.1, 0.99), "eps": 1e-3}, {"betas": (0.5, 0.9), "eps": 1e-3}]
    paper = [reference.Parameter(value, lr, **one) for value, lr, one in zip(values, (0.1, 0.01), own, strict=True)]
    for step_gradients in gradients:
        reference.step(reference.adai, paper, step_gradients)
    assert largest_difference(params, [p.theta for p in paper]) <= 1e-12


# Precision


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_low_precision_stays_finite_and_descends(dtype):
    param = torch.nn.Parameter(torch.tensor([1.0, -2.0, 0.0], dtype=dtype))
    scalar = torch.nn.Parameter(torch.tensor(1.0, dtype=dtype))
    optimizer = Adai([param, scalar], lr=0.1)
    for _ in range(50):
        param.grad, scalar.grad = param.detach().clone(), scalar.detach().clone()
        optimizer.step()
    assert param.abs().max() < 0.5 and scalar.abs() < 0.5


def test_the_mean_does_not_overflow_in_half_precision():
    param = torch.nn.Parameter(torch.zeros(70_000, dtype=torch.float16))  # their v sums to more than float16 holds
    param.grad = torch.full_like(param, 16)
    optimizer = Adai([param])
    optimizer.step()
    ((_, beta1),) = optimizer.inertia()
    assert beta1.sub(0.9).abs().max() < 1e-2


def test_parameters_of_several_precisions_share_one_mean():
    values = [np.array(1.0), np.array([1.0, 2.0])]
    mixed = [torch.nn.Parameter(torch.tensor(1.0)), *parameters(values[1:])]
    uniform = parameters(values)
    for params in (mixed, uniform):
        train(Adai(params), params, [[np.array(0.5), np.array([1.0, 0.25])]] * 5)
    assert largest_difference(mixed, uniform) <= 1e-6


def test_the_mean_is_as_precise_as_the_most_precise_parameters():
    values = [np.array(1.0), np.array([1.0, 2.0])]
    mixed = [torch.nn.Parameter(torch.tensor(1.0)), *parameters(values[1:])]
    uniform = parameters(values)
    for params in (mixed, uniform):
        gradients = [[np.array(0.0), np.array([0.7 * step, 0.3])] for step in range(5)]  # the float32 one adds no error
        train(Adai(params), params, gradients)
    assert largest_difference(mixed[1:], uniform[1:]) <= 1e-14


@pytest.mark.parametrize("foreach", [None, True])
def test_the_mean_is_right_for_large_tensors_in_float32(foreach):
    param = torch.nn.Parameter(torch.zeros(6_000_000))
    param.grad = torch.randn(6_000_000, generator=torch.Generator().manual_seed(0))
    param.grad[0] = 1.0
    optimizer = Adai([param], foreach=foreach)
    optimizer.step()
    # After a step in which m is (1 - beta1) g and c is 1 - beta1, m tells beta1, and beta1 tells the mean.
    one_minus_beta1 = optimizer.state[param]["exp_avg"][0].double()
    assert (0.1 / one_minus_beta1).item() == pytest.approx((param.grad.double() ** 2).mean().item(), rel=1e-5)


@pytest.mark.parametrize("scale", [1e-25, 1e-12, 1e15])
def test_tiny_and_huge_gradients_are_only_a_matter_of_scale(scale):
    def moved_by(scale):
        params = start(torch.float32)
        before = [param.detach().clone() for param in params]
        optimizer = Adai(params, lr=1 / scale if scale != 1e-25 else 1e20)
        for step in range(3):
            feed(params, step, scale)
            optimizer.step()
        return [param.detach() - old for param, old in zip(params, before, strict=True)]

    moved = moved_by(scale)
    assert all(torch.isfinite(one).all() for one in moved)
    if scale != 1e-25:  # its squares are 0 in float32
        assert_close(moved, moved_by(1.0), 1e-5)


@pytest.mark.parametrize("bad", [float("inf"), float("nan"), 1e25])
def test_an_overflow_is_seen_at_once(bad):
    params = start(torch.float32)
    feed(params, 1)
    params[3].grad[0, 0] = bad
    optimizer = Adai(params)
    optimizer.step()
    assert all(param.isnan().all() for param in params)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_steady_gradients_move_a_parameter_alike_before_and_after_corrections_are_spent(dtype):
    loud, quiet = (torch.nn.Parameter(torch.zeros(1, dtype=dtype)) for _ in range(2))
    optimizer = Adai([loud, quiet], lr=1.0, eps=0.01)  # 0.99^1724 < 2^-25: spent at step 2000
    loud.grad, quiet.grad = (torch.full((1,), g, dtype=dtype) for g in (1.0, 2.0**-7))
    for step in range(2002):
        with torch.no_grad():
            quiet.zero_()
        optimizer.step()
        if step > 1000:
            assert quiet.item() == pytest.approx(-(2.0**-7), rel=0.02), step


def test_learns_a_regression():
    torch.manual_seed(0)
    x = torch.randn(64, 3)
    y = x @ torch.tensor([[1.0], [-2.0], [0.5]]) + 0.3
    model = torch.nn.Linear(3, 1)
    optimizer = Adai(model.parameters(), lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
    assert loss.item() < 1e-6
