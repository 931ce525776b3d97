"""Foreach, one by one, capturable, compiled, differentiable: every path takes the same step and waits for no device."""

import os
import shutil

import pytest
import torch
import torch._dynamo.testing

from adai import Adai
from adai.book.operations import Operations
from adai.optim.catalogue import OURS
from adai.optim.compiled import compiled_move
from tests.optim.problems import assert_close, each_of_ours, each_with_fused, feed, start, trained

each_input = pytest.mark.parametrize(
    ("entry", "options"),
    [
        pytest.param(entry, options, id=f"{label}-{options}")
        for label, entry in OURS.items()
        for options in (*entry.inputs, {"weight_decay": 0.01}, {"maximize": True})
    ],
)
needs_compiler = pytest.mark.skipif(
    not (os.environ.get("CI") or shutil.which(os.environ.get("CXX", "g++"))), reason="there is no C++ compiler"
)


@each_input
@pytest.mark.parametrize("path", [{"foreach": True}, {"foreach": False}, {"capturable": True}])
def test_every_path_gives_the_same_result(entry, options, path):
    assert_close(trained(entry.optimizer, **options, **path)[0], trained(entry.optimizer, **options)[0], 1e-13)


@each_input
def test_a_step_through_which_gradients_flow_gives_the_same_result(entry, options):
    def moved(differentiable):
        params = [param.detach().clone() for param in start()]
        if differentiable:
            params = [param.requires_grad_().clone() for param in params]
        feed(params, 1)
        entry.optimizer(params, differentiable=differentiable, **options).step()
        return params

    assert_close(moved(True), moved(False), 1e-13)


@each_of_ours
def test_a_gradient_flows_through_the_step_to_the_learning_rate(entry):
    def loss_after(lr):
        moved = torch.ones(3, dtype=torch.float64, requires_grad=True).clone()
        moved.grad = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)
        optimizer = entry.optimizer([moved], lr=0.3, differentiable=True)
        optimizer.param_groups[0]["lr"] = lr
        optimizer.step()
        return (moved**2).sum()

    lr = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(loss_after, (lr,))


# ── fused ──


@needs_compiler
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@each_with_fused
def test_the_compiled_step_gives_the_same_result(entry, dtype):
    tolerance = 1e-12 if dtype == torch.float64 else 1e-4
    options = {"lr": 0.5, "weight_decay": 0.01, **entry.inputs[1]}
    compiled = trained(entry.optimizer, dtype=dtype, fused=True, **options)[0]
    assert_close(compiled, trained(entry.optimizer, dtype=dtype, **options)[0], tolerance)


@needs_compiler
def test_a_list_that_lacks_gradients_is_not_compiled():
    params = start(torch.float32, [(2,), (3,), (4,)])
    optimizer = Adai(params, fused=True)
    compiled = []
    for missing in (None, 0, 1, 2, None):
        feed(params, 1)
        if missing is not None:
            params[missing].grad = None
        optimizer.step()
        compiled.append(compiled_move.cache_info().currsize)
    assert len(set(compiled)) == 1


@needs_compiler
def test_the_compiled_step_is_not_compiled_again_for_another_learning_rate():
    params = start(torch.float32, [(2,), (3,)])
    optimizer = Adai(params, lr=0.1, fused=True)
    graphs = []
    for lr in (0.1, 0.2, torch.tensor(0.3)):
        optimizer.param_groups[0]["lr"] = lr
        feed(params, 1)
        optimizer.step()
        graphs.append(torch._dynamo.utils.counters["stats"]["unique_graphs"])
    assert len(set(graphs)) == 1


@needs_compiler
def test_the_compiled_step_takes_any_layout():
    def layouts(fused):
        params = start(torch.float32, [(80, 40, 5, 5), (300, 250)])
        params[0].data = params[0].data.to(memory_format=torch.channels_last)
        params[1].data = params[1].data.t()
        optimizer = Adai(params, fused=fused)
        for step in range(3):
            feed(params, step)
            params[0].grad = params[0].grad.to(memory_format=torch.channels_last)
            optimizer.step()
        return params

    assert_close(layouts(True), layouts(False), 1e-5)


@each_with_fused
def test_without_a_compiler_the_compiled_step_is_refused_by_name(entry, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(RuntimeError, match="no-such-compiler"):
        entry.optimizer(start(), fused=True)
    monkeypatch.delenv("CXX")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeError, match=r"no C\+\+ compiler g\+\+ or clang\+\+ or cl: install one"):
        entry.optimizer(start(), fused=True)
    entry.optimizer(start())  # the default needs none


@pytest.mark.parametrize("path", [{"foreach": True}, {"differentiable": True}])
@each_with_fused
def test_paths_that_exclude_each_other_are_refused(entry, path):
    with pytest.raises(ValueError, match="fused without foreach and differentiable"):
        entry.optimizer(start(), fused=True, **path)


# ── what a step costs ──


@each_of_ours
def test_a_step_reads_nothing_back_and_takes_as_many_operations_for_any_number_of_tensors(entry):
    def operations(tensors):
        params = start(torch.float32, [(5,)] * tensors)
        optimizer = entry.optimizer(params, weight_decay=0.01, foreach=True, **entry.inputs[1])
        for param in params:
            param.grad = torch.randn_like(param)
        optimizer.step()
        with Operations(forbidden={"aten._local_scalar_dense.default"}) as counted:
            optimizer.step()
        return counted.count

    assert operations(3) == operations(200) <= 34
