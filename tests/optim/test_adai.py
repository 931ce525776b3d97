"""What users rely on in Adai and AdaiW: the paper's numbers, and the habits of torch.optim."""

import copy
import importlib.metadata
import io
import pickle
import warnings

import numpy as np
import pytest
import pytorch_optimizer
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import adai
from adai import Adai, AdaiS, AdaiW

from .reference import Parameter, adai_step

BOTH = pytest.mark.parametrize("optimizer", [Adai, AdaiW])
SHAPES = [(), (1,), (7,), (3, 4), (2, 3, 2, 2)]
fuzz = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def arrays(seed, steps, shapes=SHAPES, missing=0.0):
    """Starting values and, for every step, gradients of very different sizes, some of them missing."""
    rng = np.random.default_rng(seed)
    scales = [10.0 ** rng.uniform(-2, 1) for _ in shapes]
    start = [rng.normal(size=shape) for shape in shapes]
    gradients = [
        [
            None if rng.uniform() < missing else scale * rng.normal(size=shape)
            for shape, scale in zip(shapes, scales, strict=True)
        ]
        for _ in range(steps)
    ]
    return start, gradients


def parameters(start, dtype=torch.float64):
    return [torch.nn.Parameter(torch.tensor(value, dtype=dtype)) for value in start]


def feed(params, gradients):
    for param, gradient in zip(params, gradients, strict=True):
        param.grad = None if gradient is None else torch.tensor(gradient, dtype=param.dtype)


def train(optimizer, params, gradients):
    for step_gradients in gradients:
        feed(params, step_gradients)
        optimizer.step()


def trained(start, gradients, optimizer=Adai, **options):
    params = parameters(start)
    train(optimizer(params, **options), params, gradients)
    return params


def largest_difference(params, others):
    return max(
        np.abs(np.asarray(torch.as_tensor(a).detach()) - np.asarray(torch.as_tensor(b).detach())).max()
        for a, b in zip(params, others, strict=True)
    )


# The paper's numbers


@BOTH
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_equals_the_paper_over_groups_shapes_and_missing_gradients(optimizer, missing):
    first = {"lr": 0.5, "beta0": 0.1, "beta2": 0.99, "eps": 1e-3, "weight_decay": 0.01}
    second = {"lr": 0.1, "beta0": 0.7, "beta2": 0.9, "eps": 0.05, "weight_decay": 0.0}
    start, gradients = arrays(0, steps=50, missing=missing)
    for step_gradients in gradients[:10]:
        step_gradients[-1] = None  # its first gradient comes late

    def group(params, options):
        options = dict(options)
        return {"params": params, "betas": (options.pop("beta0"), options.pop("beta2")), **options}

    params = parameters(start)
    ours = optimizer([group(params[:3], first), group(params[3:], second)])
    reference = [Parameter(value, **(first if i < 3 else second)) for i, value in enumerate(start)]
    for step_gradients in gradients:
        feed(params, step_gradients)
        ours.step()
        adai_step(reference, step_gradients, decoupled=optimizer is AdaiW)
        assert largest_difference(params, [p.theta for p in reference]) <= 1e-12

    beta1s = {id(param): beta1 for param, beta1 in ours.inertia()}
    if not missing:
        assert largest_difference([beta1s[id(p)] for p in params], [p.beta1s[-1] for p in reference]) <= 1e-12


def test_defaults_are_the_papers():
    params = [torch.nn.Parameter(torch.zeros(1))]
    (group,) = Adai(params).param_groups
    expected = {"lr": 1.0, "betas": (0.1, 0.99), "eps": 1e-3, "weight_decay": 0.0, "maximize": False}
    assert {name: group[name] for name in expected} == expected
    (decoupled,) = AdaiW(params).param_groups
    assert (decoupled["lr"], decoupled["weight_decay"]) == (0.1, 0.005)  # Appendix D.1, CIFAR
    assert decoupled["betas"] == (0.1, 0.99)


def test_two_names_for_one_algorithm():
    assert AdaiS is AdaiW


@fuzz
@given(seed=seeds, scale=st.floats(1e-6, 1e6))
def test_scaling_gradients_and_dividing_lr_changes_nothing(seed, scale):
    start, gradients = arrays(seed, steps=10)
    scaled = [[scale * g for g in step_gradients] for step_gradients in gradients]
    one = trained(start, gradients, lr=1.0)
    other = trained(start, scaled, lr=1.0 / scale)
    assert largest_difference(one, other) <= 1e-11 * max(np.abs(g).max() for s in gradients for g in s)


@fuzz
@given(seed=seeds, order=st.permutations(range(len(SHAPES))), split=st.integers(0, len(SHAPES)))
def test_order_and_grouping_of_parameters_do_not_matter(seed, order, split):
    start, gradients = arrays(seed, steps=10, missing=0.2)
    one, other = parameters(start), parameters(start)
    train(Adai(one), one, gradients)
    shuffled = [other[i] for i in order]
    train(Adai([{"params": shuffled[:split]}, {"params": shuffled[split:]}]), other, gradients)
    assert largest_difference(one, other) <= 1e-11 * (1 + max(p.detach().abs().max() for p in one))


@fuzz
@given(seed=seeds, eps=st.floats(1e-3, 1.0))
def test_without_beta0_it_is_momentum_with_bias_correction(seed, eps):
    start, gradients = arrays(seed, steps=10, shapes=[(5,)])
    m, theta, beta1 = np.zeros(5), start[0], 1 - eps
    for t, (gradient,) in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * gradient
        theta = theta - m / (1 - beta1**t)
    params = trained(start, gradients, betas=(0.0, 0.99), eps=eps)
    assert largest_difference(params, [theta]) <= 1e-10 * (1 + np.abs(theta).max())


@pytest.mark.parametrize("beta0", [0.0, 0.1, 0.6, 1.0, 3.0])
def test_a_single_element_has_inertia_one_minus_beta0_clamped(beta0):
    start, gradients = arrays(1, steps=5, shapes=[(1,)])
    params = parameters(start)
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


# Against pytorch_optimizer: equal where it follows the paper; each place where it does not has its test


def theirs(params, **options):
    return pytorch_optimizer.Adai(params, **({"lr": 1.0} | options))


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("decoupled", [False, True])
def test_equals_pytorch_optimizer_where_it_follows_the_paper(decoupled, foreach):
    start, gradients = arrays(2, steps=50)  # every parameter has every gradient, and v_bar is above 1e-3
    one, other = parameters(start), parameters(start)
    train((AdaiW if decoupled else Adai)(one, lr=0.5, weight_decay=0.01), one, gradients)
    options = {"lr": 0.5, "weight_decay": 0.01, "weight_decouple": decoupled, "foreach": foreach}
    train(theirs(other, **options), other, gradients)
    assert largest_difference(one, other) <= 1e-11


def test_pytorch_optimizer_clamps_v_bar_at_eps_which_breaks_scale_invariance():
    start, gradients = arrays(2, steps=10)
    small = [[1e-4 * g for g in step_gradients] for step_gradients in gradients]
    one, other, reference = parameters(start), parameters(start), [Parameter(value) for value in start]
    train(Adai(one), one, small)
    train(theirs(other), other, small)
    for step_gradients in small:
        adai_step(reference, step_gradients)
    assert largest_difference(one, [p.theta for p in reference]) <= 1e-12
    assert largest_difference(other, [p.theta for p in reference]) > 1e-5


def test_pytorch_optimizer_counts_steps_by_group_which_misjudges_late_gradients():
    start, gradients = arrays(2, steps=10)
    for step_gradients in gradients[:5]:
        step_gradients[0] = None
    one, other, reference = parameters(start), parameters(start), [Parameter(value) for value in start]
    train(Adai(one), one, gradients)
    train(theirs(other), other, gradients)
    for step_gradients in gradients:
        adai_step(reference, step_gradients)
    assert largest_difference(one, [p.theta for p in reference]) <= 1e-12
    assert largest_difference(other, [p.theta for p in reference]) > 1e-5


def test_pytorch_optimizer_writes_into_gradients_and_we_do_not():
    start, ((gradient,),) = arrays(3, steps=1, shapes=[(4,)])
    one, other = parameters(start), parameters(start)
    train(Adai(one, weight_decay=0.1), one, [[gradient]])
    train(theirs(other, weight_decay=0.1, foreach=False), other, [[gradient]])
    assert np.array_equal(one[0].grad, gradient)
    assert not np.array_equal(other[0].grad, gradient)


def test_pytorch_optimizer_refuses_a_step_without_gradients_and_we_do_nothing():
    start, _ = arrays(3, steps=0)
    params = parameters(start)
    with pytest.raises(pytorch_optimizer.base.exception.ZeroParameterSizeError):
        theirs(params).step()
    optimizer = Adai(params, weight_decay=0.1)
    optimizer.step()
    assert largest_difference(params, start) == 0
    assert not optimizer.state


def test_pytorch_optimizer_refuses_complex_parameters_and_we_do_not():
    params = [torch.nn.Parameter(torch.ones(2, dtype=torch.complex64))]
    params[0].grad = torch.ones_like(params[0])
    with pytest.raises(pytorch_optimizer.base.exception.NoComplexParameterError):
        theirs(params).step()
    Adai(params).step()


# Gradients that are zero, missing, sparse, complex


def test_all_zero_gradients_move_nothing_and_leave_a_sound_state():
    start, gradients = arrays(4, steps=10)
    zeros = [[np.zeros(shape) for shape in SHAPES]] * 3
    params, reference = parameters(start), [Parameter(value) for value in start]
    optimizer = Adai(params)
    train(optimizer, params, zeros)
    assert largest_difference(params, start) == 0
    assert all(torch.all(beta1 == 1 - 1e-3) for _, beta1 in optimizer.inertia())

    train(optimizer, params, gradients)
    for step_gradients in [*zeros, *gradients]:
        adai_step(reference, step_gradients)
    assert largest_difference(params, [p.theta for p in reference]) <= 1e-12


def test_all_zero_gradients_leave_decoupled_weight_decay_alone_at_work():
    start, _ = arrays(4, steps=0)
    zeros = [[np.zeros(shape) for shape in SHAPES]] * 3
    params = trained(start, zeros, optimizer=AdaiW, lr=0.1, weight_decay=0.5)
    assert largest_difference(params, [0.95**3 * value for value in start]) <= 1e-15


def test_no_beta0_and_zero_gradients_stay_finite():
    params = trained([np.ones(3)], [[np.zeros(3)], [np.ones(3)]], betas=(0.0, 0.0), eps=1e-12)
    assert torch.isfinite(params[0]).all()


@BOTH
def test_a_parameter_without_gradient_is_left_alone(optimizer):
    start, gradients = arrays(5, steps=5, shapes=[(3,), (3,)])
    alone = trained(start[:1], [g[:1] for g in gradients], optimizer=optimizer)
    both = trained(start, [[g[0], None] for g in gradients], optimizer=optimizer)
    assert largest_difference(both, [alone[0], start[1]]) == 0


def test_sparse_gradients_are_refused_before_anything_changes():
    dense, table = torch.nn.Parameter(torch.ones(2)), torch.nn.Embedding(4, 3, sparse=True)
    optimizer = Adai([dense, table.weight])
    (dense.sum() + table(torch.tensor([1])).sum()).backward()
    with pytest.raises(RuntimeError, match=r"dense gradients.*\(4, 3\).*sparse=False"):
        optimizer.step()
    assert torch.equal(dense, torch.ones(2))
    assert not optimizer.state


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


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_low_precision_stays_finite_and_descends(dtype):
    param = torch.nn.Parameter(torch.tensor([1.0, -2.0, 0.0], dtype=dtype))
    scalar = torch.nn.Parameter(torch.tensor(1.0, dtype=dtype))
    optimizer = Adai([param, scalar], lr=0.1)
    for _ in range(50):
        param.grad, scalar.grad = param.detach().clone(), scalar.detach().clone()
        optimizer.step()
    assert param.abs().max() < 0.5
    assert scalar.abs() < 0.5


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


# Hyperparameters


@BOTH
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": -0.1}, r"lr is -0\.1, but must satisfy 0 <= lr < inf"),
        ({"lr": float("nan")}, "lr is nan"),
        ({"lr": float("inf")}, "lr is inf"),
        ({"lr": torch.ones(2)}, r"Tensor lr must be 1-element, but it has shape \(2,\)"),
        ({"betas": (-0.1, 0.99)}, r"beta0 .*is -0\.1, but must satisfy 0 <= beta0"),
        ({"betas": (0.1, 1.0)}, r"beta2 .*is 1\.0, but must satisfy 0 <= beta2 < 1"),
        ({"betas": (0.1, -0.5)}, r"beta2 .*is -0\.5"),
        ({"betas": (0.1,)}, r"pair \(beta0, beta2\)"),
        ({"eps": 0.0}, r"eps is 0\.0, but must satisfy 0 < eps <= 1"),
        ({"eps": 1.5}, r"eps is 1\.5"),
        ({"weight_decay": -1.0}, r"weight_decay is -1\.0, but must satisfy 0 <= weight_decay"),
    ],
)
def test_bad_hyperparameters_are_named_with_value_and_range(optimizer, options, message):
    with pytest.raises(ValueError, match=message):
        optimizer([torch.nn.Parameter(torch.ones(1))], **options)

    good = optimizer([torch.nn.Parameter(torch.ones(1))])
    with pytest.raises(ValueError, match=message):
        good.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))], **options})
    assert len(good.param_groups) == 1


def test_no_parameters_is_an_error():
    with pytest.raises(ValueError, match="empty parameter list"):
        Adai([])


# The habits of torch.optim


@BOTH
def test_gradients_are_never_modified(optimizer):
    start, gradients = arrays(7, steps=3)
    params = parameters(start)
    ours = optimizer(params, weight_decay=0.1, maximize=True)
    for step_gradients in gradients:
        feed(params, step_gradients)
        ours.step()
        assert all(np.array_equal(p.grad, g) for p, g in zip(params, step_gradients, strict=True))


@BOTH
def test_maximize_climbs_where_minimize_descends(optimizer):
    start, gradients = arrays(8, steps=10)
    flipped = [[-g for g in step_gradients] for step_gradients in gradients]
    climbed = trained(start, gradients, optimizer=optimizer, weight_decay=0.1, maximize=True)
    assert largest_difference(climbed, trained(start, flipped, optimizer=optimizer, weight_decay=0.1)) == 0


def through_a_file(state_dict):
    file = io.BytesIO()
    torch.save(state_dict, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@BOTH
@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64])
@pytest.mark.parametrize("carry", [copy.deepcopy, through_a_file], ids=["in memory", "through a file"])
def test_a_saved_state_continues_bit_for_bit(optimizer, carry, dtype):
    start, gradients = arrays(9, steps=20, missing=0.2)
    params = parameters(start, dtype)
    ours = optimizer(params, weight_decay=0.01)
    train(ours, params, gradients[:10])
    resumed_params = [torch.nn.Parameter(p.detach().clone()) for p in params]
    resumed = optimizer(resumed_params, lr=123.0)
    resumed.load_state_dict(carry(ours.state_dict()))

    train(ours, params, gradients[10:])
    train(resumed, resumed_params, gradients[10:])
    assert all(torch.equal(a, b) for a, b in zip(params, resumed_params, strict=True))


@BOTH
@pytest.mark.parametrize("clone", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"])
def test_copies_continue_alike_and_apart(optimizer, clone):
    start, gradients = arrays(10, steps=10)
    params = parameters(start)
    ours = optimizer(params)
    train(ours, params, gradients[:5])
    twin = clone(ours)
    twin_params = twin.param_groups[0]["params"]
    before = [p.detach().clone() for p in params]
    train(twin, twin_params, gradients[5:])
    assert largest_difference(params, before) == 0
    train(ours, params, gradients[5:])
    assert type(twin) is optimizer
    assert largest_difference(params, twin_params) == 0


def test_state_has_the_fields_names_and_the_parameters_shape():
    params = trained([np.ones((2, 3))], [[np.ones((2, 3))]])
    optimizer = Adai(params)
    optimizer.step()
    state = optimizer.state_dict()["state"][0]
    assert {name: tuple(value.shape) for name, value in state.items()} == {
        "step": (),
        "exp_avg": (2, 3),
        "exp_avg_sq": (2, 3),
        "bias_correction1": (2, 3),
        "exp_avg_sq_sum": (2,),
    }
    assert state["bias_correction1"].unique().item() == pytest.approx(0.1, rel=1e-14)


def test_a_group_added_later_joins_the_mean_with_its_own_options():
    start, gradients = arrays(11, steps=20, shapes=[(3,), (4,)])
    for step_gradients in gradients[:10]:
        step_gradients[1] = None
    params = parameters(start)
    optimizer = Adai(params[:1], lr=0.1)
    train(optimizer, params, gradients[:10])
    optimizer.add_param_group({"params": params[1:], "lr": 0.01, "betas": (0.5, 0.9)})
    train(optimizer, params, gradients[10:])

    reference = [Parameter(start[0], lr=0.1), Parameter(start[1], lr=0.01, beta0=0.5, beta2=0.9)]
    for step_gradients in gradients:
        adai_step(reference, step_gradients)
    assert largest_difference(params, [p.theta for p in reference]) <= 1e-12


def test_closure_runs_with_gradients_and_its_loss_is_returned():
    param = torch.nn.Parameter(torch.tensor([3.0]))
    optimizer = Adai([param], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = param.square().sum()
        loss.backward()
        return loss

    with torch.no_grad():
        loss = optimizer.step(closure)
    assert loss.item() == 9.0
    assert param.item() == pytest.approx(3.0 - 0.1 * 6.0)
    assert optimizer.step() is None


@pytest.mark.parametrize("set_to_none", [True, False])
def test_zero_grad_does_what_torchs_does(set_to_none):
    ours, torchs = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    for param, optimizer in ((ours, Adai([ours])), (torchs, torch.optim.SGD([torchs]))):
        param.square().sum().backward()
        optimizer.zero_grad(set_to_none=set_to_none)
    assert (ours.grad is None) == (torchs.grad is None) == set_to_none
    assert set_to_none or torch.equal(ours.grad, torchs.grad)


@pytest.mark.skipif(torch.__version__ < (2, 6), reason="torch has named parameters from 2.6 on")
def test_named_parameters_keep_their_names():
    optimizer = Adai(torch.nn.Linear(2, 1).named_parameters())
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]


@BOTH
@pytest.mark.parametrize(
    "schedule",
    [
        lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [5]),
        lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 20),
        lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 1.0, total_steps=21, cycle_momentum=False),
    ],
    ids=["MultiStepLR", "CosineAnnealingLR", "OneCycleLR"],
)
def test_lr_schedulers_drive_the_step(optimizer, schedule):
    start, gradients = arrays(12, steps=20)
    params = parameters(start)
    ours = optimizer(params, lr=0.5, weight_decay=0.01)
    reference = [Parameter(value, weight_decay=0.01) for value in start]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler = schedule(ours)
        for step_gradients in gradients:
            for p in reference:
                p.lr = ours.param_groups[0]["lr"]
            train(ours, params, [step_gradients])
            adai_step(reference, step_gradients, decoupled=optimizer is AdaiW)
            scheduler.step()
    assert largest_difference(params, [p.theta for p in reference]) <= 1e-12
    assert ours.param_groups[0]["betas"] == (0.1, 0.99)


@pytest.mark.parametrize("lr", [torch.tensor(0.25), torch.tensor([0.25])], ids=["0-d", "1-d"])
@BOTH
def test_lr_may_be_a_tensor(optimizer, lr):
    start, gradients = arrays(13, steps=5)
    with_number = trained(start, gradients, optimizer=optimizer, lr=0.25)
    assert largest_difference(with_number, trained(start, gradients, optimizer=optimizer, lr=lr)) == 0


def test_step_hooks_are_called():
    calls = []
    optimizer = Adai([torch.nn.Parameter(torch.ones(1))])
    optimizer.register_step_pre_hook(lambda *_: calls.append("pre"))
    optimizer.register_step_post_hook(lambda *_: calls.append("post"))
    optimizer.step()
    assert calls == ["pre", "post"]


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


# The package's face


def test_package_lists_what_it_offers():
    assert set(adai.__all__) <= set(dir(adai))
    assert adai.__version__ == importlib.metadata.version("adai")
    with pytest.raises(AttributeError, match=r"no attribute 'Adam'.*Adai"):
        _ = adai.Adam


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
