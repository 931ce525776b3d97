"""Foreach, one by one, capturable: every path takes the same step, and a step waits for no device."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from adai.book.operations import Operations
from adai.optim.catalogue import OURS
from tests.optim.problems import assert_close, each_of_ours, feed, start, trained

each_input = pytest.mark.parametrize(
    ("entry", "options"),
    [
        pytest.param(entry, options, id=f"{label}-{options}")
        for label, entry in OURS.items()
        for options in (*entry.inputs, {"weight_decay": 0.01}, {"maximize": True})
    ],
)


@each_input
@pytest.mark.parametrize("path", [{"foreach": True}, {"foreach": False}, {"capturable": True}])
def test_every_path_gives_the_same_result(entry, options, path):
    assert_close(trained(entry.optimizer, **options, **path)[0], trained(entry.optimizer, **options)[0], 1e-13)


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


# ── a tensor that does not fit into a cache ──

LARGE = 2**18 * torch.get_num_threads()
"""Elements that do not stay in the caches of all threads together."""


@each_of_ours
@pytest.mark.parametrize("foreach", [None, False])
def test_a_large_tensor_moves_alike_in_any_layout(entry, foreach):
    shapes = [(LARGE,), (LARGE // 16 + 1, 17), (3, LARGE // 2), (LARGE // 75, 3, 5, 7)]

    def moved(foreach):
        params = start(shapes=shapes)
        params[1].data = params[1].data.t()
        params[3].data = params[3].data.to(memory_format=torch.channels_last)
        made = entry.optimizer(params, foreach=foreach, weight_decay=0.01)
        for step in range(2):
            feed(params, step)
            params[2].grad = torch.ones(()).double().expand(shapes[2])  # as that of a sum
            made.step()
        return params

    assert_close(moved(foreach), moved(True), 1e-11)  # foreach sums one number after the other


class Largest(TorchDispatchMode):
    """A context that notes how many elements the largest tensor made inside it has."""

    elements = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        results = function(*args, **(kwargs or {}))
        if not any(result.alias_info for result in function._schema.returns):
            made = [leaf.numel() for leaf in tree_leaves(results) if isinstance(leaf, torch.Tensor)]
            self.elements = max([self.elements, *made])
        return results


@each_of_ours
def test_a_step_needs_no_memory_of_a_large_tensors_size(entry):
    params = start(torch.float32, [(LARGE // 64, 64)])
    made = entry.optimizer(params, weight_decay=0.01, maximize=True)
    feed(params, 1)
    made.step()
    with Largest() as largest:
        made.step()
    assert 0 < largest.elements <= LARGE / 2
