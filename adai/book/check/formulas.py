"""Checks of formulas, decided by symbols as far as SymPy can: identities, expansions, bounds and errata."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import sympy as sp

from adai.book.check.decision import difference, exceeds_nowhere, largest_ratio, vanishes, vanishing_order
from adai.book.check.mutation import try_mutants
from adai.book.check.results import Check, CheckFailed, equation
from adai.book.mutants import Domain, equal_at_random_points, sample_points

LOOSE_BELOW = 0.5
"""A bound that no case found comes nearer to than this ratio is true but loose."""


def identity(
    item: str,
    derived: sp.Expr,
    printed: sp.Expr,
    *,
    name: str = "",
    uses: Sequence[str] = (),
    assumes: Sequence[str] = (),
    domain: Domain | None = None,
) -> Check:
    """Check that the printed formula equals the derived one, by symbols.

    Args:
        item: what the paper calls it, such as "eq:19".
        derived: worked out in the chapter from definitions, never from `printed`.
        printed: the paper's right-hand side as it stands there; a matrix is compared entry by entry.
        name: LaTeX of the left-hand side, for display.
        uses: items that this one needs to be true.
        assumes: items that it needs only to be stated.
        domain: interval of each symbol for which the claim is made, where its assumptions do not tell.

    Raises:
        CheckFailed: if the two differ, with a point where they do.
    """
    domain = domain or {}
    derived, printed = (
        sp.ImmutableMatrix(e) if isinstance(e, sp.MatrixBase) else sp.sympify(e) for e in (derived, printed)
    )
    differ = difference(derived, printed, domain, item)
    if differ:
        raise CheckFailed(f"{item}: printed {printed} is not the derived {derived}; {differ}")
    by = "by symbols" if vanishes(derived - printed) else "at 16 random points to 50 digits, not by symbols"
    tally = try_mutants(
        printed,
        rejects=lambda mutant: bool(difference(derived, mutant, domain, item)),
        equivalent=lambda mutant: equal_at_random_points(mutant, printed, domain, f"{item} mutant"),
        item=item,
    )
    return Check(
        item,
        "identity",
        "holds",
        equation(name, printed),
        equation(name, derived),
        f"both sides equal {by}",
        list(uses),
        list(assumes),
        tally,
    )


def definition(
    item: str,
    realised: sp.Expr,
    printed: sp.Expr,
    *,
    name: str = "",
    uses: Sequence[str] = (),
    assumes: Sequence[str] = (),
    domain: Domain | None = None,
) -> Check:
    """Check that the library's own object, applied to symbols, gives the formula that the paper defines.

    Args and errors as for `identity`; `realised` is what our code returned.
    """
    found = identity(item, realised, printed, name=name, uses=uses, assumes=assumes, domain=domain)
    return replace(found, kind="definition")


def expansion(
    item: str,
    exact: sp.Expr,
    printed: sp.Expr,
    *,
    small: sp.Symbol,
    order: int,
    error: sp.Expr | None = None,
    name: str = "",
    uses: Sequence[str] = (),
    assumes: Sequence[str] = (),
    domain: Domain | None = None,
) -> Check:
    """Check that the printed approximation agrees with the exact value up to a stated order.

    Args:
        item: what the paper calls it.
        exact: derived, without approximation.
        printed: the approximation.
        small: the quantity that is small.
        order: the power of `small` at which the difference may begin.
        error: the printed error term; the first neglected term must be a constant times it.
        name, uses, assumes, domain: as for `identity`.

    Raises:
        CheckFailed: if they differ at a lower order, or the error term is of another form.
    """
    neglected = sp.simplify(sp.series(exact - printed, small, 0, order + 1).removeO())
    lower = sp.simplify(sp.series(exact - printed, small, 0, order).removeO())
    if lower != 0:
        raise CheckFailed(f"{item}: {printed} misses {lower}, which is below order {order} in {small}")
    if error is not None:
        ratio = sp.simplify(neglected / error).rewrite(sp.sign).replace(sp.sign, lambda x: sp.Integer(1))
        if ratio.free_symbols or ratio == 0:
            raise CheckFailed(f"{item}: the first neglected term is {neglected}, no constant times {error}")
    tally = try_mutants(
        printed,
        rejects=lambda mutant: not vanishes(sp.series(exact - mutant, small, 0, order).removeO()),
        equivalent=lambda mutant: vanishing_order(mutant - printed, small, domain or {}, item) > order - 0.1,
        item=item,
    )
    tail = "" if neglected == 0 else f"; first neglected term ${sp.latex(neglected)}$"
    return Check(
        item,
        "expansion",
        "leading order",
        equation(name, printed) + rf" + O({sp.latex(small)}^{order})",
        equation(name, exact),
        f"equal below order {order} in ${sp.latex(small)}${tail}",
        list(uses),
        list(assumes),
        tally,
    )


def bound(
    item: str,
    lesser: sp.Expr,
    greater: sp.Expr,
    *,
    gap: sp.Expr | None = None,
    name: str = "",
    uses: Sequence[str] = (),
    assumes: Sequence[str] = (),
    domain: Domain | None = None,
    tries: int = 4000,
) -> Check:
    """Check that the lesser side never exceeds the printed greater one.

    Args:
        item: what the paper calls it.
        lesser: what is bounded.
        greater: the printed bound.
        gap: greater - lesser, written so that SymPy sees that it is nonnegative; proves the bound.
            Without it a random search with refinement attacks the bound, and the verdict rests on that.
        name, uses, assumes, domain: as for `identity`.
        tries: points of the search.

    Returns:
        Verdict 'holds', or 'loose' where the sides never come within a factor `1 / LOOSE_BELOW` of each other.

    Raises:
        CheckFailed: at a point where the bound is violated, or if `gap` is not the difference or may be negative.
    """
    domain = domain or {}
    lesser, greater = sp.sympify(lesser), sp.sympify(greater)
    tightest, where = largest_ratio(lesser, greater, domain, item, tries)
    if tightest > 1 + 1e-9:
        raise CheckFailed(f"{item}: {lesser} exceeds {greater} at {where}")
    if gap is not None and not (vanishes(greater - lesser - gap) and gap.is_nonnegative):
        raise CheckFailed(f"{item}: {gap} must equal the difference {greater - lesser} and be nonnegative by symbols")
    by = "proved by algebra" if gap is not None else f"no violation in {tries} points of a search"
    places = sample_points(lesser.free_symbols | greater.free_symbols, domain, f"{item} m", 400)

    @cache
    def still_true(mutant: sp.Expr) -> bool | None:
        return exceeds_nowhere(lesser, mutant, places, item)

    def rejects(mutant: sp.Expr) -> bool:
        violated = largest_ratio(lesser, mutant, domain, f"{item} r", tries)[0] > 1 + 1e-9
        return violated or still_true(mutant) is None

    tally = try_mutants(greater, rejects, still_true, item)
    return Check(
        item,
        "bound",
        "holds" if tightest >= LOOSE_BELOW else "loose",
        rf"{equation(name, lesser)} \le {sp.latex(greater)}",
        "",
        f"{by}; tightest ratio found {tightest:.4f}",
        list(uses),
        list(assumes),
        tally,
    )


def erratum(
    item: str,
    derived: sp.Expr,
    printed: sp.Expr,
    corrected: sp.Expr,
    *,
    verdict: str,
    name: str = "",
    uses: Sequence[str] = (),
    assumes: Sequence[str] = (),
    domain: Domain | None = None,
) -> Check:
    """Check that the printed formula fails where the corrected one holds.

    Args:
        item: what the paper calls it.
        derived: worked out in the chapter from definitions.
        printed: the formula as it stands in the paper.
        corrected: the formula as it should stand.
        verdict: "typo" (a slip the rest of the paper does not rest on), "loose" (true only with more said), or "wrong".
        name, uses, assumes, domain: as for `identity`.

    Raises:
        CheckFailed: if the printed formula holds after all, or the corrected one does not.
        ValueError: for another verdict.
    """
    if verdict not in ("typo", "loose", "wrong"):
        raise ValueError(f"verdict {verdict!r}: an erratum is 'typo', 'loose' or 'wrong'")
    failure = difference(derived, printed, domain or {}, item)
    if not failure:
        raise CheckFailed(f"{item}: the printed form {printed} holds; it is no erratum")
    right = identity(item, derived, corrected, name=name, uses=uses, assumes=assumes, domain=domain)
    return replace(
        right,
        kind="erratum",
        verdict=verdict,
        printed=equation(name, printed),
        evidence=f"the printed form fails ({failure}), the corrected one holds",
        corrected=right.printed,
    )
