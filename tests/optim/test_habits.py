"""The Adai family among torch's optimizers: paths agree, nothing waits for a device, state travels, misuse is named."""

import copy
import os
import pickle
import shutil

import numpy as np
import pytest
import torch
import torch._dynamo.testing

from adai import AdaBound, Adai, AdaiV2, AdaiW, Padam, Yogi
from adai.book.operations import Operations
from adai.optim.adai import _compiled

FAMILY = pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        (Adai, {"weight_decay": 0.01}),
        (AdaiW, {"lr": 0.5}),
        (AdaiV2, {"lr": 0.5, "dampening": 0.5}),
        (Adai, {"maximize": True}),
    ],
    ids=["Adai", "AdaiW", "AdaiV2", "maximize"],
)
OURS = pytest.mark.parametrize("optimizer", [Adai, AdaiW, AdaiV2, AdaBound, Padam, Yogi])
SHAPES = [(), (1,), (7,), (3, 4), (2, 3, 2, 2), (260, 260)]
needs_compiler = pytest.mark.skipif(
    not (os.environ.get("CI") or shutil.which(os.environ.get("CXX", "g++"))), reason="there is no C++ compiler"
)


def start(dtype=torch.float64, shapes=SHAPES, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.nn.Parameter(torch.randn(shape, dtype=dtype, generator=generator)) for shape in shapes]


def feed(params, step, scale=1.0):
    generator = torch.Generator().manual_seed(1000 + step)
    for size, param in enumerate(params):
        param.grad = scale * 3.0**-size * torch.randn(param.shape, dtype=param.dtype, generator=generator)
        if size == 2 and step % 3 == 0:
            param.grad = None


def trained(optimizer, options, steps=12, dtype=torch.float64, **path):
    params = start(dtype)
    torch_optimizer = optimizer(params, **options, **path)
    for step in range(steps):
        feed(params, step)
        torch_optimizer.step()
    return params, torch_optimizer


def assert_close(ours, theirs, tolerance):
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


# ── paths ──


@FAMILY
@pytest.mark.parametrize("path", [{"foreach": True}, {"foreach": False}, {"capturable": True}])
def test_every_path_gives_the_same_result(optimizer, options, path):
    assert_close(trained(optimizer, options, **path)[0], trained(optimizer, options)[0], 1e-13)


@needs_compiler
@FAMILY
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_compiled_path_gives_the_same_result(optimizer, options, dtype):
    tolerance = 1e-12 if dtype == torch.float64 else 1e-4
    compiled = trained(optimizer, options, dtype=dtype, fused=True)[0]
    assert_close(compiled, trained(optimizer, options, dtype=dtype)[0], tolerance)


@needs_compiler
def test_a_list_that_lacks_gradients_is_not_compiled():
    params = start(torch.float32, [(2,), (3,), (4,)])
    optimizer = Adai(params, fused=True)
    compiled = []
    for missing in (None, 0, 1, 2, None):
        feed(params, 1)
        if missing is not None:
            params[missing].grad = None
        optimizer.step()
        compiled.append(_compiled.cache_info().currsize)
    assert len(set(compiled)) == 1


@needs_compiler
def test_the_compiled_path_takes_any_layout():
    def layouts(fused):
        params = start(torch.float32, [(80, 40, 5, 5), (300, 250)])
        params[0].data = params[0].data.to(memory_format=torch.channels_last)
        params[1].data = params[1].data.t()
        optimizer = Adai(params, fused=fused)
        for step in range(3):
            feed(params, step)
            params[0].grad = params[0].grad.to(memory_format=torch.channels_last)
            optimizer.step()
        return params

    assert_close(layouts(True), layouts(False), 1e-5)


@pytest.mark.parametrize("optimizer", [Adai, AdaiW, AdaiV2])
def test_without_a_compiler_the_compiled_path_is_refused_by_name(optimizer, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(RuntimeError, match="no-such-compiler"):
        optimizer(start(), fused=True)
    monkeypatch.delenv("CXX")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeError, match=r"no C\+\+ compiler g\+\+ or clang\+\+ or cl: install one"):
        optimizer(start(), fused=True)
    optimizer(start())  # the default needs none


@pytest.mark.parametrize("path", [{"foreach": True}, {"differentiable": True}])
def test_paths_that_exclude_each_other_are_refused(path):
    with pytest.raises(ValueError, match="fused without foreach and differentiable"):
        Adai(start(), fused=True, **path)


@pytest.mark.parametrize(
    ("optimizer", "options", "most"),
    [(one, {}, 30) for one in (Adai, AdaiW, AdaiV2, AdaBound, Padam, Yogi)] + [(AdaiV2, {"dampening": 0.5}, 34)],
)
def test_a_step_reads_nothing_back_and_takes_as_many_operations_for_any_number_of_tensors(optimizer, options, most):
    def operations(tensors):
        params = start(torch.float32, [(5,)] * tensors)
        torch_optimizer = optimizer(params, weight_decay=0.01, foreach=True, **options)
        for param in params:
            param.grad = torch.randn_like(param)
        torch_optimizer.step()
        with Operations(forbidden={"aten._local_scalar_dense.default"}) as counted:
            torch_optimizer.step()
        return counted.count

    assert operations(3) == operations(200) <= most


def test_a_step_through_which_gradients_flow_gives_the_same_result():
    def run(differentiable):
        params = [param.detach().clone() for param in start()]
        if differentiable:
            params = [param.requires_grad_().clone() for param in params]
        feed(params, 1)
        Adai(params, weight_decay=0.1, differentiable=differentiable).step()
        return [param.detach() for param in params]

    assert_close(run(True), run(False), 1e-14)


@pytest.mark.parametrize("optimizer", [Adai, AdaiW])
def test_a_compiled_step_is_compiled_once_under_a_schedule(optimizer):
    def run(compiled):
        params = start(torch.float32, [(3,), (4, 5)])
        torch_optimizer = optimizer(params, lr=torch.tensor(0.5), capturable=True, foreach=True)
        schedule = torch.optim.lr_scheduler.ExponentialLR(torch_optimizer, 0.9)
        torch._dynamo.reset()
        counter = torch._dynamo.testing.CompileCounter()
        step = torch.compile(torch_optimizer.step, backend=counter) if compiled else torch_optimizer.step
        counts = []
        for number in range(6):
            for param in params:
                param.grad = torch.full_like(param, 1.0 + number)
            step()
            schedule.step()
            counts.append(counter.frame_count)
        return params, counts

    params, counts = run(True)
    assert counts[-1] == counts[2] > 0
    assert_close(params, run(False)[0], 1e-6)


def test_a_gradient_flows_through_the_step_to_the_learning_rate():
    def loss_after(lr):
        weight = torch.ones(3, dtype=torch.float64, requires_grad=True)
        moved = weight.clone()
        moved.grad = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)
        Adai([moved], lr=lr, differentiable=True).step()
        return (moved**2).sum()

    lr = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(loss_after, (lr,))


# ── the mean ──


def test_the_mean_is_right_for_large_tensors_in_float32():
    param = torch.nn.Parameter(torch.zeros(6_000_000))
    param.grad = torch.randn(6_000_000, generator=torch.Generator().manual_seed(0))
    optimizer = Adai([param])
    optimizer.step()
    total, correction = optimizer.state[param]["exp_avg_sq_sum"]
    exact = (param.grad.double() ** 2).sum()
    assert (total / correction).item() == pytest.approx(exact.item(), rel=1e-5)


@pytest.mark.parametrize("scale", [1e-25, 1e-12, 1e15])
def test_tiny_and_huge_gradients_are_only_a_matter_of_scale(scale):
    def run(scale):
        params = start(torch.float32)
        before = [param.detach().clone() for param in params]
        optimizer = Adai(params, lr=1 / scale if scale != 1e-25 else 1e20)
        for step in range(3):
            feed(params, step, scale)
            optimizer.step()
        return [param.detach() - old for param, old in zip(params, before, strict=True)]

    moved = run(scale)
    assert all(torch.isfinite(one).all() for one in moved)
    if scale != 1e-25:  # its squares are 0 in float32
        assert_close(moved, run(1.0), 1e-5)


@pytest.mark.parametrize("bad", [float("inf"), float("nan"), 1e25])
def test_an_overflow_is_seen_at_once(bad):
    params = start(torch.float32)
    feed(params, 1)
    params[3].grad[0, 0] = bad
    optimizer = Adai(params)
    optimizer.step()
    assert all(param.isnan().all() for param in params)


# ── state ──


def test_a_correction_that_has_become_1_is_dropped_and_changes_nothing_else():
    def run(interrupted):
        params = start(torch.float32)
        optimizer = Adai(params, eps=0.5)
        for step in range(1010):
            feed(params, step, scale=1e-3)
            optimizer.step()
            if interrupted and step == 700:
                saved = copy.deepcopy(optimizer.state_dict())
                optimizer = Adai(params, eps=0.5)
                optimizer.load_state_dict(saved)
        return params, optimizer

    params, optimizer = run(False)
    sizes = {name: value.shape for name, value in optimizer.state[params[3]].items()}
    assert sizes["bias_correction1"] == () and sizes["exp_avg"] == (3, 4)
    again, resumed = run(True)
    assert all(torch.equal(one, other) for one, other in zip(params, again, strict=True))
    assert resumed.state[again[3]]["bias_correction1"].shape == ()


def test_a_state_saved_before_there_were_sums_is_taken_up():
    params, optimizer = trained(Adai, {})
    saved = copy.deepcopy(optimizer.state_dict())
    for state in saved["state"].values():
        del state["exp_avg_sq_sum"]
    for group in saved["param_groups"]:
        for name in ("foreach", "fused", "capturable", "differentiable"):
            del group[name]
    old = Adai([torch.nn.Parameter(param.detach().clone()) for param in params])
    old.load_state_dict(saved)
    for one in (params, old.param_groups[0]["params"]):
        feed(one, 99)
    optimizer.step()
    old.step()
    assert_close(old.param_groups[0]["params"], params, 1e-12)


@pytest.mark.parametrize(
    ("foreign", "message"),
    [
        (lambda params: torch.optim.Adam(params), "parameter 0 has step, exp_avg, exp_avg_sq, but no bias_correction1"),
        (lambda params: torch.optim.SGD(params, momentum=0.9), "its groups lack betas, eps"),
        (
            lambda params: Adai([torch.nn.Parameter(p.detach()[None].clone()) for p in params]),
            "it was saved for another",
        ),
    ],
    ids=["Adam", "SGD", "other shapes"],
)
def test_a_foreign_state_is_refused_and_nothing_changes(foreign, message):
    params, optimizer = trained(Adai, {})
    other = foreign(params)
    for param in other.param_groups[0]["params"]:
        param.grad = torch.ones_like(param)
    other.step()
    before = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(other.state_dict())
    after = optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    for index, state in before["state"].items():
        assert all(torch.equal(value, after["state"][index][name]) for name, value in state.items())


def test_an_out_of_range_option_in_a_state_is_refused():
    params, optimizer = trained(Adai, {})
    saved = optimizer.state_dict()
    saved["param_groups"][0]["eps"] = -1.0
    with pytest.raises(ValueError, match=r"eps is -1\.0, but must satisfy 0 < eps <= 1"):
        Adai(params).load_state_dict(saved)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_continues_bit_for_bit(dtype):
    params, optimizer = trained(Adai, {"lr": 0.1}, dtype=dtype)
    twins = [torch.nn.Parameter(param.detach().clone()) for param in params]
    twin = Adai(twins, lr=0.1)
    twin.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for step in range(50, 53):
        feed(params, step)
        feed(twins, step)
        optimizer.step()
        twin.step()
    assert all(torch.equal(one, other) for one, other in zip(params, twins, strict=True))


@pytest.mark.parametrize(
    "clone", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))], ids=["deepcopy", "pickle"]
)
def test_a_copy_takes_new_groups_as_the_original_does(clone):
    optimizer = clone(Adai(start(), betas=(0.2, 0.9)))
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(2))]})
    assert optimizer.param_groups[1]["betas"] == (0.2, 0.9)


# ── what drives it ──


@pytest.mark.parametrize(
    "schedule",
    [
        lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10),
        lambda optimizer: torch.optim.lr_scheduler.CyclicLR(optimizer, base_lr=0.1, max_lr=1.0),
    ],
    ids=["OneCycleLR", "CyclicLR"],
)
def test_a_schedule_that_would_cycle_beta0_as_a_momentum_is_refused(schedule):
    optimizer = Adai(start())
    with pytest.raises(ValueError, match="must support momentum"):
        schedule(optimizer)
    assert optimizer.param_groups[0]["betas"] == (0.1, 0.99)


def test_one_cycle_of_the_learning_rate_alone_works():
    optimizer = Adai(start())
    torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10, cycle_momentum=False)
    assert optimizer.param_groups[0]["betas"] == (0.1, 0.99)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1 / 25)


@pytest.mark.filterwarnings("ignore")
def test_a_skipped_step_of_a_gradient_scaler_leaves_the_state_alone():
    params, optimizer = trained(Adai, {}, dtype=torch.float32)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    before = copy.deepcopy(optimizer.state_dict()["state"])
    feed(params, 1)
    scaler.scale(torch.zeros(()))
    params[3].grad[0, 0] = float("inf")
    scaler.step(optimizer)
    for index, state in optimizer.state_dict()["state"].items():
        assert all(torch.equal(value, before[index][name]) for name, value in state.items())


@OURS
@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        (lambda: [], ValueError, "empty parameter list"),
        (lambda: [torch.ones(3, requires_grad=True) * 2], ValueError, "can't optimize a non-leaf"),
        (lambda: [[1.0, 2.0]], TypeError, "optimizer can only optimize Tensors"),
        (lambda: torch.nn.Parameter(torch.ones(2)), TypeError, "should be an iterable"),
        (lambda: [torch.ones(2), torch.ones(3, 4, dtype=torch.int64)], ValueError, r"parameter 1 .*\(3, 4\).*int64"),
    ],
    ids=["nothing", "not a leaf", "no tensor", "a bare tensor", "integers"],
)
def test_what_is_no_parameter_is_refused(optimizer, params, error, message):
    with pytest.raises(error, match=message):
        optimizer(params())
    good = optimizer([torch.nn.Parameter(torch.ones(2))])
    if message.startswith(("can't", "parameter", "optimizer can")):
        with pytest.raises(error, match=message):
            good.add_param_group({"params": params()})
        assert len(good.param_groups) == 1


@OURS
@pytest.mark.filterwarnings("ignore:optimizer contains a parameter group with duplicate parameters")
def test_the_same_parameter_twice_is_refused(optimizer):
    first, param, new = (torch.nn.Parameter(torch.ones(size)) for size in (2, 3, 3))
    torch_optimizer = optimizer([first, param])
    with pytest.raises(ValueError, match="appear in more than one"):
        torch_optimizer.add_param_group({"params": [param]})
    refusal = r"parameter 2 of the group, of shape \(3,\), is also its parameter 1, but each must stand there once"
    with pytest.raises(ValueError, match=refusal):
        torch_optimizer.add_param_group({"params": iter([torch.nn.Parameter(torch.ones(1)), new, new])})
    assert [group["params"] for group in torch_optimizer.param_groups] == [[first, param]]
    with pytest.raises(ValueError, match=refusal):
        optimizer([first, param, param])


@OURS
@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"lr": None}, "lr=None"),
        ({"lr": "0.1"}, "lr='0.1'"),
        ({"betas": 0.9}, "betas=0.9"),
        ({"eps": None}, "eps=None"),
    ],
)
def test_a_hyperparameter_that_is_no_number_is_named(optimizer, options, named):
    with pytest.raises(TypeError, match=rf"must be numbers.*{named}"):
        optimizer(start(), **options)
    good = optimizer(start())
    with pytest.raises(TypeError, match=named):
        good.add_param_group({"params": start(), **options})
    assert len(good.param_groups) == 1


@OURS
@pytest.mark.parametrize("missing", ["lr", "betas", "eps", "weight_decay"])
def test_a_state_without_a_hyperparameter_is_refused(optimizer, missing):
    torch_optimizer = optimizer(start())
    saved = copy.deepcopy(torch_optimizer.state_dict())
    del saved["param_groups"][0][missing]
    with pytest.raises(ValueError, match=f"not one of {optimizer.__name__}: its groups lack {missing}"):
        torch_optimizer.load_state_dict(saved)


@OURS
def test_a_models_state_dict_is_refused(optimizer):
    model = torch.nn.Linear(2, 2)
    with pytest.raises(ValueError, match="not an optimizer's state_dict: it lacks param_groups, state"):
        optimizer(model.parameters()).load_state_dict(model.state_dict())


def test_numpy_seeds_nothing_here():
    # The step draws no random number, so it may stand anywhere in a reproducible program.
    state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
    trained(Adai, {})
    assert np.array_equal(state, np.random.get_state()[1]) and torch.equal(torch_state, torch.get_rng_state())
