"""Hooks around loading: recipes of torch for named parameters, the order of hooks, what a refusal leaves."""

import copy
import zlib

import torch

from tests.optim.conformance.case import assert_same_dict, assert_same_state, behaviour, frozen, go_on, refused, twin
from tests.optim.problems import assert_close

# All of one shape: a state that came to the wrong parameter is not given away by it.
SHAPE = (3, 2)


def named(*names):
    """Return parameters by their names; each name has its own value."""
    return {name: torch.nn.Parameter(drawn(name, 0)) for name in names}


def drawn(name, step):
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()) + step)
    return torch.randn(SHAPE, dtype=torch.float64, generator=generator)


def train(optimizer, params, steps):
    """Give each parameter the gradients of its name; "early" has its last one in the second step."""
    for step in steps:
        for name, param in params.items():
            param.grad = None if name == "early" and step > 2 else drawn(name, step)
        optimizer.step()


def trained(case, *names):
    params = named(*names)
    optimizer = case(params.items())
    train(optimizer, params, range(1, 6))
    return params, optimizer


def by_name(optimizer, state_dict):
    """Return the states of all groups by the names of their parameters."""
    return {
        name: state_dict["state"][index]
        for group in state_dict["param_groups"]
        for name, index in zip(group["param_names"], group["params"], strict=True)
        if index in state_dict["state"]
    }


def taking(source):
    """Return a hook by which a parameter takes the state of the one that `source` names for it, if there is one."""

    def hook(optimizer, state_dict):
        adapted, saved = optimizer.state_dict(), by_name(optimizer, state_dict)
        for group, its in zip(adapted["param_groups"], state_dict["param_groups"], strict=True):
            group.update({key: value for key, value in its.items() if key not in ("params", "param_names")})
            for name, index in zip(group["param_names"], group["params"], strict=True):
                if source(name) in saved:
                    adapted["state"][index] = copy.deepcopy(saved[source(name)])
        return adapted

    return hook


def assert_states(optimizer, expected):
    """Assert that every named parameter has this state bit for bit, and that no other has one."""
    groups = optimizer.state_dict()["param_groups"]
    held = by_name(optimizer, optimizer.state_dict())
    assert_same_dict({"state": held, "param_groups": groups}, {"state": expected, "param_groups": groups})


@behaviour
def matched_by_name(case):
    """a load hook matches states to parameters by their names"""
    params, optimizer = trained(case, "early", "first", "second")
    saved = frozen(optimizer)
    reordered = {name: torch.nn.Parameter(params[name].detach().clone()) for name in ("second", "early", "first")}
    resumed = case(reordered.items(), lr=0.5)
    resumed.register_load_state_dict_pre_hook(taking(lambda name: name))
    resumed.load_state_dict(saved)
    assert_states(resumed, by_name(optimizer, saved))
    train(optimizer, params, range(6, 9))
    train(resumed, reordered, range(6, 9))
    assert_close([reordered[name] for name in params], params.values(), 1e-12)


@behaviour
def one_state_for_two(case):
    """a load hook gives two new layers the state of an old one, and each goes on by itself"""
    _, optimizer = trained(case, "early", "layer")
    saved = frozen(optimizer)
    params = named("left", "right", "early")
    resumed = case(params.items())
    resumed.register_load_state_dict_pre_hook(taking(lambda name: "early" if name == "early" else "layer"))
    resumed.load_state_dict(saved)
    old = by_name(optimizer, saved)
    assert_states(resumed, {"left": old["layer"], "right": old["layer"], "early": old["early"]})
    params["left"].grad = drawn("left", 6)
    resumed.step()
    held = by_name(resumed, resumed.state_dict())
    assert held["left"]["step"] == old["layer"]["step"] + 1
    assert_close(held["right"].values(), old["layer"].values())


@behaviour
def a_layer_without_state(case):
    """a load hook leaves a new layer without state, which starts with its first gradient"""
    params, optimizer = trained(case, "early", "first")
    saved = frozen(optimizer)
    grown = {"new": named("new")["new"]}
    grown |= {name: torch.nn.Parameter(param.detach().clone()) for name, param in params.items()}
    resumed = case(grown.items())
    resumed.register_load_state_dict_pre_hook(taking(lambda name: name))
    resumed.load_state_dict(saved)
    assert_states(resumed, by_name(optimizer, saved))
    for param in (params["first"], grown["first"]):
        param.grad = drawn("first", 6)
    optimizer.step()
    resumed.step()
    assert_close([grown[name] for name in params], params.values(), 1e-12)
    assert_close([grown["new"]], [named("new")["new"]])
    train(resumed, grown, range(7, 8))
    assert by_name(resumed, resumed.state_dict())["new"]["step"] == 1


@behaviour
def a_forgotten_layer(case):
    """a load hook that changes its copy of the dict in place makes one layer begin anew"""
    params, optimizer = trained(case, "first", "second")
    saved = frozen(optimizer)

    def forget(_, state_dict):
        state_dict["state"] = {index: state for index, state in state_dict["state"].items() if index != 1}

    resumed = twin(case, params.values())
    resumed.register_load_state_dict_pre_hook(forget)
    resumed.load_state_dict(saved)
    assert set(saved["state"]) == {0, 1} and set(resumed.state_dict()["state"]) == {0}
    go_on(resumed)
    assert [state["step"].item() for state in resumed.state_dict()["state"].values()] == [8, 3]


@behaviour
def an_older_form(case):
    """a load hook brings a dict of an older form up to date"""
    params, optimizer = case.trained()
    old = frozen(optimizer)
    for state in old["state"].values():
        state["momentum"] = state.pop("exp_avg")
    for group in old["param_groups"]:
        del group["weight_decay"]

    def upgrade(one, state_dict):
        for state in state_dict["state"].values():
            state["exp_avg"] = state.pop("momentum")
        for group in state_dict["param_groups"]:
            group["weight_decay"] = one.defaults["weight_decay"]

    resumed = twin(case, params)
    resumed.register_load_state_dict_pre_hook(upgrade)
    resumed.load_state_dict(old)
    assert_same_state(resumed, frozen(optimizer))
    assert_close(go_on(resumed), go_on(optimizer))


@behaviour
def order_of_hooks(case):
    """load hooks run in order, those with prepend first, each on what the last one left, a removed one no more"""
    _, optimizer = case.trained(lr=0.5)
    saved = frozen(optimizer)
    optimizer.load_state_dict(saved)  # hooks that come after a first load are called all the same
    seen = []

    def setting(change):
        def hook(_, state_dict):
            groups = [group | {"lr": change(group["lr"])} for group in state_dict["param_groups"]]
            return {**state_dict, "param_groups": groups}

        return hook

    def look(name):
        return lambda one: seen.append((name, one.param_groups[0]["lr"]))

    optimizer.register_load_state_dict_pre_hook(setting(lambda lr: 2 * lr))
    optimizer.register_load_state_dict_pre_hook(setting(lambda lr: lr + 1))
    first = optimizer.register_load_state_dict_pre_hook(setting(lambda lr: lr + 4), prepend=True)
    optimizer.register_load_state_dict_post_hook(look("second"))
    optimizer.register_load_state_dict_post_hook(look("first"), prepend=True)
    optimizer.load_state_dict(saved)
    first.remove()
    optimizer.load_state_dict(saved)
    assert seen == [("first", 10.0), ("second", 10.0), ("first", 2.0), ("second", 2.0)], seen


@behaviour
def the_dict_stays(case):
    """loading changes nothing in the dict that it is given"""
    params, optimizer = case.trained(dtype=torch.float32)
    saved = frozen(optimizer)
    for state in saved["state"].values():
        state["step"] = state["step"].item()  # which is taken up as a tensor
    given = copy.deepcopy(saved)
    twin(case, params).load_state_dict(given)
    assert_same_dict(given, saved)
    assert all(isinstance(state["step"], float) for state in given["state"].values())


@behaviour
def a_refused_state(case):
    """a state that a hook or the optimizer refuses leaves parameters and state bit for bit, and training goes on"""
    params, optimizer = case.trained()
    before, values = frozen(optimizer), [param.detach().clone() for param in params]
    good, short = frozen(case.trained(steps=9, lr=0.02)[1]), frozen(case(params[:-1], lr=0.02))

    def fails(_, state_dict):
        state_dict["param_groups"][0]["lr"] = 7.0
        raise LookupError("no such name")

    def shortens(_, state_dict):
        return copy.deepcopy(short)

    for error, hook in ((LookupError, fails), (ValueError, shortens)):
        handle = optimizer.register_load_state_dict_pre_hook(hook)
        refused(error, optimizer.load_state_dict, copy.deepcopy(good))
        handle.remove()
        assert_same_state(optimizer, before)
        assert_close(params, values)
    refused(ValueError, optimizer.load_state_dict, short)
    assert_same_state(optimizer, before)
    other = case.trained()[1]  # one to which nothing of this has happened
    assert_close(go_on(optimizer), go_on(other))
    optimizer.load_state_dict(good)
    assert_same_state(optimizer, good)
