"""Parameters and gradients of any type, size and layout."""

import copy

import torch

from tests.optim.conformance.case import ADAM, AbsentError, NeedsCudaError, behaviour, refused
from tests.optim.problems import assert_close, feed, start


@behaviour
def complex_is_pairs(case):
    """a complex parameter equals two real ones"""
    if not case.info.supports_complex:
        raise AbsentError("OptimizerInfo says so")
    for options in case.inputs():
        for path in ({"foreach": False}, {"foreach": True}):
            if case.info is ADAM and options.get("amsgrad"):
                continue
            real = start(shapes=[(3, 2), (2, 4, 2)])
            pairs = [torch.nn.Parameter(torch.view_as_complex(param.detach().clone())) for param in real]
            one, other = (case(params, **copy.deepcopy(options), **path) for params in (real, pairs))
            for step in range(5):
                feed(real, step)
                for param, pair in zip(real, pairs, strict=True):
                    pair.grad = torch.view_as_complex(param.grad.clone())
                one.step()
                other.step()
            assert_close([torch.view_as_real(pair) for pair in pairs], real, 1e-13)


@behaviour
def low_precision(case):
    """bfloat16 and float16 stay near float32"""
    for dtype, tolerance in ((torch.bfloat16, 0.05), (torch.float16, 0.01)):
        for options in case.inputs(dtype):
            exact = case.trained(dtype=torch.float32, **copy.deepcopy(options))[0]
            low = case.trained(dtype=dtype, **copy.deepcopy(options))[0]
            assert_close([param.float() for param in low], exact, tolerance)


@behaviour
def mixed_dtypes(case):
    """parameters of several types in one group"""
    mixed = [
        torch.nn.Parameter(param.detach().to(dtype))
        for param, dtype in zip(start(), [torch.float64, torch.float32, torch.bfloat16] * 2, strict=True)
    ]
    uniform = start()
    for path in ({"foreach": False}, {"foreach": True}):
        for params in (mixed, uniform):
            optimizer = case(params, lr=0.01, **path)
            feed(params, 1)
            optimizer.step()
    assert_close([param.double() for param in mixed], uniform, 0.05)


@behaviour
def default_dtype(case):
    """torch.set_default_dtype(float64) changes nothing"""
    expected = case.trained(dtype=torch.float32, foreach=True)[0]
    torch.set_default_dtype(torch.float64)
    try:
        assert_close(case.trained(dtype=torch.float32, foreach=True)[0], expected, 1e-6)
    finally:
        torch.set_default_dtype(torch.float32)


@behaviour
def several_devices(case):
    """parameters on several devices in one group"""
    if not torch.cuda.is_available():
        raise NeedsCudaError("it takes a second device")
    one, other = start(), start()
    other[1::2] = [torch.nn.Parameter(param.detach().cuda()) for param in other[1::2]]
    for params in (one, other):
        optimizer = case(params, lr=0.01)
        for param in params:
            param.grad = torch.ones_like(param)
        optimizer.step()
    assert_close([param.cpu() for param in other], one, 1e-12)


@behaviour
def empty_parameters(case):
    """parameters without elements and without dimensions"""
    for path in ({"foreach": False}, {"foreach": True}):
        params, _ = case.trained(shapes=[(0,), (), (3, 0), (2,)], **path)
        assert all(torch.isfinite(param).all() for param in params)


@behaviour
def layouts(case):
    """channels-last, transposed and expanded gradients"""
    for path in ({"foreach": False}, {"foreach": True}):
        shapes = [(4, 3, 2, 2), (5, 6), (7,)]
        odd, plain = start(shapes=shapes), start(shapes=shapes)
        odd[0].data = odd[0].data.to(memory_format=torch.channels_last)
        one, other = case(odd, **path), case(plain, **path)
        for step in range(3):
            generator = torch.Generator().manual_seed(step)
            grads = [torch.randn(shape, dtype=torch.float64, generator=generator) for shape in shapes]
            grads[2] = grads[2][:1].expand(7)
            for param, grad in zip(plain, grads, strict=True):
                param.grad = grad.contiguous()
            odd[0].grad = grads[0].to(memory_format=torch.channels_last)
            odd[1].grad = grads[1].t().contiguous().t()
            odd[2].grad = grads[2]
            one.step()
            other.step()
        assert_close(odd, plain, 1e-13)


@behaviour
def sparse(case):
    """a sparse gradient is refused by name, and nothing has changed"""
    assert not case.info.supports_sparse
    dense = torch.nn.Parameter(torch.ones(2))
    table = torch.nn.Embedding(4, 3, sparse=True)
    optimizer = case([dense, table.weight])
    (dense.sum() + table(torch.tensor([1])).sum()).backward()
    message = refused(RuntimeError, optimizer.step)
    assert "sparse" in message and case.info.optim_cls.__name__ in message
    assert torch.equal(dense, torch.ones(2)), "another parameter has moved"


@behaviour
def no_gradients(case):
    """without gradients a step does nothing and makes no state"""
    params = start()
    optimizer = case(params, weight_decay=0.1)
    optimizer.step()
    assert_close(params, start())
    assert not optimizer.state


@behaviour
def zero_gradients(case):
    """zero gradients move nothing, in float32"""
    zero_gradients_in(case, torch.float32)


@behaviour
def zero_gradients_in_half(case):
    """zero gradients move nothing, in bfloat16 and float16"""
    zero_gradients_in(case, torch.bfloat16)
    zero_gradients_in(case, torch.float16)


def zero_gradients_in(case, dtype):
    params = start(dtype)
    optimizer = case(params, weight_decay=0.0)
    for param in params:
        param.grad = torch.zeros_like(param)
    for _ in range(3):
        optimizer.step()
    assert all(torch.equal(*pair) for pair in zip(params, start(dtype), strict=True)), f"{dtype}: parameters changed"


@behaviour
def gradients_are_read_only(case):
    """gradients are never written"""
    for options in case.inputs():
        params = start()
        optimizer = case(params, **options)
        feed(params, 1)
        before = [param.grad.clone() for param in params]
        optimizer.step()
        assert_close([param.grad for param in params], before)


@behaviour
def sizes_of_gradients(case):
    """gradients of 1e-25, 1e-12 and 1e15 leave float32 parameters finite"""
    for scale in (1e-25, 1e-12, 1e15):
        params, _ = case.trained(dtype=torch.float32, scale=scale, lr=1e-20)
        assert all(torch.isfinite(param).all() for param in params)


@behaviour
def nan_is_seen(case):
    """a NaN in a gradient is seen in its parameter"""
    params = start(torch.float32)
    optimizer = case(params)
    feed(params, 1)
    params[3].grad[0, 0] = float("nan")
    optimizer.step()
    assert params[3][0, 0].isnan()
