"""What only a CUDA device can show: the same results, no waiting for it, a step inside a CUDA graph."""

import copy

import pytest
import torch

from tests.optim.problems import assert_close, each_of_ours, each_with_fused, start

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]


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


@each_of_ours
@pytest.mark.parametrize("path", [{}, {"foreach": True}, {"foreach": False}, {"capturable": True}], ids=str)
def test_a_gpu_gives_the_result_of_the_cpu(entry, path):
    theirs, ours = start(), start(device="cuda")
    train(theirs, entry.optimizer(theirs, weight_decay=0.1), range(10))
    train(ours, entry.optimizer(ours, weight_decay=0.1, **path), range(10))
    assert_close(ours, theirs, 1e-12)


@each_with_fused
def test_the_compiled_step_gives_the_same_result_under_a_schedule_and_is_compiled_once(entry):
    graphs, results = [], []
    for fused in (True, False):
        params = start(torch.float32, device="cuda")
        optimizer = entry.optimizer(params, fused=fused)
        for step in range(5):
            for group in optimizer.param_groups:
                group.update(lr=0.1 / (step + 1), eps=1e-3 * (step + 1), betas=(0.1, 0.9 + 0.01 * step))
            train(params, optimizer, [step])
            graphs.append(torch._dynamo.utils.counters["stats"]["unique_graphs"])
        results.append(params)
    assert len(set(graphs)) == 1
    assert_close(*results, 1e-4)


@each_with_fused
def test_a_gradient_scaler_steps_a_fused_optimizer_and_skips_what_overflows(entry):
    fused, plain = start(torch.float32, device="cuda"), start(torch.float32, device="cuda")
    optimizer, scaler = entry.optimizer(fused, fused=True), torch.amp.GradScaler("cuda", init_scale=8.0)
    scaler.scale(torch.zeros((), device="cuda"))
    feed(fused, 0)
    for param in fused:
        param.grad.mul_(8)
    scaler.step(optimizer)
    scaler.update()
    train(plain, entry.optimizer(plain), [0])
    assert_close(fused, plain, 1e-4)
    fused[3].grad[0, 0] = float("inf")
    scaler.step(optimizer)
    assert_close(fused, plain, 1e-4)


@each_of_ours
def test_parameters_on_both_devices_train_as_on_one(entry):
    one, both = start(), start()
    both[1::2] = [torch.nn.Parameter(param.detach().cuda()) for param in both[1::2]]
    for params in (one, both):
        train(params, entry.optimizer(params), range(5))
    assert_close(both, one, 1e-12)


@each_of_ours
@pytest.mark.parametrize("options", [{}, {"capturable": True}, {"capturable": True, "lr": "tensor"}], ids=str)
def test_a_step_does_not_wait_for_the_device(entry, options):
    options = {name: torch.tensor(0.1, device="cuda") if name == "lr" else value for name, value in options.items()}
    params = start(device="cuda")
    optimizer = entry.optimizer(params, **options)
    train(params, optimizer, range(2))
    feed(params, 2)
    torch.cuda.set_sync_debug_mode("error")
    try:
        optimizer.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@each_of_ours
def test_a_cuda_graph_may_contain_the_step(entry):
    captured, plain = start(device="cuda"), start(device="cuda")
    lr = torch.tensor(0.1, device="cuda", dtype=torch.float64)
    one = entry.optimizer(captured, lr=lr, capturable=True)
    other = entry.optimizer(plain, lr=0.1)
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
    assert_close(captured, plain, 1e-12)


@each_of_ours
def test_a_state_of_the_gpu_resumes_on_the_cpu(entry):
    params = start(device="cuda")
    on_gpu = entry.optimizer(params)
    train(params, on_gpu, range(5))
    moved = [torch.nn.Parameter(param.detach().cpu()) for param in params]
    on_cpu = entry.optimizer(moved)
    on_cpu.load_state_dict(copy.deepcopy(on_gpu.state_dict()))
    train(params, on_gpu, range(5, 8))
    train(moved, on_cpu, range(5, 8))
    assert_close(moved, params, 1e-12)
