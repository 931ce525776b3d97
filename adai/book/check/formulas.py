"""Checks of formulas, decided by symbols as far as SymPy can: identities, expansions, bounds and refutations."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import sympy as sp

from adai.book.check.decision import (
    difference,
    differs_at_corners,
    exceeds_nowhere,
    largest_ratio,
    vanishes,
    vanishing_order,
    violation,
)
from adai.book.check.mutation import try_mutants
from adai.book.check.results import Check, CheckFailed, equation, latex
from adai.book.mutants import Domain, equal_at_random_points, sample_points
from adai.book.verdicts import HOLDS, IN_CASES, LEADING_ORDER, NEEDS_CONDITION, SLIP, WRONG


def identity(
    item: str,
    derived: sp.Expr,
    printed: sp.Expr,
    *,
    name: str = "",
    uses: Sequence[str] = (),
    assumes: Sequence[str] = (),
    domain: Domain | None = None,
    cases: str = "",
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
        cases: in words, the instances that the two sides are of, if they are not the whole claim: "two steps".

    Returns:
        Verdict 'holds'; 'holds in the cases tried' if there are cases, or if only numbers showed it.

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
    proved = vanishes(derived - printed)
    by = "by symbols" if proved else "at 16 random points to 50 digits, not by symbols"
    tally = try_mutants(
        printed,
        rejects=lambda mutant: bool(difference(derived, mutant, domain, item)),
        equivalent=lambda mutant: equal_at_random_points(mutant, printed, domain, f"{item} mutant"),
        item=item,
    )
    return Check(
        item,
        "cases" if cases else "identity",
        HOLDS if proved and not cases else IN_CASES,
        equation(name, printed),
        equation(name, derived),
        f"both sides equal {by}" + f", in the cases tried: {cases}" * bool(cases),
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
    cases: str = "",
) -> Check:
    """Check that the library's own object, applied to symbols, gives the formula that the paper defines.

    Args and errors as for `identity`; `realised` is what our code returned.
    """
    found = identity(item, realised, printed, name=name, uses=uses, assumes=assumes, domain=domain, cases=cases)
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

    def differs(mutant: sp.Expr) -> bool:
        if vanishing_order(exact - mutant, small, domain or {}, item) < order - 0.5:
            return True  # as numbers tell sooner than a series
        return not vanishes(sp.series(exact - mutant, small, 0, order).removeO())

    tally = try_mutants(
        printed,
        rejects=differs,
        equivalent=lambda mutant: vanishing_order(mutant - printed, small, domain or {}, item) > order - 0.1,
        item=item,
    )
    tail = "" if neglected == 0 else f"; first neglected term ${latex(neglected)}$"
    return Check(
        item,
        "expansion",
        LEADING_ORDER,
        equation(name, printed) + rf" + O({latex(small)}^{order})",
        equation(name, exact),
        f"equal below order {order} in ${latex(small)}${tail}",
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
    cases: str = "",
    tries: int = 4000,
) -> Check:
    """Check that the lesser side never exceeds the printed greater one.

    Args:
        item: what the paper calls it.
        lesser: what is bounded.
        greater: the printed bound.
        gap: greater - lesser, written so that SymPy sees that it is nonnegative; proves the bound.
            Without it a random search with refinement attacks the bound, and the verdict rests on that.
        name, uses, assumes, domain, cases: as for `identity`.
        tries: points of the search.

    Returns:
        Verdict 'holds' if it is proved; 'holds in the cases tried' if there are cases, or only a search.

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
    by += f", in the cases tried: {cases}" * bool(cases)
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
        HOLDS if gap is not None and not cases else IN_CASES,
        rf"{equation(name, lesser)} \le {latex(greater)}",
        "",
        f"{by}; tightest ratio found {tightest:.4f}",
        list(uses),
        list(assumes),
        tally,
    )


@dataclass(frozen=True)
class Condition:
    """A condition under which a printed form that fails elsewhere is true: where its symbols lie, or what they are.

    Args:
        words: "while nothing is clamped", say.
        domain: intervals of some symbols.
        at: symbols and what stands for them under it.
    """

    words: str
    domain: Domain = field(default_factory=dict)
    at: Mapping[sp.Symbol, sp.Expr] = field(default_factory=dict)


@dataclass(frozen=True)
class NextUse:
    """The paper's own next use of a form, which tells a slip of the pen from an error.

    Args:
        item: where the paper goes on.
        follow: from a form of the refuted item to what it would make of the next one.
        printed: what the paper prints there.
    """

    item: str
    follow: Callable[[sp.Expr], sp.Expr]
    printed: sp.Expr


def refuted(
    item: str,
    derived: sp.Expr,
    printed: sp.Expr,
    corrected: sp.Expr | None = None,
    *,
    relation: str = "=",
    condition: Condition | None = None,
    next_use: NextUse | None = None,
    name: str = "",
    uses: Sequence[str] = (),
    assumes: Sequence[str] = (),
    domain: Domain | None = None,
) -> Check:
    """Check that the printed statement fails at a witness; what else ran decides how bad that is.

    Args:
        item: what the paper calls it.
        derived: what the left-hand side is, worked out in the chapter; never only a bound of it.
        printed: the right-hand side as it stands in the paper.
        corrected: the right-hand side as it should stand.
        relation: the printed one between the two, "=", "<=" or ">=".
        condition: one under which the printed statement is true.
        next_use: the paper's next use of the statement, if it agrees with the corrected form and not with the printed.
        name, uses, assumes, domain: as for `identity`.

    Returns:
        Verdict 'needs a condition' with one; 'slip' with a next use; else 'wrong'.

    Raises:
        CheckFailed: if no point of the domain violates the printed statement, the corrected one does not hold, the
            printed one fails under the condition, or the next use does not tell the two forms apart.
        ValueError: for another relation, a condition and a next use together, or a next use without a correction.
    """
    if relation not in ("=", "<=", ">="):
        raise ValueError(f"relation {relation!r}: expected '=', '<=' or '>='")
    if next_use and (condition or corrected is None):
        raise ValueError("a slip has a corrected form, and no condition under which it is none")
    domain = domain or {}
    witness = violation(derived, printed, relation, domain, item)
    if not witness:
        raise CheckFailed(f"{item}: the printed form {printed} is not violated anywhere; it is not refuted")
    if corrected is not None:
        right = _corrected_holds(item, derived, corrected, relation, domain, name)
        evidence = f"the printed form fails ({witness}), the corrected one holds"
    else:
        right = Check(item, "refuted", WRONG, "", equation(name, sp.sympify(derived)), "")
        evidence = f"the printed form fails ({witness})"
    verdict = WRONG
    if condition:
        require_under(condition, derived, printed, relation, domain, item)
        verdict, evidence = NEEDS_CONDITION, f"{evidence}, and the printed one holds {condition.words}"
    if next_use:
        _require_slip(item, printed, corrected, next_use, domain)
        verdict, evidence = SLIP, f"{evidence}, and the paper itself goes on with it in {next_use.item}"
    return replace(
        right,
        kind="refuted",
        verdict=verdict,
        printed=equation(name, sp.sympify(printed), relation),
        evidence=evidence,
        corrected=right.printed,
        uses=list(uses),
        assumes=list(assumes),
    )


def _corrected_holds(
    item: str, derived: sp.Expr, corrected: sp.Expr, relation: str, domain: Domain, name: str
) -> Check:
    """Return the check of the corrected form."""
    if relation == "=":
        return identity(item, derived, corrected, name=name, domain=domain)
    if relation == "<=":
        return bound(item, derived, corrected, name=name, domain=domain)
    return bound(item, corrected, derived, domain=domain)


def require_under(
    condition: Condition, derived: sp.Expr, printed: sp.Expr, relation: str, domain: Domain, item: str
) -> None:
    """Raise if the printed statement fails somewhere under a condition, too.

    Raises:
        CheckFailed: with the point.
    """
    there = {**domain, **condition.domain}
    sides = [sp.sympify(side).subs(dict(condition.at), simultaneous=True) for side in (derived, printed)]
    failure = violation(sides[0], sides[1], relation, there, item)
    if not failure and relation == "=" and condition.domain and differs_at_corners(sides[0], sides[1], there, item):
        failure = "at a corner of the domain"
    if failure:
        raise CheckFailed(f"{item}: the printed form fails {condition.words}, too ({failure})")


def _require_slip(item: str, printed: sp.Expr, corrected: sp.Expr | None, use: NextUse, domain: Domain) -> None:
    if failure := difference(use.follow(sp.sympify(corrected)), use.printed, domain, item):
        raise CheckFailed(f"{item}: {use.item} does not follow from the corrected form ({failure})")
    if not difference(use.follow(sp.sympify(printed)), use.printed, domain, item):
        raise CheckFailed(f"{item}: {use.item} follows from the printed form as well; it does not tell")
