"""Ways to compute a step: foreach, fused, capturable, differentiable, compiled."""

import copy

import torch
import torch._dynamo.testing
from torch.optim import lr_scheduler
from torch.utils._python_dispatch import TorchDispatchMode

from tests.optim.conformance.case import AbsentError, behaviour
from tests.optim.problems import assert_close, feed, start


@behaviour
def foreach_is_the_loop(case):
    """foreach equals for-loop"""
    case.needs("foreach")
    for dtype, tolerance in ((torch.float64, 1e-13), (torch.float32, 1e-5), (torch.bfloat16, 2e-2)):
        for options in case.inputs():
            if dtype == torch.bfloat16 and options:
                continue
            loop = case.trained(dtype=dtype, foreach=False, **copy.deepcopy(options))[0]
            assert_close(case.trained(dtype=dtype, foreach=True, **copy.deepcopy(options))[0], loop, tolerance)


@behaviour
def fused_is_the_loop(case):
    """fused equals for-loop"""
    case.needs_compiler()
    for options in [{"weight_decay": 0.1, "maximize": True}]:
        loop = case.trained(dtype=torch.float32, foreach=False, **options)[0]
        assert_close(case.trained(dtype=torch.float32, fused=True, **options)[0], loop, 1e-4)


@behaviour
def capturable_is_the_loop(case):
    """capturable equals not capturable"""
    case.needs("capturable")
    for path in ({"foreach": False}, {"foreach": True}):
        assert_close(case.trained(capturable=True, **path)[0], case.trained(**path)[0], 1e-13)


@behaviour
def differentiable_is_the_loop(case):
    """differentiable equals not differentiable, and its gradients are right (gradcheck)"""
    case.needs("differentiable")

    def after_a_step(weight, gradient):
        weight = weight.clone()
        weight.grad = gradient
        case([weight], lr=0.1, differentiable=True).step()
        return weight

    weight = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64, requires_grad=True)
    gradient = torch.tensor([0.3, 1.0, -0.7], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(after_a_step, (weight, gradient))
    plain = torch.nn.Parameter(weight.detach().clone())
    plain.grad = gradient.detach()
    case([plain], lr=0.1).step()
    assert_close([after_a_step(weight, gradient)], [plain], 1e-5)  # torch takes Adam's corrections in float32 here


@behaviour
def maximize_is_minus(case):
    """maximize equals minimising minus the function"""
    for path in ({"foreach": False}, {"foreach": True}):
        assert_close(
            case.trained(maximize=True, weight_decay=0.1, **path)[0],
            case.trained(scale=-1.0, weight_decay=0.1, **path)[0],
        )


@behaviour
def tensor_lr(case):
    """a tensor as lr equals the number, for-loop"""
    lr = torch.tensor(0.01, dtype=torch.float64)
    assert_close(case.trained(lr=lr, foreach=False)[0], case.trained(lr=0.01, foreach=False)[0], 1e-13)


@behaviour
def tensor_lr_foreach(case):
    """a tensor as lr equals the number, foreach"""
    lr = torch.tensor(0.01, dtype=torch.float64)
    try:
        optimizer = case.trained(lr=lr, foreach=True)[0]
    except ValueError as error:
        raise AbsentError("needs capturable") from error
    assert_close(optimizer, case.trained(lr=0.01, foreach=True)[0], 1e-13)


@behaviour
def nothing_read_back(case):
    """a capturable step reads no number back, so no device is waited for"""
    case.needs("capturable")

    class NoNumbers(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            assert "_local_scalar_dense" not in str(function), "a number was read from a tensor"
            return function(*args, **(kwargs or {}))

    params, optimizer = case.trained(capturable=True, foreach=True)
    feed(params, 5)
    with NoNumbers():
        optimizer.step()


@behaviour
def compiled_once(case):
    """torch.compile(step) is not compiled again under a schedule"""
    counter, counts = torch._dynamo.testing.CompileCounter(), []

    def scheduled(compiled):
        params = start(torch.float32, [(3,), (4, 5)])
        options = {"lr": torch.tensor(0.01), "capturable": True, "foreach": True} if compiled else {"lr": 0.01}
        optimizer = case(params, **options)
        scheduler = lr_scheduler.ExponentialLR(optimizer, 0.9)
        torch._dynamo.reset()
        step = torch.compile(optimizer.step, backend=counter) if compiled else optimizer.step
        for number in range(6):
            for param in params:
                param.grad = torch.full_like(param, 1.0 + number)
            step()
            scheduler.step()
            counts.append(counter.frame_count)
        torch._dynamo.reset()
        return params

    params = scheduled(True)
    assert counts[-1] == counts[2] > 0, f"compiled {counts} times"
    assert_close(params, scheduled(False), 1e-6)
