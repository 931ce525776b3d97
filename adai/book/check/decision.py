"""How a claim is decided: by symbols where SymPy can, else by values at random points of its domain."""

import itertools
import math
import random
from collections.abc import Sequence
from functools import lru_cache

import mpmath
import sympy as sp

from adai.book.check.results import LATEX, latex
from adai.book.mutants import (
    DIGITS,
    Domain,
    Point,
    default_interval,
    equal_at_random_points,
    evaluator,
    sample_points,
)


def difference(derived: sp.Expr, printed: sp.Expr, domain: Domain, item: str) -> str:
    """Return a point of the domain where the two formulas or matrices differ, in words; '' if they are equal."""
    for a, b in zip(_entries(derived), _entries(printed), strict=True):
        if equal_at_random_points(a, b, domain, item):
            continue
        left, right = evaluator(a, item), evaluator(b, item)
        for at in sample_points(a.free_symbols | b.free_symbols, domain, item, 16):
            try:
                x, y = left(at), right(at)
            except ZeroDivisionError:
                return "the printed form divides by zero"
            if abs(x - y) > mpmath.mpf(10) ** -12 * (abs(x) + abs(y)):
                where = ", ".join(f"${latex(s)} = {mpmath.nstr(v, 3)}$" for s, v in at.items())
                return f"{mpmath.nstr(y, 4)} instead of {mpmath.nstr(x, 4)}" + (f" at {where}" if where else "")
        return "the two differ"
    return ""


def violation(derived: sp.Expr, printed: sp.Expr, relation: str, domain: Domain, item: str) -> str:
    """Return a point of the domain where `derived relation printed` is false, in words; '' if none was found.

    Args:
        derived, printed: the two sides, formulas or, for "=", matrices.
        relation: "=", "<=" or ">=".
        domain, item: as for `adai.book.check.identity`.
    """
    if relation == "=":
        return difference(derived, printed, domain, item)
    lesser, greater = (derived, printed) if relation == "<=" else (printed, derived)
    ratio, at = largest_ratio(sp.sympify(lesser), sp.sympify(greater), domain, item, 2000)
    if ratio <= 1 + 1e-9:
        return ""
    left, right = sp.sympify(derived), sp.sympify(printed)
    place = {s: mpmath.mpf(at[s.name]) for s in sorted(left.free_symbols | right.free_symbols, key=str)}
    left, right = (evaluator(side, item)(place) for side in (left, right))
    if not (left > right if relation == "<=" else left < right):
        return ""  # it was a matter of rounding
    where = ", ".join(f"${latex(s)} = {mpmath.nstr(v, 3)}$" for s, v in place.items())
    return f"{mpmath.nstr(left, 4)} is not ${LATEX[relation]}$ {mpmath.nstr(right, 4)}" + f" at {where}" * bool(where)


def vanishes(expression: sp.Expr) -> bool:
    """Return whether symbols alone show that a formula, or each entry of a matrix, is zero."""
    cheapest_first = (sp.expand, lambda e: sp.expand(e.doit()), sp.simplify)
    return all(any(way(e) == 0 for way in cheapest_first) for e in _entries(expression))


def _entries(expression: sp.Expr) -> list[sp.Expr]:
    return list(expression) if isinstance(expression, sp.MatrixBase) else [expression]


def vanishing_order(expression: sp.Expr, small: sp.Symbol, domain: Domain, item: str) -> float:
    """Return the power of `small` with which the expression vanishes, from its size at two small values."""
    value = evaluator(expression, item)
    at = sample_points(expression.free_symbols, domain, f"{item} mutant", 1)[0]
    with mpmath.workdps(DIGITS):
        near, nearer = (abs(value({**at, small: mpmath.mpf(10) ** -e})) for e in (8, 12))
        return math.inf if nearer == 0 else float(mpmath.log(near / nearer, 10) / 4)


def exceeds_nowhere(lesser: sp.Expr, greater: sp.Expr, places: Sequence[Point], item: str) -> bool | None:
    """Return whether lesser <= greater at all places, where equal values count; None if a side has no real value."""
    less, more = evaluator(lesser, item), evaluator(greater, item)
    with mpmath.workdps(DIGITS):
        values = ((less(at), more(at)) for at in places)
        try:
            return all(low - high <= mpmath.mpf(10) ** (10 - DIGITS) * abs(high) for low, high in values)
        except (ZeroDivisionError, TypeError):
            return None


def largest_ratio(
    lesser: sp.Expr, greater: sp.Expr, domain: Domain, seed: str, tries: int
) -> tuple[float, dict[str, float]]:
    """Search the domain for the largest ratio lesser / greater, and return it with the point where it was found.

    Args:
        lesser, greater: formulas; where both are negative the ratio is greater / lesser, so above 1 means violated.
        domain: as for `adai.book.check.identity`; its corners are tried, too.
        seed: of the random points.
        tries: number of random points, and of the steps that then refine the best.
    """
    symbols = sorted(lesser.free_symbols | greater.free_symbols, key=str)
    less, more = (sp.lambdify(symbols, e, "math") for e in (lesser, greater))

    def ratio(at: Sequence[float]) -> float:
        try:
            a, b = less(*at), more(*at)
            return (math.inf if a > 0 else 1.0) if b == 0 else a / b if b > 0 else (math.inf if a > b else b / a)
        except (ZeroDivisionError, OverflowError, ValueError, TypeError):  # TypeError: a side is not real
            return -math.inf

    boxes = [domain.get(s) or default_interval(s) for s in symbols]
    corners = itertools.islice(itertools.product(*boxes), 256)
    sampled = _sampled(tuple(symbols), frozenset(domain.items()), seed, tries)
    best = max(itertools.chain(corners, sampled), key=ratio)
    draw, width = random.Random(seed), 0.5
    for _ in range(tries):
        near = [
            x if s.is_integer else min(high, max(low, x + width * (high - low) * draw.uniform(-1, 1)))
            for x, s, (low, high) in zip(best, symbols, boxes, strict=True)
        ]
        if ratio(near) > ratio(best):
            best = near
        else:
            width = max(width * 0.99, 1e-6)
    return ratio(best), {s.name: round(x, 6) for s, x in zip(symbols, best, strict=True)}


@lru_cache(maxsize=8)  # every mutant is attacked at the same points
def _sampled(
    symbols: tuple[sp.Symbol, ...], domain: frozenset[tuple[sp.Symbol, tuple[float, float]]], seed: str, tries: int
) -> list[list[float]]:
    return [[float(p[s]) for s in symbols] for p in sample_points(set(symbols), dict(domain), seed, tries)]
