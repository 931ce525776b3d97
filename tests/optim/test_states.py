"""An optimizer's state: what it holds, that it resumes and is copied bit for bit, and that a foreign one is refused."""

import copy
import pickle

import pytest
import torch

from adai import Adai, AdaiW
from adai.optim.catalogue import OURS
from tests.optim.problems import (
    arrays,
    assert_close,
    each_of_ours,
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


def test_state_has_the_fields_names_and_the_parameters_shape():
    params = start(shapes=[(2, 3)])
    params[0].grad = torch.ones(2, 3, dtype=torch.float64)
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


def test_a_state_saved_before_there_were_sums_is_taken_up():
    params, optimizer = trained(Adai)
    saved = copy.deepcopy(optimizer.state_dict())
    for state in saved["state"].values():
        del state["exp_avg_sq_sum"]
    for group in saved["param_groups"]:
        for name in ("foreach", "fused", "capturable", "differentiable"):
            del group[name]
    old = Adai(twins(params))
    old.load_state_dict(saved)
    for one in (params, old.param_groups[0]["params"]):
        feed(one, 100)  # the third, which has had fewer gradients than the others, has one
    optimizer.step()
    old.step()
    assert_close(old.param_groups[0]["params"], params, 1e-12)


# ── spent corrections ──


@pytest.mark.parametrize("optimizer", [Adai, AdaiW])
def test_dropping_a_correction_that_has_become_1_changes_no_bit(optimizer, monkeypatch):
    """The drop is at step 1000: 1 - 0.9828^1000 rounds to 1 in float32, and 1 - 0.9875^1000 does not, so it stays."""

    def run(eps, keep):
        with monkeypatch.context() as patch:
            if keep:
                patch.setattr(optimizer, "_drop_spent_corrections", lambda self: None)
            return trained(optimizer, steps=1010, dtype=torch.float32, shapes=[(3, 4), (5,)], scale=1e-3, eps=eps)

    for eps, dropped in ((0.0172, True), (0.0125, False)):
        (params, ours), (kept, keeping) = run(eps, keep=False), run(eps, keep=True)
        assert (ours.state[params[0]]["bias_correction1"].shape == ()) == dropped
        assert keeping.state[kept[0]]["bias_correction1"].shape == (3, 4)
        assert all(torch.equal(one, other) for one, other in zip(params, kept, strict=True))


def test_a_parameter_that_came_late_keeps_its_correction_where_others_drop_theirs(monkeypatch):
    def run():
        early, late = start(torch.float32, shapes=[(3,), (3,)])
        optimizer = Adai([early, late], eps=0.5)
        for step in range(1010):
            feed([early, late], step, scale=1e-3)
            if step < 995:
                late.grad = None
            optimizer.step()
        return [early, late], [optimizer.state[one]["bias_correction1"].shape for one in (early, late)]

    params, shapes = run()
    assert shapes == [(), (3,)]
    monkeypatch.setattr(Adai, "_drop_spent_corrections", lambda self: None)
    assert_close(params, run()[0], 1e-6)


@pytest.mark.parametrize("path", ["capturable", "differentiable"])
def test_a_graph_that_was_captured_finds_its_corrections_where_they_were(path):
    weight = torch.ones(3)
    weight.grad = torch.ones(3)
    optimizer = Adai([weight], eps=0.5, **{path: True})
    for _ in range(1000):
        optimizer.step()
    assert optimizer.state[weight]["bias_correction1"].shape == (3,)


def test_a_dropped_correction_is_resumed():
    def run(interrupted):
        params = start(torch.float32, shapes=[(3, 4), (5,)])
        optimizer = Adai(params, eps=0.5)
        for step in range(1010):
            feed(params, step, scale=1e-3)
            optimizer.step()
            if step == interrupted:
                saved = copy.deepcopy(optimizer.state_dict())
                optimizer = Adai(params, eps=0.5)
                optimizer.load_state_dict(saved)
        return params, optimizer

    params, _ = run(None)
    for interrupted in (700, 1005):  # before the drop at step 1000, and after it
        again, resumed = run(interrupted)
        assert all(torch.equal(one, other) for one, other in zip(params, again, strict=True))
        assert resumed.state[again[0]]["bias_correction1"].shape == ()


# ── refused ──


@pytest.mark.parametrize(
    ("foreign", "message"),
    [
        (lambda params: torch.optim.Adam(params), "parameter 0 has step, exp_avg, exp_avg_sq, but no bias_correction1"),
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
