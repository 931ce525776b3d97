"""Arguments of the optimizers: what is out of range or of a wrong kind is refused by name, and nothing has changed."""

import pytest
import torch

from adai.optim.catalogue import OURS
from tests.optim.problems import arrays, assert_close, each_of_ours, largest_difference, run, start

OF_ALL = (
    ({"lr": -0.1}, r"lr is -0\.1, but must satisfy 0 <=? lr < inf"),
    ({"lr": float("nan")}, "lr is nan"),
    ({"lr": float("inf")}, "lr is inf"),
    ({"lr": torch.ones(2)}, r"Tensor lr must be 1-element, but it has shape \(2,\)"),
    ({"betas": (0.1, 1.0)}, r"beta2 \(betas\[1\]\) is 1\.0, but must satisfy 0 <= beta2 < 1"),
    ({"betas": (0.1, -0.5)}, r"beta2 .*is -0\.5"),
    ({"betas": (0.1,)}, r"betas must be the pair \(beta"),
    ({"weight_decay": -1.0}, r"weight_decay is -1\.0, but must satisfy 0 <= weight_decay"),
)
errors = [
    pytest.param(entry, options, message, id=f"{label}-{options}")
    for label, entry in OURS.items()
    for options, message in (*OF_ALL, *entry.errors)
]
not_numbers = [
    pytest.param(entry, {name: value}, f"{name}={value!r}", id=f"{label}-{name}={value!r}")
    for label, entry in OURS.items()
    for name, value in (("lr", "0.1"), ("betas", 0.9), *((name, None) for name in entry.hyperparameters))
]


def one():
    return [torch.nn.Parameter(torch.ones(1))]


@pytest.mark.parametrize(("entry", "options", "message"), errors)
def test_bad_hyperparameters_are_named_with_value_and_range(entry, options, message):
    with pytest.raises(ValueError, match=message):
        entry.optimizer(one(), **options)
    good = entry.optimizer(one())
    with pytest.raises(ValueError, match=message):
        good.add_param_group({"params": one(), **options})
    assert len(good.param_groups) == 1


@pytest.mark.parametrize(("entry", "options", "named"), not_numbers)
def test_a_hyperparameter_that_is_no_number_is_named(entry, options, named):
    with pytest.raises(TypeError, match=rf"must be numbers.*{named}"):
        entry.optimizer(one(), **options)
    good = entry.optimizer(one())
    with pytest.raises(TypeError, match=named):
        good.add_param_group({"params": one(), **options})
    assert len(good.param_groups) == 1


@pytest.mark.parametrize("lr", [torch.tensor(0.25), torch.tensor([0.25])], ids=["0-d", "1-d"])
@pytest.mark.parametrize(("capturable", "tolerance"), [(False, 0), (True, 1e-7)])  # the tensor is float32
@each_of_ours
def test_lr_may_be_a_tensor(entry, lr, capturable, tolerance):
    values, gradients = arrays(13, steps=5)
    number, tensor = (run(entry.optimizer, values, gradients, lr=one, capturable=capturable) for one in (0.25, lr))
    assert largest_difference(number, tensor) <= tolerance


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
@each_of_ours
def test_what_is_no_parameter_is_refused(entry, params, error, message):
    with pytest.raises(error, match=message):
        entry.optimizer(params())
    good = entry.optimizer(one())
    if message.startswith(("can't", "parameter", "optimizer can")):
        with pytest.raises(error, match=message):
            good.add_param_group({"params": params()})
        assert len(good.param_groups) == 1


@each_of_ours
@pytest.mark.filterwarnings("ignore:optimizer contains a parameter group with duplicate parameters")
def test_the_same_parameter_twice_is_refused(entry):
    first, param, new = (torch.nn.Parameter(torch.ones(size)) for size in (2, 3, 3))
    optimizer = entry.optimizer([first, param])
    with pytest.raises(ValueError, match="appear in more than one"):
        optimizer.add_param_group({"params": [param]})
    refusal = r"parameter 2 of the group, of shape \(3,\), is also its parameter 1, but each must appear once"
    with pytest.raises(ValueError, match=refusal):
        optimizer.add_param_group({"params": iter([*one(), new, new])})
    assert [group["params"] for group in optimizer.param_groups] == [[first, param]]
    with pytest.raises(ValueError, match=refusal):
        entry.optimizer([first, param, param])


@each_of_ours
def test_sparse_gradients_are_refused_before_anything_changes(entry):
    dense, table = torch.nn.Parameter(torch.ones(2)), torch.nn.Embedding(4, 3, sparse=True)
    optimizer = entry.optimizer([dense, table.weight])
    (dense.sum() + table(torch.tensor([1])).sum()).backward()
    with pytest.raises(RuntimeError, match=rf"^{entry.label} needs dense gradients.*\(4, 3\).*sparse=False"):
        optimizer.step()
    assert torch.equal(dense, torch.ones(2))
    assert not optimizer.state


@each_of_ours
def test_without_gradients_nothing_moves_and_no_state_is_made(entry):
    params = start()
    optimizer = entry.optimizer(params, weight_decay=0.1)
    assert optimizer.step() is None
    assert_close(params, start())
    assert not optimizer.state
