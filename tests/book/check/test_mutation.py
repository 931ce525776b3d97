"""A check that accepts what its claim does not say is refused, and so is one that has nothing to reject."""

import pytest
import sympy as sp

from adai.book import check
from adai.book.check import CheckFailed
from adai.book.check.mutation import require_rejection, try_mutants

x = sp.Symbol("x", positive=True)


def test_mutants_are_counted_and_the_equivalent_ones_named():
    trials = [("a", True, lambda: False), ("b", False, lambda: True), ("c", True, lambda: True)]
    assert require_rejection(trials, "eq:20") == {"tried": 3, "rejected": 2, "equivalent": ["b"]}


def test_a_check_that_accepts_another_claim_cannot_fail():
    trials = [("a", True, lambda: False), ("the same", False, lambda: True), ("another", False, lambda: False)]
    with pytest.raises(CheckFailed, match="eq:20: the check cannot fail: it accepts another, which says"):
        require_rejection(trials, "eq:20")
    with pytest.raises(CheckFailed, match=r"cannot fail: it accepts 2\*x"):
        try_mutants(x, rejects=lambda mutant: mutant != 2 * x, equivalent=lambda mutant: False, item="eq:20")


def test_a_claim_whose_mutants_all_hold_is_refused():
    with pytest.raises(CheckFailed, match="eq:97: the check has no mutant to reject"):
        check.bound("eq:97", sp.Integer(-5), sp.Integer(0))  # -5 is below -1 and 1, too
