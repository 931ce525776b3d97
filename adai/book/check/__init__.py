"""Checks: one call states what the paper prints, shows what we derived, and fails if the two differ.

Each check is first tried on mutants of its own claim (`adai.book.mutants`) and must reject every one that does not
happen to say the same; so a check that cannot fail cannot pass. What it found out travels in the cell's output as JSON,
which is all that the ledger reads. Nothing here needs more than SymPy, so that checks run in a browser, too.
"""

from adai.book.check.algorithms import algorithm, clip, mean
from adai.book.check.evidence import measurement, record
from adai.book.check.formulas import Condition, NextUse, bound, definition, expansion, identity, refuted
from adai.book.check.results import Check, CheckFailed

__all__ = [
    "Check",
    "CheckFailed",
    "Condition",
    "NextUse",
    "algorithm",
    "bound",
    "clip",
    "definition",
    "expansion",
    "identity",
    "mean",
    "measurement",
    "record",
    "refuted",
]
