"""Parameters that are pruned, grown or cloned with their state in mid-run, as some trainers do.

What Adai does next is written out here from the state that it is left with; the mean is over what is left.
"""

import copy
import math

import pytest
import torch

from adai.optim.catalogue import OURS
from tests.optim.problems import each_of_ours, feed, start

CORRECTED = {label: entry for label, entry in OURS.items() if entry.takes("mean_over")}
SHAPES = [(6, 2), (5,), (4, 3)]
MASK = torch.tensor([True, False, True, True, False, True])
CHANGES = {
    "pruned": lambda tensor: tensor[MASK[: len(tensor)]],
    "permuted": lambda tensor: tensor.flip(0),
    "cloned": lambda tensor: torch.cat([tensor, tensor[:2]]),
    "grown": lambda tensor: torch.cat([tensor, torch.zeros_like(tensor[:2])]),
    "cut to nothing": lambda tensor: tensor[:0],
}
AGES = {"young": (7, torch.float64, 1e-12), "old": (210, torch.float32, 2e-6)}
"""Steps, type and tolerance; old runs are given an eps at which corrections are spent after some 25 steps."""


def train(optimizer, steps):
    for step in steps:
        feed(optimizer.param_groups[0]["params"], step)
        optimizer.step()


def trained(entry, age, **options):
    steps, dtype, _ = AGES[age]
    if age == "old" and entry.takes("eps"):
        options = options | {"eps": 0.5}
    optimizer = entry.optimizer(start(dtype, SHAPES), **{"lr": 0.05, **options})
    train(optimizer, range(steps))
    return optimizer


def put(optimizer, index, change, forgotten=()):
    """Change a parameter and every tensor of its state that has its shape; return the new parameter."""
    params = optimizer.param_groups[0]["params"]
    old = params[index]
    state = optimizer.state.pop(old)
    new = params[index] = torch.nn.Parameter(change(old.detach()))
    optimizer.state[new] = {
        name: change(value) if value.shape == old.shape and name not in forgotten else value
        for name, value in state.items()
    }
    return new


def next_values(optimizer, weight_decay_is_decoupled):
    """Return where the next step takes each parameter, computed in float64 from the present state and gradients."""
    (group,) = optimizer.param_groups
    lr, (beta0, beta2), eps, decay = (group[name] for name in ("lr", "betas", "eps", "weight_decay"))
    kappa, rows = group.get("dampening", 1.0), []
    for param in group["params"]:
        theta, g = param.detach().double(), param.grad.double()
        m, v, c = (optimizer.state[param][name].double() for name in ("exp_avg", "exp_avg_sq", "bias_correction1"))
        g = g if weight_decay_is_decoupled else g + decay * theta
        v = beta2 * v + (1 - beta2) * g**2
        rows.append((theta, g, m, c, v / (1 - beta2 ** (optimizer.state[param]["step"].item() + 1))))
    v_bar = torch.cat([v_hat.flatten() for *_, v_hat in rows]).mean()
    results = []
    for theta, g, m, c, v_hat in rows:
        inertia = (1 - beta0 * (v_hat / v_bar) ** (1 / (3 - 2 * kappa))).clamp(0, 1 - eps)
        m = inertia * m + (1 - inertia) * (beta0 / (1 - inertia)) ** (1 - kappa) * g
        c = inertia * c + (1 - inertia)
        shrink = 1 - lr * decay if weight_decay_is_decoupled else 1
        results.append(shrink * theta - lr * m / c)
    return results


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("age", AGES)
@pytest.mark.parametrize(
    ("entry", "options"),
    [pytest.param(entry, one, id=f"{label}-{one}") for label, entry in CORRECTED.items() for one in entry.inputs],
)
def test_a_parameter_changed_with_its_state_goes_on_by_the_formula(entry, options, age, change):
    optimizer = trained(entry, age, **options | {"weight_decay": 0.02})
    put(optimizer, 0, change)
    for step in (1, 2):  # in the second, what the first has left is tried as well
        feed(optimizer.param_groups[0]["params"], step)
        expected = next_values(optimizer, entry.label != "Adai")
        optimizer.step()
        for param, value in zip(optimizer.param_groups[0]["params"], expected, strict=True):
            torch.testing.assert_close(param.detach().double(), value, rtol=0, atol=AGES[age][2])


@pytest.mark.parametrize("entry", CORRECTED.values(), ids=CORRECTED)
def test_new_rows_in_an_old_run_are_corrected_from_their_first_gradient_on(entry):
    optimizer = trained(entry, "old")
    optimizer.param_groups[0]["eps"] = 1e-3
    grown = put(optimizer, 0, CHANGES["grown"])
    for step in range(1, 251):  # past any look for corrections that are spent
        for param in optimizer.param_groups[0]["params"]:
            param.grad = torch.ones_like(param)
        grown.grad[-2:] = 1e-4  # so quiet that their inertia is the largest, 1 - eps
        optimizer.step()
        correction = optimizer.state[grown]["bias_correction1"]
        assert correction[-2:].sub(1 - (1 - 1e-3) ** step).abs().max() < 1e-5
        assert correction[:-2].min() == 1


@pytest.mark.parametrize("age", AGES)
@each_of_ours
def test_a_tensor_that_was_forgotten_is_named_with_both_shapes_and_nothing_moves(entry, age):
    names = {name for name in trained(entry, "young").state_dict()["state"][0] if name != "step"}
    for forgotten in names:
        optimizer = trained(entry, age)
        new = put(optimizer, 0, CHANGES["pruned"], forgotten=(forgotten,))
        params = optimizer.param_groups[0]["params"]
        before, values = copy.deepcopy(optimizer.state_dict()["state"]), [param.detach().clone() for param in params]
        feed(params, 1)
        with pytest.raises(ValueError, match=rf"{forgotten}.*\(6, 2\).*\({MASK.sum()}, 2\)"):
            optimizer.step()
        assert all(torch.equal(*pair) for pair in zip(params, values, strict=True))
        for index, state in optimizer.state_dict()["state"].items():
            assert all(torch.equal(value, before[index][name]) for name, value in state.items())
        optimizer.state[new][forgotten] = CHANGES["pruned"](optimizer.state[new][forgotten])
        optimizer.step()
        assert not any(torch.equal(*pair) for pair in zip(params, values, strict=True))


@each_of_ours
def test_a_parameter_that_lost_its_state_begins_anew(entry):
    optimizer = trained(entry, "young")
    params = optimizer.param_groups[0]["params"]
    new = params[0] = torch.nn.Parameter(params[0].detach()[MASK].clone())
    feed(params, 1)
    optimizer.step()
    assert optimizer.state[new]["step"] == 1
    assert all(value.shape in ((), new.shape) for value in optimizer.state[new].values())
    assert math.isfinite(new.sum().item())
