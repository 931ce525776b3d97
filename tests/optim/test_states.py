"""An optimizer's state: what it holds, that it resumes and is copied bit for bit, and that a foreign one is refused."""

import copy
import itertools
import pickle
import re

import pytest
import torch

from adai import Adai
from adai.optim.catalogue import OURS
from adai.optim.fused import has_compiler
from tests.optim.problems import (
    SHAPES,
    arrays,
    assert_close,
    each_of_ours,
    each_with_fused,
    feed,
    parameters,
    start,
    through_a_file,
    train,
    trained,
)


def twins(params):
    return [torch.nn.Parameter(param.detach().clone()) for param in params]


def assert_same_state(optimizer, before):
    after = optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    assert after["state"].keys() == before["state"].keys()
    for index, state in before["state"].items():
        assert all(torch.equal(value, after["state"][index][name]) for name, value in state.items())


@each_of_ours
def test_a_state_has_the_fields_names_and_the_parameters_shape(entry):
    params = start(shapes=[(2, 3), (), (4,)])
    optimizer = entry.optimizer(params)
    feed(params, 1)
    optimizer.step()
    for param, state in zip(params, optimizer.state_dict()["state"].values(), strict=True):
        assert state.keys() >= {"step", "exp_avg"}
        for name, value in state.items():
            expected = ((), torch.float32) if name == "step" else (param.shape, param.dtype)
            assert (value.shape, value.dtype) == expected


def test_the_correction_is_one_minus_beta1_after_a_step():
    params = start(shapes=[(2, 3)])
    params[0].grad = torch.ones(2, 3, dtype=torch.float64)
    optimizer = Adai(params)
    optimizer.step()
    state = optimizer.state_dict()["state"][0]
    assert set(state) == {"step", "exp_avg", "exp_avg_sq", "bias_correction1"}
    assert state["bias_correction1"].unique().item() == pytest.approx(0.1, rel=1e-14)


@each_of_ours
def test_a_group_names_its_algorithm(entry):
    optimizer = entry.optimizer([{"params": start(shapes=[(2,)])}, {"params": start(shapes=[(3,)])}])
    assert [group["algorithm"] for group in optimizer.state_dict()["param_groups"]] == [entry.label] * 2


# ── resumed and copied ──


@pytest.mark.parametrize("carry", [copy.deepcopy, through_a_file], ids=["in memory", "through a file"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.complex64])
@each_of_ours
def test_a_saved_state_continues_bit_for_bit(entry, dtype, carry):
    values, gradients = arrays(9, steps=20, missing=0.2)
    params = parameters(values, dtype)
    ours = entry.optimizer(params, weight_decay=0.01)
    train(ours, params, gradients[:10])
    resumed_params = twins(params)
    resumed = entry.optimizer(resumed_params, lr=123.0)
    resumed.load_state_dict(carry(ours.state_dict()))
    train(ours, params, gradients[10:])
    train(resumed, resumed_params, gradients[10:])
    assert all(torch.equal(one, other) for one, other in zip(params, resumed_params, strict=True))


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"])
@each_of_ours
def test_copies_continue_alike_and_apart(entry, clone):
    params, ours = trained(entry.optimizer, lr=0.01)
    twin = clone(ours)
    copied = twin.param_groups[0]["params"]
    before = twins(params)
    for one in (copied, params):
        feed(one, 12)
    twin.step()
    assert_close(params, before)
    ours.step()
    assert type(twin) is entry.optimizer
    assert_close(copied, params)


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"])
@each_of_ours
def test_a_copy_takes_new_groups_as_the_original_does(entry, clone):
    optimizer = clone(entry.optimizer(start(), betas=(0.2, 0.9)))
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(2))]})
    assert optimizer.param_groups[1]["betas"] == (0.2, 0.9)


# ── of another form ──


@each_of_ours
def test_a_state_saved_before_groups_named_their_algorithm_is_taken_up(entry):
    params, optimizer = trained(entry.optimizer)
    saved = copy.deepcopy(optimizer.state_dict())
    for group in saved["param_groups"]:
        for name in ("algorithm", "foreach", "fused", "capturable", "differentiable"):
            group.pop(name, None)
    old = entry.optimizer(twins(params))
    old.load_state_dict(saved)
    for one in (params, old.param_groups[0]["params"]):
        feed(one, 100)
    optimizer.step()
    old.step()
    assert_close(old.param_groups[0]["params"], params)
    assert old.state_dict()["param_groups"][0]["algorithm"] == entry.label


def test_a_state_that_kept_a_sum_of_v_and_spent_corrections_as_one_number_is_taken_up():
    params, optimizer = trained(Adai, dtype=torch.float32, eps=0.5, steps=210)
    saved = copy.deepcopy(optimizer.state_dict())
    for state in saved["state"].values():
        state["exp_avg_sq_sum"] = torch.ones(2)
        state["bias_correction1"] = torch.ones(())
    old = Adai(twins(params))
    old.load_state_dict(saved)
    for one in (params, old.param_groups[0]["params"]):
        feed(one, 100)
    optimizer.step()
    old.step()
    assert_close(old.param_groups[0]["params"], params, 1e-6)
    assert set(old.state_dict()["state"][0]) == {"step", "exp_avg", "exp_avg_sq", "bias_correction1"}


@each_with_fused
def test_a_state_of_a_fused_run_is_taken_up_where_there_is_no_compiler(entry, monkeypatch):
    params, optimizer = trained(entry.optimizer, dtype=torch.float32)
    saved = copy.deepcopy(optimizer.state_dict())
    saved["param_groups"][0]["fused"] = True
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setenv("PATH", "")
    resumed = entry.optimizer(twins(params))
    resumed.load_state_dict(saved)
    assert saved["param_groups"][0]["fused"] and not resumed.param_groups[0]["fused"]
    for one in (params, resumed.param_groups[0]["params"]):
        feed(one, 12)
    optimizer.step()
    resumed.step()
    assert_close(resumed.param_groups[0]["params"], params, 1e-6)


# ── refused ──


@pytest.mark.parametrize(
    ("foreign", "message"),
    [
        (lambda params: torch.optim.Adam(params), "is not one of Adai, which has no amsgrad"),
        (lambda params: torch.optim.SGD(params, momentum=0.9), "its groups lack betas, eps"),
        (lambda params: Adai([torch.nn.Parameter(p.detach()[None].clone()) for p in params]), "saved for another"),
    ],
    ids=["Adam", "SGD", "other shapes"],
)
def test_a_foreign_state_is_refused_and_nothing_changes(foreign, message):
    params, optimizer = trained(Adai)
    other = foreign(params)
    for param in other.param_groups[0]["params"]:
        param.grad = torch.ones_like(param)
    other.step()
    before = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(other.state_dict())
    assert_same_state(optimizer, before)


@pytest.mark.parametrize(
    ("saved", "own"), [pytest.param(*pair, id="-".join(pair)) for pair in itertools.permutations(OURS, 2)]
)
def test_a_state_of_another_of_ours_is_refused_by_name_and_nothing_changes(saved, own):
    _, other = trained(OURS[saved].optimizer)
    params, optimizer = trained(OURS[own].optimizer)
    before, values = copy.deepcopy(optimizer.state_dict()), twins(params)
    with pytest.raises(ValueError, match=rf"\b{saved}\b.*\b{own}\b|\b{own}\b.*\b{saved}\b"):
        optimizer.load_state_dict(other.state_dict())
    assert_same_state(optimizer, before)
    assert_close(params, values)


@pytest.mark.parametrize("shape", [(2,), (4, 3), (1, 12)], ids=str)
@each_of_ours
def test_a_tensor_of_another_shape_in_a_state_is_named_with_both_shapes(entry, shape):
    params, optimizer = trained(entry.optimizer)
    before, values = copy.deepcopy(optimizer.state_dict()), twins(params)
    for name in before["state"][3].keys() - {"step"}:
        saved = copy.deepcopy(before)
        saved["state"][3][name] = torch.ones(shape, dtype=torch.float64)
        with pytest.raises(ValueError, match=rf"{name} .*{re.escape(str(shape))}.*\(3, 4\)"):
            optimizer.load_state_dict(saved)
        assert_same_state(optimizer, before)
        assert_close(params, values)


@pytest.mark.parametrize(
    "clone",
    [lambda one: one, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))],
    ids=["itself", "deepcopy", "pickle"],
)
def test_what_hooks_leave_is_what_is_refused_also_by_copies(clone):
    _, other = trained(Adai, shapes=[(2, *shape) for shape in SHAPES])
    optimizer = clone(trained(Adai)[1])
    before = copy.deepcopy(optimizer.state_dict())
    optimizer.register_load_state_dict_pre_hook(lambda *_: copy.deepcopy(other.state_dict()))
    with pytest.raises(ValueError, match="saved for another model"):
        optimizer.load_state_dict(before)
    assert_same_state(optimizer, before)


def test_an_out_of_range_option_in_a_state_is_refused():
    params, optimizer = trained(Adai)
    saved = optimizer.state_dict()
    saved["param_groups"][0]["eps"] = -1.0
    with pytest.raises(ValueError, match=r"eps is -1\.0, but must satisfy 0 < eps <= 1"):
        Adai(params).load_state_dict(saved)


@pytest.mark.parametrize(
    ("entry", "missing"),
    [pytest.param(one, name, id=f"{label}-{name}") for label, one in OURS.items() for name in one.hyperparameters],
)
def test_a_state_without_a_hyperparameter_is_refused(entry, missing):
    optimizer = entry.optimizer(start())
    saved = copy.deepcopy(optimizer.state_dict())
    del saved["param_groups"][0][missing]
    with pytest.raises(ValueError, match=f"not one of {entry.label}: its groups lack {missing}"):
        optimizer.load_state_dict(saved)


@each_of_ours
def test_a_models_state_dict_is_refused(entry):
    model = torch.nn.Linear(2, 2)
    with pytest.raises(ValueError, match="not an optimizer's state_dict: it lacks param_groups, state"):
        entry.optimizer(model.parameters()).load_state_dict(model.state_dict())


# ── damaged ──


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda state: state.update(step=torch.ones(2)), "step of parameter 1 must be one number, 0 or more"),
        (
            lambda state: state.update(step=float("nan")),
            "step of parameter 1 must be one number, 0 or more, but is nan",
        ),
        (lambda state: state.update(step=-3), "but is -3"),
        (lambda state: state.update(step=None), "but is None"),
        (lambda state: state.update(exp_avg=None), "exp_avg of parameter 1 must be a dense real tensor, but is None"),
        (lambda state: state.update(exp_avg=state["exp_avg"].to_sparse()), "must be a dense real tensor"),
        (lambda state: state.update(exp_avg=state["exp_avg"] * 1j), "must be a dense real tensor"),
        (lambda state: state.update(bias_correction1=torch.tensor(0.5)), "bias_correction1 of parameter 1 in the"),
    ],
    ids=["two steps", "nan", "negative", "no step", "no tensor", "sparse", "complex", "one correction"],
)
def test_a_damaged_state_is_refused_and_nothing_changes(damage, message):
    _, optimizer = trained(Adai)
    before = copy.deepcopy(optimizer.state_dict())
    saved = copy.deepcopy(before)
    damage(saved["state"][1])
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(saved)
    assert_same_state(optimizer, before)
    saved = copy.deepcopy(before)
    saved["state"][1] = 7
    with pytest.raises(ValueError, match="the state of 1 is 7, no dictionary"):
        optimizer.load_state_dict(saved)
    del saved["param_groups"][0]["params"]
    with pytest.raises(ValueError, match="a group of it lacks params"):
        optimizer.load_state_dict(saved)


def test_an_expanded_correction_is_taken_for_what_it_is():
    params, optimizer = trained(Adai)
    saved = copy.deepcopy(optimizer.state_dict())
    saved["state"][3]["bias_correction1"] = torch.full((), 0.25, dtype=torch.float64).expand(3, 4)
    optimizer.load_state_dict(saved)
    loaded = optimizer.state[params[3]]["bias_correction1"]
    assert loaded.stride() == (4, 1) and torch.all(loaded == 0.25)


@pytest.mark.parametrize("foreign", [torch.optim.Adam, torch.optim.AdamW, torch.optim.NAdam])
@each_of_ours
def test_a_state_of_torch_before_its_first_step_is_refused(entry, foreign):
    optimizer = entry.optimizer(start())
    with pytest.raises(ValueError, match=r"not one of"):
        optimizer.load_state_dict(foreign(start()).state_dict())


def test_a_state_that_others_have_put_something_into_is_saved():
    params, optimizer = trained(Adai)
    optimizer.state[params[0]]["more"] = 1
    optimizer.state["elsewhere"] = {"x": 1}
    assert optimizer.state_dict()["state"]["elsewhere"] == {"x": 1}


@pytest.mark.parametrize("replaced", [False, True])
@pytest.mark.parametrize("fused", [False, True])
def test_a_spent_correction_that_was_written_to_is_an_error_that_says_what_to_do(fused, replaced):
    if fused and not has_compiler():
        pytest.skip("there is no C++ compiler")
    params = start(torch.float32, [(4, 3), (5,)])
    optimizer = Adai(params, eps=0.5, fused=fused)
    for step in range(200):
        feed(params, step)
        optimizer.step()
    if replaced:  # by another tensor in the same memory
        optimizer.state[params[0]]["bias_correction1"] = optimizer.state[params[0]]["bias_correction1"].data
    optimizer.state[params[0]]["bias_correction1"][1, 2] = 0
    before = copy.deepcopy(params)
    with pytest.raises(RuntimeError, match=r'state\["bias_correction1"\] = torch.ones_like\(param\)'):
        optimizer.step()
    assert_close(params, before)
    optimizer.state[params[0]]["bias_correction1"] = torch.ones_like(params[0])
    optimizer.state[params[0]]["bias_correction1"][1, 2] = 0
    optimizer.step()
    assert all(torch.isfinite(param).all() for param in params)


def test_groups_are_differentiable_together_or_not_at_all():
    with pytest.raises(
        ValueError, match="differentiable is True, but must satisfy differentiable=False, the optimizer's argument"
    ):
        Adai([{"params": start(), "differentiable": True}])


def test_a_refused_group_stays_as_it_was():
    optimizer, group = Adai(start()), {"params": [torch.nn.Parameter(torch.ones(2))], "lr": -1}
    with pytest.raises(ValueError, match="lr is -1"):
        optimizer.add_param_group(group)
    assert group.keys() == {"params", "lr"} and len(optimizer.param_groups) == 1
