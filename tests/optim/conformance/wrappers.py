"""Wrappers that shard, with a process group of one process; test_sharded.py has several."""

import torch
from torch import nn

from tests.optim.conformance.case import AGES, behaviour, one_process
from tests.optim.problems import assert_close, through_a_file

MORE = range(5)


def model(dtype):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 7), nn.Tanh(), nn.Linear(7, 3)).to(dtype)


def train(network, optimizer, steps):
    for step in steps:
        generator = torch.Generator().manual_seed(step)
        dtype = next(network.parameters()).dtype
        inputs, targets = (torch.randn(6, size, generator=generator).to(dtype) for size in (4, 3))
        optimizer.zero_grad()
        (network(inputs) - targets).square().mean().backward()
        optimizer.step()


def grow_old(network, optimizer, steps):
    """Train, for the most part by the same gradients, since passes through a wrapper take long."""
    train(network, optimizer, range(2))
    for _ in range(steps - 2):
        optimizer.step()


def resumes_under(case, wrap, save, load):
    """Assert that a wrapped module trains as a plain one, and that a saved run goes on bit for bit in a new one.

    Args:
        case: the optimizer.
        wrap: returns from a module and an optimizer's class and options the wrapped module and its optimizer.
        save: returns from these two what to keep.
        load: gives it to two others.
    """
    for age, dtype in (("young", torch.float64), ("old", torch.float32)):
        steps, options = AGES[age], {"lr": 0.01, **case.options(age)}
        with one_process() as group:
            wrapped = wrap(model(dtype), case.over(group), options)
            grow_old(*wrapped, steps)
            kept = save(*wrapped)
            resumed = wrap(model(dtype), case.over(group), options)
            load(*resumed, kept)
            train(*wrapped, MORE)
            train(*resumed, MORE)
            results = [values(*one) for one in (wrapped, resumed)]
        plain = model(dtype)
        alone = plain, case(plain.parameters(), **options)
        grow_old(*alone, steps)
        train(*alone, MORE)
        assert_close(results[1], results[0])
        assert_close(results[0], plain.state_dict().values(), 1e-12 if dtype == torch.float64 else 1e-4)


def values(network, optimizer):
    """Return the whole tensors of a wrapped module, in its order."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    return get_model_state_dict(network, options=StateDictOptions(full_state_dict=True)).values()


def save_full(network, optimizer):
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict

    return through_a_file(get_state_dict(network, optimizer, options=StateDictOptions(full_state_dict=True)))


def load_full(network, optimizer, kept):
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_state_dict

    weights, state = kept
    options = StateDictOptions(full_state_dict=True)
    set_state_dict(network, optimizer, model_state_dict=weights, optim_state_dict=state, options=options)


@behaviour
def fsdp1(case):
    """FullyShardedDataParallel: trains as without, and its optim_state_dict resumes bit for bit, young and old"""
    from torch.distributed.fsdp import FullyShardedDataParallel as FSDP

    def save(network, optimizer):
        return through_a_file((network.state_dict(), FSDP.optim_state_dict(network, optimizer)))

    def load(network, optimizer, kept):
        weights, state = kept
        network.load_state_dict(weights)
        optimizer.load_state_dict(FSDP.optim_state_dict_to_load(network, optimizer, state))

    for original in (False, True):

        def wrap(network, kind, options, original=original):
            network = FSDP(network, use_orig_params=original, device_id=torch.device("cpu"))
            return network, kind(network.parameters(), **options)

        resumes_under(case, wrap, save, load)


@behaviour
def fsdp2(case):
    """fully_shard: trains as without, and its full state resumes bit for bit, young and old"""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    def wrap(network, kind, options):
        fully_shard(network, mesh=init_device_mesh("cpu", (1,)))
        return network, kind(network.parameters(), **options)

    resumes_under(case, wrap, save_full, load_full)


@behaviour
def zero(case):
    """ZeroRedundancyOptimizer: trains as without, and its consolidated state resumes bit for bit, young and old"""
    from torch.distributed.optim import ZeroRedundancyOptimizer

    def wrap(network, kind, options):
        return network, ZeroRedundancyOptimizer(network.parameters(), kind, **options)

    def save(network, optimizer):
        optimizer.consolidate_state_dict()
        return through_a_file((network.state_dict(), optimizer.state_dict()))

    def load(network, optimizer, kept):
        weights, state = kept
        network.load_state_dict(weights)
        optimizer.load_state_dict(state)

    resumes_under(case, wrap, save, load)
