"""The mean over all parameters, whoever holds them: processes that share a model train, save and resume as one does."""

from functools import partial

import pytest
import torch
import torch.distributed as dist

from adai import Adai
from tests.optim import sharing
from tests.optim.problems import start
from tests.optim.sharing import OPTIMIZERS, STEPS, TYPES, alone, batch, model

pytestmark = pytest.mark.skipif(not dist.is_gloo_available(), reason="torch was built without gloo")


def works(*functions):
    """Parametrize a test by the keys of these works."""
    keys = [key for key in sharing.all_works() if key[0] in functions]
    return pytest.mark.parametrize("key", keys, ids="-".join)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What the processes came to, all works after one another in one start of them."""
    return sharing.start_processes(tmp_path_factory.mktemp("sharded"))


def result(results, key):
    found = results.get(key, RuntimeError("the processes stopped before"))
    assert not isinstance(found, RuntimeError), str(found)
    return found


def assert_equal(weights, expected, tolerance=1e-12):
    weights, expected = (dict(enumerate(one)) if isinstance(one, list) else one for one in (weights, expected))
    assert weights.keys() == expected.keys()
    for name, value in weights.items():
        torch.testing.assert_close(value, expected[name].detach(), rtol=tolerance, atol=tolerance)


# ── training ──


@works("with_ddp", "with_zero", "with_shards")
def test_processes_that_share_a_model_train_as_one_does(key, results):
    assert_equal(result(results, key), alone(OPTIMIZERS[key[-1]])[0])


@works("with_other_parameters")
def test_processes_that_have_other_parameters_and_not_always_a_gradient_train_as_one_does(key, results):
    _, types, optimizer = key
    params = sharing.shared_out(TYPES[types])
    sharing.with_gaps(params, OPTIMIZERS[optimizer](params))
    assert_equal(result(results, key), params, 1e-12 if types == "float64" else 1e-6)


@works("fewer_tensors_than_processes")
def test_a_process_without_parameters_takes_part(key, results):
    params = start(shapes=[(3,), (4, 2)])
    sharing.with_gaps(params, OPTIMIZERS[key[-1]](params))
    assert_equal(result(results, key), params)


def test_the_shards_of_other_processes_matter():
    """What a mean of each process's own shard would give is another result, so the tests above can fail."""
    network = model()
    one, *others = [Adai([param], lr=0.1) for param in network.parameters()]
    for step in range(STEPS):
        inputs, targets = batch(step)
        network.zero_grad()
        (network(inputs) - targets).square().mean().backward()
        for optimizer in (one, *others):
            optimizer.step()
    expected, _ = alone(partial(Adai, lr=0.1))
    assert max((value - expected[name]).abs().max() for name, value in network.state_dict().items()) > 1e-4


# ── saved and resumed ──


@works("resumed")
def test_a_run_on_shards_is_resumed_bit_for_bit(key, results):
    """By the shards that each process saves, by whole tensors and, of FSDP1, by its own functions."""
    weights = result(results, key)
    uninterrupted = weights.pop("uninterrupted")
    assert "whole tensors" in weights
    for way, resumed in weights.items():
        for name, value in resumed.items():
            assert torch.equal(value, uninterrupted[name]), f"{way}: {name} is another"


@works("resumed_by_fewer")
def test_two_processes_go_on_with_what_three_have_saved(key, results):
    assert_equal(result(results, key), alone(OPTIMIZERS[key[-1]])[0])


@works("resumed_with_zero")
def test_a_consolidated_state_is_resumed_bit_for_bit(key, results):
    uninterrupted, resumed = result(results, key)
    assert_equal(resumed, uninterrupted, 0)


@works("copies_go_on")
def test_copies_take_their_mean_over_the_same_processes(key, results):
    params = sharing.shared_out([torch.float64])
    sharing.train_own(OPTIMIZERS[key[-1]](params), range(STEPS), slice(None))
    for one in result(results, key):
        assert_equal(one, params)


# ── inertia ──


@works("inertia_of_shards", "inertia_of_other_parameters")
def test_inertia_is_that_of_one_process_and_sharded_as_its_parameter(key, results):
    _, made = alone(OPTIMIZERS[key[-1]])
    assert_equal(result(results, key), [beta1 for _, beta1 in made.inertia()])


# ── refused ──


@works("zero_unaware")
def test_a_group_of_processes_in_a_param_group_is_refused_with_the_way_to_give_it(key, results):
    message = result(results, key)
    assert "mean_over" in message and f"functools.partial({key[-1]}, mean_over=" in message


@works("fsdp1_unaware")
def test_a_mean_over_a_part_of_flat_parameters_is_refused(key, results):
    for message in result(results, key):
        assert "FullyShardedDataParallel" in message and "mean_over" in message
