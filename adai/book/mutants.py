"""Mutants of a formula, which read as if one thing in it were wrong, and whether two formulas have equal values."""

import random
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import chain, combinations
from typing import TypeAlias

import mpmath
import sympy as sp
from sympy.core.function import AppliedUndef

Domain: TypeAlias = Mapping[sp.Symbol, tuple[float, float]]
"""Interval of each symbol."""
Point: TypeAlias = dict[sp.Symbol, mpmath.mpf]
"""Value of each symbol."""
DIGITS = 50
_UNDONE = (sp.Derivative, sp.Integral, sp.Sum, sp.Product, sp.Limit, sp.Subs)


def mutants(claim: sp.Expr) -> list[sp.Expr]:
    """Return the claim with one thing changed, each way once.

    Each factor doubled, each sign flipped, each exponent and integer moved by one, also that of a factor which stands
    there once, each term dropped, and each symbol swapped throughout with every other of the same assumptions.

    Args:
        claim: any SymPy expression, or a matrix, which is mutated entry by entry.
    """
    if isinstance(claim, sp.MatrixBase):
        changed = [
            claim.as_mutable().copy().__class__(claim.rows, claim.cols, [*claim[:i], m, *claim[i + 1 :]])
            for i in range(len(claim))
            for m in mutants(claim[i])
        ]
        return list(dict.fromkeys(sp.ImmutableMatrix(m) for m in changed))
    claim = sp.sympify(claim)
    distinct = dict.fromkeys(chain(_mutated(claim), _swapped(claim)))
    return [m for m in distinct if m != claim and not m.has(sp.nan, sp.zoo, sp.oo)]


def _swapped(claim: sp.Expr) -> Iterator[sp.Basic]:
    """Yield the claim with two of its symbols in each other's place."""
    for one, other in combinations(sorted(claim.free_symbols, key=str), 2):
        if one.assumptions0 == other.assumptions0:
            yield claim.xreplace({one: other, other: one})


def _mutated(node: sp.Basic) -> Iterator[sp.Basic]:
    """Yield mutants of this node, then of each of its parts in place."""
    if isinstance(node, sp.Rational):
        p, q = node.p, node.q
        yield from (sp.Rational(p + 1, q), sp.Rational(p - 1, q), -node)
        if q > 1:
            yield sp.Rational(p, q + 1)
        return
    if isinstance(node, sp.Expr):
        yield from (2 * node, -node)
    if isinstance(node, sp.Pow | sp.exp | sp.Symbol | AppliedUndef | sp.Derivative):
        base, exponent = node.as_base_exp()
        yield from (base ** (exponent + 1), base ** (exponent - 1))
    if isinstance(node, sp.Add):
        yield from (node - term for term in node.args)
    if isinstance(node, AppliedUndef):
        return  # its arguments only name variables, as the limits of integrals do, which are no expressions
    for i, arg in enumerate(node.args):
        if isinstance(arg, sp.Expr):
            # The exponent of a power's base has been moved already.
            inner = (2 * arg, -arg) if isinstance(node, sp.Pow) and arg.is_Symbol and i == 0 else _mutated(arg)
            for mutant in inner:
                yield node.func(*node.args[:i], mutant, *node.args[i + 1 :])


def sample_points(symbols: set[sp.Symbol], domain: Domain, seed: str, count: int) -> list[Point]:
    """Draw random points of the claim's domain, the same at every run.

    Args:
        symbols: what to choose values for.
        domain: interval of each symbol; those it leaves out get one that fits their assumptions.
        seed: different seeds give different points.
        count: how many.
    """
    return list(_sampled(frozenset(symbols), frozenset(domain.items()), seed, count))


@lru_cache(maxsize=64)  # every mutant is tried at the same points
def _sampled(
    symbols: frozenset[sp.Symbol], domain: frozenset[tuple[sp.Symbol, tuple[float, float]]], seed: str, count: int
) -> tuple[Point, ...]:
    draw, intervals = random.Random(seed), dict(domain)
    ordered = sorted(symbols, key=str)
    return tuple({s: _value(s, intervals.get(s), draw) for s in ordered} for _ in range(count))


def default_interval(symbol: sp.Symbol) -> tuple[float, float]:
    """Return an interval that fits a symbol's assumptions."""
    if symbol.is_integer:
        return (1, 7) if symbol.is_positive else (-6, 6)
    return (0.25, 2.5) if symbol.is_positive else (-2.5, -0.25) if symbol.is_negative else (-2.5, 2.5)


def _value(symbol: sp.Symbol, interval: tuple[float, float] | None, draw: random.Random) -> mpmath.mpf:
    low, high = interval or default_interval(symbol)
    return mpmath.mpf(draw.randint(int(low), int(high)) if symbol.is_integer else draw.uniform(low, high))


def _concrete(expression: sp.Expr, seed: str) -> sp.Expr:
    """Replace each unknown function by a random polynomial, and do the derivatives and integrals that are left."""
    for name in {f.func for f in expression.atoms(AppliedUndef)}:
        c = random.Random(f"{seed} {name}").sample(range(1, 8), 4)

        def polynomial(*args: sp.Expr, c: list[int] = c) -> sp.Expr:
            return c[0] + sum(c[1] * a + c[2] * a**2 + sp.Rational(c[3], 7) * a**3 for a in args) + sp.prod(args)

        expression = expression.replace(name, polynomial)
    # To do what is done already takes SymPy most of the time of a check.
    return expression.doit() if expression.has(*_UNDONE) else expression


@lru_cache(maxsize=64)  # every mutant is held against the same other side
def evaluator(expression: sp.Expr, seed: str) -> Callable[[Point], mpmath.mpf]:
    """Return a function from a point to the expression's value there, to 50 digits.

    Args:
        expression: may contain unknown functions; they become random polynomials.
        seed: of the polynomials.
    """
    expression = _concrete(sp.sympify(expression), seed)
    symbols = sorted(expression.free_symbols, key=str)
    compiled = sp.lambdify(symbols, expression, "mpmath")

    def value(at: Point) -> mpmath.mpf:
        with mpmath.workdps(DIGITS):
            return compiled(*(at[s] for s in symbols))

    return value


def equal_at_random_points(a: sp.Expr, b: sp.Expr, domain: Domain, seed: str, count: int = 16) -> bool:
    """Return whether two expressions or matrices have equal values, to 40 digits, at random points of the domain."""
    if isinstance(a, sp.MatrixBase):
        return all(equal_at_random_points(x, y, domain, seed, count) for x, y in zip(a, b, strict=True))
    values = evaluator(a, seed), evaluator(b, seed)
    for at in sample_points(a.free_symbols | b.free_symbols, domain, seed, count):
        try:
            x, y = (value(at) for value in values)
        except ZeroDivisionError:
            return False
        with mpmath.workdps(DIGITS):
            if abs(x - y) > mpmath.mpf(10) ** (10 - DIGITS) * (abs(x) + abs(y)):
                return False
    return True
