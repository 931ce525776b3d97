"""Each item of the paper belongs to its theory or to its experiments."""

import pytest

from adai.book.items import EXPERIMENTS, THEORY, part


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("eq:118", THEORY),
        ("eq:119", EXPERIMENTS),  # the estimators of escape rates
        ("eq:120", EXPERIMENTS),
        ("eq:121", THEORY),
        ("fig:7", EXPERIMENTS),
        ("fig:8", THEORY),  # a sketch of a barrier
        ("tab:1", EXPERIMENTS),
        ("alg:3", THEORY),
    ],
)
def test_the_part_of_an_item(item, expected):
    assert part(item) == expected
