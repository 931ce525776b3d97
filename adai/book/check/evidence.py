"""Checks by evidence: formulas against simulations, and claims about experiments against recorded runs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import mpmath
import sympy as sp

from adai.book.check.mutation import try_mutants
from adai.book.check.results import Check, CheckFailed, equation
from adai.book.mutants import evaluator

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

    def smallest_detected(self, printed: sp.Expr, within: float) -> float:
        """Return the smallest relative error of the claim that is found out, whatever the noise did.

        Raises:
            CheckFailed: if that is more than `LARGEST_BLIND_SPOT`.
        """
        # The printed claim is within the allowed errors of the estimate, so one that is off by twice these is not.
        detects = min(2 * within * s / abs(c) for s, c in zip(self.error, self.values(printed), strict=True) if c)
        if detects > LARGEST_BLIND_SPOT:
            raise CheckFailed(f"{self.item}: could not tell a claim that is off by {detects:.0%}; take more samples")
        return detects


def measurement(
    item: str,
    printed: sp.Expr,
    *,
    at: Sequence[Mapping[sp.Symbol, float]],
    estimate: Sequence[float],
    standard_error: Sequence[float],
    within: float = 4.0,
    how: str = "simulated",
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
        name, uses, assumes: as for `identity`.

    Raises:
        CheckFailed: if a point disagrees, or if the simulation is too noisy to tell a claim that is off by 20 %.
        ValueError: if there are not as many estimates and errors as points.
    """
    measured = _Measured(item, at, [float(x) for x in estimate], [float(x) for x in standard_error])
    errors = "standard errors" if how == "simulated" else "estimated errors"
    worst = measured.farthest(printed, measured.estimate)
    if not worst <= within:
        raise CheckFailed(
            f"{item}: the {how} values are {worst:.1f} {errors} away from {printed}, {within} are allowed"
        )
    detects, claimed = measured.smallest_detected(printed, within), measured.values(printed)
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
        "holds",
        equation(name, printed),
        "",
        f"{len(at)} {how} value{'s' * (len(at) > 1)}, the worst {worst:.1f} {errors} away; "
        f"would detect an error of {detects:.1%}",
        list(uses),
        list(assumes),
        tally,
    )


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
    verdict = "reproduced" if inside else "not reproduced" if outside else "undecided"
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
