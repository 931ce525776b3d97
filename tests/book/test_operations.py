"""Counting operations and words: against counts made by hand."""

import pytest
import torch

from adai.book.operations import Operations

N = 10


@pytest.mark.parametrize(
    ("work", "operations", "words"),
    [
        (lambda a, b: a * b, 1, 3 * N),
        (lambda a, b: a * a, 1, 2 * N),  # one tensor, read once
        (lambda a, b: a.mul_(2), 1, 2 * N),
        (lambda a, b: a.copy_(b), 1, 2 * N),
        (lambda a, b: a.zero_(), 1, N),
        (lambda a, b: torch.zeros_like(a), 1, N),
        (lambda a, b: a.new_zeros(3), 1, 3),
        (lambda a, b: torch.add(a, b, out=torch.empty(N)), 2, 3 * N),
        (lambda a, b: a.sum(), 1, N + 1),
        (lambda a, b: a.view(2, 5).t()[0], 3, 0),
        (lambda a, b: torch.addcmul(a, b, b), 1, 3 * N),
        (lambda a, b: torch._foreach_add([a, b], [b, a]), 1, 4 * N),
        (lambda a, b: torch._foreach_lerp_([a], [b], [torch.ones(N)]), 2, N + 4 * N),
        (lambda a, b: torch.cat([a, b]), 1, 4 * N),
    ],
)
def test_operations_and_words_are_those_counted_by_hand(work, operations, words):
    a, b = torch.ones(N), torch.ones(N)
    with Operations() as counted:
        work(a, b)
    assert (counted.count, counted.words) == (operations, words)


def test_a_forbidden_operation_raises_and_names_itself():
    a = torch.ones(N)
    reading = "aten._local_scalar_dense.default"
    with pytest.raises(RuntimeError, match=reading), Operations(forbidden={reading}):
        float(a.sum())
