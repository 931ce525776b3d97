"""Processes that share a model or its optimizer: one start of them does all the works that test_sharded.py asks for."""

import contextlib
import copy
import datetime
import os
import pickle
import socket
import sys
import time
import traceback
from functools import partial

import torch
import torch.distributed as dist
import torch.distributed.fsdp
import torch.multiprocessing as mp
from torch import nn

from adai.optim.catalogue import OURS
from tests.optim.problems import SMALL, feed, start, through_a_file

FSDP2 = hasattr(torch.distributed.fsdp, "fully_shard")  # public from torch 2.6 on
STEPS = 10
MORE = range(STEPS, STEPS + 5)
PROCESSES = 3
OPTIMIZERS = {label: partial(entry.optimizer, lr=0.01, **entry.inputs[1]) for label, entry in OURS.items()}
COUPLED = {label: OPTIMIZERS[label] for label, entry in OURS.items() if entry.takes("mean_over")}
ONE, TWO = ({label: OPTIMIZERS[label] for label in labels} for labels in (["AdaiW"], ["AdaiW", "AdaiV2"]))
AGES = {"young": (STEPS, torch.float64, {}), "old": (110, torch.float32, {"eps": 0.5})}
"""Steps, type and options; with this eps, bias corrections are spent after some 25 steps."""


def model(dtype=torch.float64):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        # 7, 5 and 2 rows share out unevenly over 3 processes, and so do all elements of the first two layers.
        return nn.Sequential(nn.Linear(4, 7), nn.Tanh(), nn.Linear(7, 5), nn.Tanh(), nn.Linear(5, 2)).to(dtype)


def batch(step, dtype=torch.float64):
    generator = torch.Generator().manual_seed(step)
    return (torch.randn(2 * PROCESSES, size, generator=generator, dtype=torch.float64).to(dtype) for size in (4, 2))


def train(network, optimizer, steps, rank=0, processes=1):
    """Train on this process's share of each batch."""
    for step in steps:
        inputs, targets = batch(step, next(network.parameters()).dtype)
        optimizer.zero_grad()
        (network(inputs.chunk(processes)[rank]) - targets.chunk(processes)[rank]).square().mean().backward()
        optimizer.step()


def alone(optimizer, steps=STEPS):
    """Return a model's weights after training in one process, and its optimizer."""
    network = model()
    made = optimizer(network.parameters())
    train(network, made, range(steps))
    return {name: value.detach() for name, value in network.state_dict().items()}, made


def over_all(optimizer):
    """Return the optimizer's class, told that all processes hold the parameters together, and its other arguments."""
    kind, options = optimizer.func, optimizer.keywords
    takes = OURS[kind.__name__].takes("mean_over")
    return partial(kind, mean_over=dist.group.WORLD) if takes else kind, options


def optimizer_of(network, optimizer, **more):
    """Return a wrapped model's optimizer, told who holds the other elements if it cannot see that it has shards."""
    if hasattr(next(network.parameters()), "placements"):
        return optimizer(network.parameters(), **more)
    kind, options = over_all(optimizer)
    return kind(network.parameters(), **options | more)


def refusal(call, *arguments, **options):
    """Return the message of the ValueError that a call ends in."""
    try:
        call(*arguments, **options)
    except ValueError as error:
        return str(error)
    return "no error"


# ── wrapped models, each with the weights of `model` ──


def ddp(dtype=torch.float64):
    return nn.parallel.DistributedDataParallel(model(dtype))


def fsdp1(dtype=torch.float64, original=False):
    from torch.distributed.fsdp import FullyShardedDataParallel
    from torch.distributed.fsdp.wrap import ModuleWrapPolicy

    # Each layer for itself, so that some flat parameters are padded to be shared out evenly.
    options = {"auto_wrap_policy": ModuleWrapPolicy({nn.Linear}), "device_id": torch.device("cpu")}
    return FullyShardedDataParallel(model(dtype), use_orig_params=original, **options)


def fsdp2(dtype=torch.float64, mesh=None):
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = mesh or init_device_mesh("cpu", (PROCESSES,))
    network = model(dtype)
    for layer in network:
        if isinstance(layer, nn.Linear):
            fully_shard(layer, mesh=mesh)
    return fully_shard(network, mesh=mesh)


WRAPPERS = {"FSDP1": fsdp1, "FSDP1, use_orig_params": partial(fsdp1, original=True)}
if FSDP2:
    WRAPPERS["FSDP2"] = fsdp2


def whole(network):
    """Return a wrapped model's weights by their names, each as one tensor."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    return get_model_state_dict(network, options=StateDictOptions(full_state_dict=True))


# ── works: what one process does, the others doing the same ──


def with_ddp(optimizer, rank, folder):
    network = ddp()
    train(network, optimizer(network.parameters()), range(STEPS), rank, PROCESSES)
    return network.module.state_dict()


def with_shards(optimizer, rank, folder, wrap):
    network = wrap()
    train(network, optimizer_of(network, optimizer), range(STEPS), rank, PROCESSES)
    return whole(network)


def aged(wrap, optimizer, age, rank):
    """Return a wrapped model and its optimizer after some steps, the most of them by the same gradients."""
    steps, dtype, more = AGES[age]
    network = wrap(dtype)
    made = optimizer_of(network, optimizer, **more)
    train(network, made, range(2), rank, PROCESSES)
    for _ in range(steps - 2):
        made.step()
    return network, made


def fresh(wrap, optimizer, age):
    _, dtype, _ = AGES[age]
    network = wrap(dtype)
    return network, optimizer_of(network, optimizer)


def resumed(optimizer, rank, folder, wrap, age):
    """Return the weights of a run, and of those that go on with what it has saved, by the ways to save it."""
    before = aged(wrap, optimizer, age, rank)
    after = {"whole tensors": fresh(wrap, optimizer, age)}
    carry_whole(before, after["whole tensors"])
    if wrap is fsdp1:  # with use_orig_params, torch on a CPU gives all tensors of a state the memory of one
        after["FSDP's own functions"] = fresh(wrap, optimizer, age)
        carry_by_fsdp(before, after["FSDP's own functions"])
    if FSDP2:  # torch 2.4 cannot load the shards of FSDP1 where a process has no element of a tensor
        takers = {"shards": fresh(wrap, optimizer, age)}
        if age == "old":
            takers["shards, by a trained optimizer"] = aged(wrap, optimizer, age, rank)
        save_shards(before, folder)
        for taker in takers.values():
            load_shards(taker, folder)
        after |= takers
    ones = {"uninterrupted": before, **after}
    for network, made in ones.values():
        train(network, made, MORE, rank, PROCESSES)
    return {way: whole(network) for way, (network, _) in ones.items()}


def save_shards(before, folder):
    import torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.state_dict import get_state_dict

    weights, state = get_state_dict(*before)
    dcp.save({"weights": weights, "state": state}, checkpoint_id=folder)


def load_shards(after, folder, process_group=None):
    import torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict

    weights, state = get_state_dict(*after)
    planner = dcp.DefaultLoadPlanner(flatten_sharded_tensors=False)  # else torch loses the groups of FSDP1
    saved = {"weights": weights, "state": state}
    dcp.load(saved, checkpoint_id=folder, planner=planner, process_group=process_group)
    set_state_dict(*after, model_state_dict=weights, optim_state_dict=state)


def carry_whole(before, after):
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict

    full = StateDictOptions(full_state_dict=True)
    weights, state = through_a_file(get_state_dict(*before, options=full))
    set_state_dict(*after, model_state_dict=weights, optim_state_dict=state, options=full)


def carry_by_fsdp(before, after):
    from torch.distributed.fsdp import FullyShardedDataParallel

    weights, state = through_a_file((before[0].state_dict(), FullyShardedDataParallel.optim_state_dict(*before)))
    after[0].load_state_dict(weights)
    after[1].load_state_dict(FullyShardedDataParallel.optim_state_dict_to_load(*after, state))


def resumed_by_fewer(optimizer, rank, folder):
    """Three processes save their shards, and two go on."""
    from torch.distributed.device_mesh import DeviceMesh

    before = fresh(fsdp2, optimizer, "young")
    train(*before, range(STEPS // 2), rank, PROCESSES)
    save_shards(before, folder)
    mesh = DeviceMesh("cpu", [0, 1])
    if rank == 2:
        return None
    after = fresh(partial(fsdp2, mesh=mesh), optimizer, "young")
    load_shards(after, folder, mesh.get_group())
    train(*after, range(STEPS // 2, STEPS), rank, 2)
    return {name: value.full_tensor() for name, value in after[0].state_dict().items()}


def zero(network, optimizer, **more):
    from torch.distributed.optim import ZeroRedundancyOptimizer

    kind, options = over_all(optimizer)
    return ZeroRedundancyOptimizer(network.parameters(), kind, **options | more)


def with_zero(optimizer, rank, folder):
    network = ddp()
    train(network, zero(network, optimizer), range(STEPS), rank, PROCESSES)
    return network.module.state_dict()


def resumed_with_zero(optimizer, rank, folder, age):
    steps, dtype, more = AGES[age]
    before = model(dtype), model(dtype)
    network, other = before
    made = zero(network, optimizer, **more)
    train(network, made, range(2))
    for _ in range(steps - 2):
        made.step()
    made.consolidate_state_dict(to=1)
    if rank == 1:
        torch.save((network.state_dict(), made.state_dict()), folder / "zero.pt")
    dist.barrier()
    weights, state = torch.load(folder / "zero.pt", weights_only=True)
    other.load_state_dict(weights)
    resumed = zero(other, optimizer)
    resumed.load_state_dict(state)
    train(network, made, MORE)
    train(other, resumed, MORE)
    return [network.state_dict(), other.state_dict()]


def fewer_tensors_than_processes(optimizer, rank, folder):
    """One process has no parameter at all, and in some steps another has no gradient."""
    from torch.distributed.optim import ZeroRedundancyOptimizer

    kind, options = over_all(optimizer)
    params = start(shapes=[(3,), (4, 2)])
    sharded = ZeroRedundancyOptimizer(params, kind, **options)
    with_gaps(params, sharded)
    return [param.detach() for param in params]


def with_gaps(params, optimizer):
    """Train parameters of which some, and in the last step all, have no gradient."""
    for step in range(STEPS):
        feed(params, step)
        for index, param in enumerate(params):
            if step == STEPS - 1 or (index % PROCESSES == 2 and step % 2) or (index % PROCESSES == 1 and step == 4):
                param.grad = None
        optimizer.step()


TYPES = {
    "float64": [torch.float64],
    "float32": [torch.float32],
    "one type for each process": [torch.float32, torch.float64, torch.float32],
}


def shared_out(types):
    """Return parameters of these types in turn; each third one belongs to one process."""
    return [
        torch.nn.Parameter(param.detach().to(types[index % len(types)]))
        for index, param in enumerate(start(shapes=SMALL))
    ]


def gathered(own):
    """Return the list of all processes whose each third entry is of one process."""
    lists = [None] * PROCESSES
    dist.all_gather_object(lists, own)
    return [lists[index % PROCESSES][index // PROCESSES] for index in range(sum(map(len, lists)))]


def with_other_parameters(optimizer, rank, folder, types):
    kind, options = over_all(optimizer)
    params = shared_out(TYPES[types])
    with_gaps(params, kind(params[rank::PROCESSES], **options))
    return gathered([param.detach() for param in params[rank::PROCESSES]])


def inertia_of_shards(optimizer, rank, folder):
    network = fsdp2()
    made = optimizer(network.parameters())
    train(network, made, range(STEPS), rank, PROCESSES)
    pairs = list(made.inertia())
    assert [param for param, _ in pairs] == list(network.parameters())
    for param, beta1 in pairs:
        assert (beta1.shape, beta1.placements, beta1.device_mesh) == (param.shape, param.placements, param.device_mesh)
        assert beta1.to_local().shape == param.to_local().shape
    return [beta1.full_tensor() for _, beta1 in pairs]


def inertia_of_other_parameters(optimizer, rank, folder):
    network = model()
    kind, options = over_all(optimizer)
    params = list(network.parameters())
    made = kind(params[rank::PROCESSES], **options)
    for step in range(STEPS):
        inputs, targets = batch(step)
        network.zero_grad()
        (network(inputs) - targets).square().mean().backward()
        made.step()
        for index, param in enumerate(params):
            dist.broadcast(param.data, index % PROCESSES)
    return gathered([beta1 for _, beta1 in made.inertia()])


def copies_go_on(optimizer, rank, folder):
    kind, options = over_all(optimizer)
    own, results = slice(rank, None, PROCESSES), []
    for clone in (copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))):
        params = shared_out([torch.float64])
        made = kind(params[own], **options)
        train_own(made, range(5), own)
        other = clone(made)
        for one in (made, other):
            train_own(one, range(5, STEPS), own)
        for one in (made, other):
            results.append(gathered([param.detach() for param in one.param_groups[0]["params"]]))
    return results


def train_own(optimizer, steps, own):
    """Train the parameters that an optimizer holds of all, which `own` chooses."""
    every = shared_out([torch.float64])
    for step in steps:
        feed(every, step)
        for param, other in zip(optimizer.param_groups[0]["params"], every[own], strict=True):
            param.grad = other.grad
        optimizer.step()


def zero_unaware(optimizer, rank, folder):
    from torch.distributed.optim import ZeroRedundancyOptimizer

    kind, options = optimizer.func, optimizer.keywords
    return refusal(ZeroRedundancyOptimizer, model().parameters(), kind, mean_over=dist.group.WORLD, **options)


def fsdp1_unaware(optimizer, rank, folder):
    return [refusal(optimizer, wrap().parameters()) for name, wrap in WRAPPERS.items() if name.startswith("FSDP1")]


# ── all of it ──


def all_works():
    """Return every work by its key: the function's name, what is varied, and the optimizer."""
    works = {}

    def add(function, optimizers, *names, **choices):
        for label, optimizer in optimizers.items():
            works[(function.__name__, *names, label)] = partial(function, optimizer, **choices)

    add(with_ddp, OPTIMIZERS)
    add(with_zero, OPTIMIZERS)
    for name, wrap in WRAPPERS.items():
        add(with_shards, OPTIMIZERS if wrap is fsdp2 else COUPLED, name, wrap=wrap)
        for age in AGES:
            add(resumed, TWO if wrap is fsdp2 else ONE, name, age, wrap=wrap, age=age)
    for age in AGES:
        add(resumed_with_zero, TWO, age, age=age)
    if FSDP2:
        add(resumed_by_fewer, ONE)
        add(inertia_of_shards, COUPLED)
    for work in (zero_unaware, fsdp1_unaware, inertia_of_other_parameters, copies_go_on):
        add(work, COUPLED)
    add(fewer_tensors_than_processes, OPTIMIZERS)
    for types in TYPES:
        add(with_other_parameters, COUPLED, types, types=types)
    return works


def process(rank, port, folder):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), OMP_NUM_THREADS="1")
    torch.set_num_threads(1)
    limit = datetime.timedelta(seconds=20)  # where one process fails and another waits for it
    dist.init_process_group("gloo", rank=rank, world_size=PROCESSES, timeout=limit)
    with contextlib.suppress(RuntimeError):  # the processes have lost each other, and none can go on
        for number, work in enumerate(all_works().values()):
            own = folder / str(number)
            own.mkdir(exist_ok=True)
            result = attempt(work, rank, own)
            if rank == 0:
                torch.save(result, own / "result.pt")
    time.sleep(0.1)  # as in adai.training.processes.process_group
    dist.destroy_process_group()


def attempt(work, rank, folder):
    """Return what a work comes to, or what went wrong in the first process in which something did."""
    result, error = None, None
    try:
        result = work(rank, folder)
    except BaseException:  # a CheckpointException is no Exception
        error = traceback.format_exc()
    errors = [None] * PROCESSES
    dist.all_gather_object(errors, error)
    return next((RuntimeError(one) for one in errors if one), result)


def start_processes(folder):
    """Return what the works came to by their keys; those that no process came to are missing."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.set_forkserver_preload(["torch", "adai"])  # once for all of them; macOS does not like forks of it
    method = "forkserver" if sys.platform == "linux" else "spawn"
    with contextlib.suppress(mp.ProcessExitedException):  # gloo aborts where tensors of several sizes meet
        mp.start_processes(process, (port, folder), nprocs=PROCESSES, start_method=method)
    files = {key: folder / str(number) / "result.pt" for number, key in enumerate(all_works())}
    return {key: torch.load(file, weights_only=False) for key, file in files.items() if file.exists()}
