"""The mean over all parameters, whoever holds them: processes that share a model train as one process does."""

import os
import socket
import sys
import time
from functools import partial

import pytest
import torch
import torch.distributed as dist
import torch.distributed.fsdp
import torch.multiprocessing as mp
from torch import nn

from adai import Adai
from adai.optim.catalogue import OURS

FSDP2 = hasattr(torch.distributed.fsdp, "fully_shard")  # public from torch 2.6 on
STEPS = 20
PROCESSES = 3
pytestmark = pytest.mark.skipif(not dist.is_gloo_available(), reason="torch was built without gloo")


def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        # 7, 5 and 2 rows share out unevenly over 3 processes.
        return nn.Sequential(nn.Linear(4, 7), nn.Tanh(), nn.Linear(7, 5), nn.Tanh(), nn.Linear(5, 2)).double()


def batch(step):
    generator = torch.Generator().manual_seed(step)
    return (
        torch.randn(2 * PROCESSES, 4, generator=generator, dtype=torch.float64),
        torch.randn(2 * PROCESSES, 2, generator=generator, dtype=torch.float64),
    )


def train(network, optimizer, steps, rank=None):
    share = slice(None) if rank is None else slice(2 * rank, 2 * rank + 2)
    for step in steps:
        inputs, targets = (tensor[share] for tensor in batch(step))
        optimizer.zero_grad()
        (network(inputs) - targets).square().mean().backward()
        optimizer.step()


def alone(optimizer, steps=STEPS):
    network = model()
    train(network, optimizer(network.parameters()), range(steps))
    return {name: value.detach() for name, value in network.state_dict().items()}


def process(rank, port, folder):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), OMP_NUM_THREADS="1")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=PROCESSES)
    try:
        works = [work for work in WORKS if FSDP2 or work not in (with_fsdp, with_fsdp_resumed)]
        results = {(work.__name__, name): work(OPTIMIZERS[name], rank) for work in works for name in OPTIMIZERS}
        results["error"] = with_zero_unaware(rank)
        if rank == 0:
            torch.save(results, folder / "results.pt")
    finally:
        time.sleep(0.1)  # as in adai.training.processes.process_group
        dist.destroy_process_group()


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What the processes came to, all trainings after one another in one start of them."""
    folder = tmp_path_factory.mktemp("sharded")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.set_forkserver_preload(["torch", "adai"])  # once for all of them; macOS does not like forks of it
    method = "forkserver" if sys.platform == "linux" else "spawn"
    mp.start_processes(process, (port, folder), nprocs=PROCESSES, start_method=method)
    return torch.load(folder / "results.pt")


def assert_equal(weights, expected):
    assert weights.keys() == expected.keys()
    for name, value in weights.items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-12)


def with_ddp(optimizer, rank):
    network = nn.parallel.DistributedDataParallel(model())
    train(network, optimizer(network.parameters()), range(STEPS), rank)
    return network.module.state_dict()


def fully_sharded():
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh("cpu", (PROCESSES,))
    network = model()
    for layer in network:
        if isinstance(layer, nn.Linear):
            fully_shard(layer, mesh=mesh)
    return fully_shard(network, mesh=mesh)


def with_fsdp(optimizer, rank):
    network = fully_sharded()
    train(network, optimizer(network.parameters()), range(STEPS), rank)
    return {name: value.full_tensor() for name, value in network.state_dict().items()}


def with_fsdp_resumed(optimizer, rank):
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict

    network = fully_sharded()
    torch_optimizer = optimizer(network.parameters())
    train(network, torch_optimizer, range(STEPS // 2), rank)
    full = StateDictOptions(full_state_dict=True)
    saved, saved_state = get_state_dict(network, torch_optimizer, options=full)
    network = fully_sharded()
    torch_optimizer = optimizer(network.parameters())
    set_state_dict(network, torch_optimizer, model_state_dict=saved, optim_state_dict=saved_state, options=full)
    train(network, torch_optimizer, range(STEPS // 2, STEPS), rank)
    return {name: value.full_tensor() for name, value in network.state_dict().items()}


def with_zero(optimizer, rank):
    from torch.distributed.optim import ZeroRedundancyOptimizer

    network = nn.parallel.DistributedDataParallel(model())
    kind, options = optimizer.func, optimizer.keywords
    if OURS[kind.__name__].takes("mean_over"):
        options = options | {"mean_over": dist.group.WORLD}
    sharded = ZeroRedundancyOptimizer(network.parameters(), kind, **options)
    train(network, sharded, range(STEPS), rank)
    return network.module.state_dict()


def with_zero_unaware(rank):
    from torch.distributed.optim import ZeroRedundancyOptimizer

    try:
        ZeroRedundancyOptimizer(model().parameters(), Adai, lr=0.1)
    except ValueError as error:
        return str(error)
    return "no error"


WORKS = [with_ddp, with_fsdp, with_fsdp_resumed, with_zero]
OPTIMIZERS = {label: partial(entry.optimizer, lr=0.01, **entry.inputs[1]) for label, entry in OURS.items()}


@pytest.mark.parametrize("work", [work.__name__ for work in WORKS])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_processes_that_share_a_model_train_as_one_does(work, optimizer, results):
    if (work, optimizer) not in results:
        pytest.skip("this torch has no public FSDP2")
    assert_equal(results[work, optimizer], alone(OPTIMIZERS[optimizer]))


def test_a_mean_over_a_part_of_the_parameters_is_refused(results):
    assert "mean_over is None" in results["error"]


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
    expected = alone(partial(Adai, lr=0.1))
    assert max((value - expected[name]).abs().max() for name, value in network.state_dict().items()) > 1e-4
