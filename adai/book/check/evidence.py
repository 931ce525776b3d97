"""Checks by evidence: formulas against simulations, and claims about experiments against recorded runs."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import mpmath
import sympy as sp

from adai.book.check.mutation import try_mutants
from adai.book.check.results import Check, CheckFailed, equation, latex
from adai.book.mutants import evaluator
from adai.book.verdicts import IN_CASES, NOT_REPRODUCED, REPRODUCED, UNDECIDED

LARGEST_BLIND_SPOT = 0.2
"""A measurement that could not tell a claim that is off by this much (relative) is refused."""

SIGNS = {"negative": (-math.inf, 0.0), "positive": (0.0, math.inf)}


@dataclass(frozen=True)
class _Measured:
    """Values measured at several points, and the error of each."""

    item: str
    at: Sequence[Mapping[sp.Symbol, float]]
    estimate: Sequence[float]
    error: Sequence[float]

    def __post_init__(self) -> None:
        if not len(self.at) == len(self.estimate) == len(self.error):
            raise ValueError(
                f"{len(self.at)} points, {len(self.estimate)} estimates, {len(self.error)} errors: "
                "expected as many of each"
            )

    def values(self, claim: sp.Expr) -> list[float]:
        """Return the claim's value at each point; infinities if it has none, which agree with no measurement."""
        value = evaluator(claim, self.item)
        places = [{s: mpmath.mpf(float(x)) for s, x in point.items()} for point in self.at]
        try:
            return [float(value(place)) for place in places]
        except (ZeroDivisionError, TypeError):  # TypeError: it is not real
            return [math.inf] * len(places)

    def farthest(self, claim: sp.Expr, other: Sequence[float]) -> float:
        """Return how many errors the claim is away from other values at the worst point."""
        distances = [abs(c - o) / s for c, o, s in zip(self.values(claim), other, self.error, strict=True)]
        return math.inf if any(map(math.isnan, distances)) else max(distances)

    def smallest_detected(self, printed: sp.Expr, within: float) -> tuple[float, float]:
        """Return the relative error of the claim that is found out at the sharpest point, and at the bluntest.

        Whatever the noise did; points at which the claim is 0 are left out.

        Raises:
            CheckFailed: if that is more than `LARGEST_BLIND_SPOT` at some point.
        """
        # The printed claim is within the allowed errors of the estimate, so one that is off by twice these is not.
        detects = [2 * within * s / abs(c) for s, c in zip(self.error, self.values(printed), strict=True) if c]
        if not detects or max(detects) > LARGEST_BLIND_SPOT:
            blunt = f"{max(detects):.0%} at one of its points" if detects else "anything: it is 0 at every point"
            raise CheckFailed(f"{self.item}: could not tell a claim that is off by {blunt}; take more samples there")
        return min(detects), max(detects)


def measurement(
    item: str,
    printed: sp.Expr,
    *,
    at: Sequence[Mapping[sp.Symbol, float]],
    estimate: Sequence[float],
    standard_error: Sequence[float],
    within: float = 4.0,
    how: str = "simulated",
    held: Sequence[sp.Symbol] = (),
    name: str = "",
    uses: Sequence[str] = (),
    assumes: Sequence[str] = (),
) -> Check:
    """Check that a simulation agrees with the printed formula, within a number of standard errors at every point.

    Args:
        item: what the paper calls it.
        printed: the formula.
        at: the points, each with a value for every symbol of `printed`.
        estimate: the measured value at each point.
        standard_error: its standard error, or what else bounds its error.
        within: how many of these errors are allowed; 4 for many points at once.
        how: in a word, where the values come from: "simulated", or "extrapolated" from numerical solutions.
        held: symbols whose one value at all points hides their power or their sign, which the claim then is not about.
        name, uses, assumes: as for `identity`.

    Raises:
        CheckFailed: if a point disagrees, if the simulation is too noisy at some point to tell a claim that is off by
            20 %, or if a symbol is 0 or 1, or equal to another, at every point, and is not said to be held.
        ValueError: if there are not as many estimates and errors as points.
    """
    measured = _Measured(item, at, [float(x) for x in estimate], [float(x) for x in standard_error])
    errors = "standard errors" if how == "simulated" else "estimated errors"
    worst = measured.farthest(printed, measured.estimate)
    if not worst <= within:
        raise CheckFailed(
            f"{item}: the {how} values are {worst:.1f} {errors} away from {printed}, {within} are allowed"
        )
    (sharpest, bluntest), claimed = measured.smallest_detected(printed, within), measured.values(printed)
    _require_general(item, printed, measured.at, held)
    tally = try_mutants(
        printed,
        rejects=lambda mutant: not measured.farthest(mutant, measured.estimate) <= within,
        # Nearer to the claim, at every point, than the noise lets anyone see.
        equivalent=lambda mutant: measured.farthest(mutant, claimed) <= 2 * within,
        item=item,
    )
    return Check(
        item,
        "measurement",
        IN_CASES,
        equation(name, printed),
        "",
        f"{len(at)} {how} value{'s' * (len(at) > 1)}, the worst {worst:.1f} {errors} away; "
        f"would detect an error of {sharpest:.1%}"
        + f", and of {bluntest:.1%} at every point" * (len(at) > 1)
        + f"; only at {', '.join(f'${latex(symbol)} = {at[0][symbol]:g}$' for symbol in held)}" * bool(held),
        list(uses),
        list(assumes),
        tally,
    )


def _require_general(
    item: str, printed: sp.Expr, at: Sequence[Mapping[sp.Symbol, float]], held: Sequence[sp.Symbol]
) -> None:
    """Raise if the points hide what the claim says of a symbol: any power of 1 is 1, and equal ones can be swapped."""
    free = [symbol for symbol in sorted(printed.free_symbols, key=str) if symbol not in held]
    for symbol in free:
        if {float(point[symbol]) for point in at} in ({0.0}, {1.0}):
            raise CheckFailed(
                f"{item}: {symbol} is {at[0][symbol]:g} at every point, which hides its power; choose another value, "
                "or say that it is held"
            )
    for one, other in itertools.combinations(free, 2):
        if all(float(point[one]) == float(point[other]) for point in at):
            raise CheckFailed(f"{item}: {one} and {other} are equal at every point, which hides a swap of the two")


def record(
    item: str,
    claim: str,
    *,
    estimate: float,
    interval: tuple[float, float],
    expected: str | tuple[float, float],
    scale: str,
    data: str,
    uses: Sequence[str] = (),
) -> Check:
    """Judge a claim about experiments by recorded runs of one scale on one data set.

    Args:
        item: what the paper calls it, such as "tab:1".
        claim: the claim in words, naming the difference that `estimate` measures.
        estimate: that difference, computed from records.
        interval: its 95 % confidence interval.
        expected: the sign the paper claims, "negative" or "positive"; or, where it claims that two things are alike,
            the range in which they count as alike.
        scale: scale of the runs.
        data: label of their data set.
        uses: items that this one needs.

    Returns:
        Verdict 'reproduced' where the whole interval lies where it is expected, 'not reproduced' where none of it
        does, else 'undecided'.

    Raises:
        ValueError: if the estimate is outside its interval, or `expected` is neither a sign nor a range.
    """
    low, high = interval
    if not low <= estimate <= high:
        raise ValueError(f"estimate {estimate} lies outside its interval {interval}")
    if isinstance(expected, str) and expected not in SIGNS:
        raise ValueError(f"expected {expected!r}: say 'negative', 'positive' or a range such as (-0.1, 0.1)")
    least, most = SIGNS[expected] if isinstance(expected, str) else expected
    inside, outside = least < low and high < most, high < least or low > most
    verdict = REPRODUCED if inside else NOT_REPRODUCED if outside else UNDECIDED
    alike = "" if isinstance(expected, str) else f"alike from {least:.3g} to {most:.3g}; "
    return Check(
        item,
        "record",
        verdict,
        rf"\text{{{claim}}}",
        rf"{estimate:.3g} \quad [{low:.3g},\, {high:.3g}]",
        f"95 % interval; {alike}{scale} scale, {data}",
        list(uses),
    )
