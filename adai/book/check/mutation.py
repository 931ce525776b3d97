"""Whether a check can fail: it must reject every mutant of its claim that says something else."""

from collections.abc import Callable, Iterable
from functools import partial

import sympy as sp

from adai.book.check.results import CheckFailed, MutantTally
from adai.book.mutants import mutants

Trial = tuple[object, bool, Callable[[], bool | None]]
"""A mutant, whether the check rejects it, and a function that says whether it means the same as the claim."""


def try_mutants(
    claim: sp.Expr, rejects: Callable[[sp.Expr], bool], equivalent: Callable[[sp.Expr], bool | None], item: str
) -> MutantTally:
    """Put each mutant of a formula to its check, and return what `require_rejection` counts.

    Args:
        claim: the formula.
        rejects: whether the check, with a mutant for the claim, fails.
        equivalent: whether a mutant says the same as the claim, decided in another way than the check's own.
        item: the item that the check is of, for errors.
    """
    return require_rejection([(m, rejects(m), partial(equivalent, m)) for m in mutants(claim)], item)


def require_rejection(trials: Iterable[Trial], item: str) -> MutantTally:
    """Return how many mutants were rejected, and those that were not because they say the same as the claim.

    Raises:
        CheckFailed: if a mutant that says something else was accepted, or if not one was rejected.
    """
    trials = list(trials)
    accepted = [(str(mutant), equivalent()) for mutant, rejected, equivalent in trials if not rejected]
    kept = [name for name, same in accepted if same]
    blind = [name for name, same in accepted if not same]
    if blind:
        raise CheckFailed(f"{item}: the check cannot fail: it accepts {blind[0]}, which says something else")
    if len(kept) == len(trials):
        raise CheckFailed(f"{item}: the check has no mutant to reject; claim something that could be wrong")
    return {"tried": len(trials), "rejected": len(trials) - len(kept), "equivalent": kept}
