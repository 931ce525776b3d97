"""What only a CUDA device can show: the same results, no waiting for it, a step inside a CUDA graph."""

import copy

import pytest
import torch

from adai import AdaBound, Adai, AdaiV2, AdaiW, Padam, Yogi

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
OURS = pytest.mark.parametrize("optimizer", [Adai, AdaiW, AdaiV2, AdaBound, Padam, Yogi])
SHAPES = [(), (1,), (7,), (3, 4), (2, 3, 2, 2), (130, 150)]


def start(device, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    values = [torch.randn(shape, dtype=torch.float64, generator=generator) for shape in SHAPES]
    return [torch.nn.Parameter(value.to(device, dtype)) for value in values]


def feed(params, step):
    generator = torch.Generator().manual_seed(1000 + step)
    for param in params:
        drawn = torch.randn(param.shape, dtype=torch.float64, generator=generator).to(param.device, param.dtype)
        if param.grad is None:
            param.grad = drawn
        else:
            param.grad.copy_(drawn)  # a graph reads the gradients where they were


def train(params, optimizer, steps):
    for step in steps:
        feed(params, step)
        optimizer.step()
    return params


def assert_equal(ours, theirs, tolerance):
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one.detach().cpu(), other.detach().cpu(), rtol=tolerance, atol=tolerance)


@OURS
@pytest.mark.parametrize("path", [{}, {"foreach": True}, {"foreach": False}, {"capturable": True}], ids=str)
def test_a_gpu_gives_the_result_of_the_cpu(optimizer, path):
    theirs, ours = start("cpu"), start("cuda")
    train(theirs, optimizer(theirs, weight_decay=0.1), range(10))
    train(ours, optimizer(ours, weight_decay=0.1, **path), range(10))
    assert_equal(ours, theirs, 1e-12)


@pytest.mark.parametrize("optimizer", [Adai, AdaiW, AdaiV2])
def test_the_compiled_step_gives_the_same_result(optimizer):
    fused, plain = start("cuda", torch.float32), start("cuda", torch.float32)
    train(fused, optimizer(fused, fused=True), range(5))
    train(plain, optimizer(plain), range(5))
    assert_equal(fused, plain, 1e-4)


@OURS
def test_parameters_on_both_devices_train_as_on_one(optimizer):
    one, both = start("cpu"), start("cpu")
    both[1::2] = [torch.nn.Parameter(param.detach().cuda()) for param in both[1::2]]
    for params in (one, both):
        train(params, optimizer(params), range(5))
    assert_equal(both, one, 1e-12)


@OURS
@pytest.mark.parametrize("options", [{}, {"capturable": True}, {"capturable": True, "lr": "tensor"}], ids=str)
def test_a_step_does_not_wait_for_the_device(optimizer, options):
    options = {name: torch.tensor(0.1, device="cuda") if name == "lr" else value for name, value in options.items()}
    params = start("cuda")
    torch_optimizer = optimizer(params, **options)
    train(params, torch_optimizer, range(2))
    feed(params, 2)
    torch.cuda.set_sync_debug_mode("error")
    try:
        torch_optimizer.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@OURS
def test_a_cuda_graph_may_contain_the_step(optimizer):
    captured, plain = start("cuda"), start("cuda")
    lr = torch.tensor(0.1, device="cuda", dtype=torch.float64)
    one = optimizer(captured, lr=lr, capturable=True)
    other = optimizer(plain, lr=0.1)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        train(captured, one, range(3))
    torch.cuda.current_stream().wait_stream(stream)
    train(plain, other, range(3))
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        one.step()
    lr.mul_(0.5)  # takes effect in the graph
    other.param_groups[0]["lr"] = 0.05
    for step in range(3, 6):
        feed(captured, step)
        graph.replay()
    train(plain, other, range(3, 6))
    assert_equal(captured, plain, 1e-12)


@OURS
def test_a_state_of_the_gpu_resumes_on_the_cpu(optimizer):
    params = start("cuda")
    on_gpu = optimizer(params)
    train(params, on_gpu, range(5))
    moved = [torch.nn.Parameter(param.detach().cpu()) for param in params]
    on_cpu = optimizer(moved)
    on_cpu.load_state_dict(copy.deepcopy(on_gpu.state_dict()))
    train(params, on_gpu, range(5, 8))
    train(moved, on_cpu, range(5, 8))
    assert_equal(moved, params, 1e-12)
