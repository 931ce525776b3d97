"""Checks: one call states what the paper prints, shows what we derived, and fails if the two differ.

Each check is first tried on mutants of its own claim (`adai.book.mutants`) and must reject every one that does not
happen to say the same; so a check that cannot fail cannot pass. What it found out travels in the cell's output as JSON
(`MIME`), which is all that the ledger reads.
"""

import itertools
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache

import mpmath
import sympy as sp

from adai.book.items import known
from adai.book.mutants import DIGITS, Domain, evaluator, mutants, points, same

MIME = "application/vnd.adai.check+json"
LARGEST_BLIND_SPOT = 0.2
"""A measurement that could not tell a claim that is off by this much (relative) is refused."""

LOOSE_BELOW = 0.5
"""A bound that no case found comes nearer to than this ratio is true but loose."""


class CheckFailed(AssertionError):
    """The claim does not hold, or the check could not have told if it did not."""


@dataclass(frozen=True)
class Check:
    """What one check found; shown as formulas, stored as JSON."""

    id: str
    kind: str
    verdict: str
    printed: str
    derived: str
    evidence: str
    uses: list[str] = field(default_factory=list)
    assumes: list[str] = field(default_factory=list)
    mutants: dict = field(default_factory=lambda: {"tried": 0, "rejected": 0, "equivalent": []})
    corrected: str = ""

    def _rows(self) -> list[tuple[str, str]]:
        ours = "derived" if self.kind in ("identity", "expansion", "erratum", "bound") else "found"
        rows = [("printed", self.printed), ("corrected", self.corrected), (ours, self.derived)]
        return [(name, formula) for name, formula in rows if formula]

    def _tally(self) -> str:
        tried, rejected, kept = (self.mutants[k] for k in ("tried", "rejected", "equivalent"))
        same = {"bound": "are still true", "measurement": "are too close to tell"}.get(self.kind, "say the same")
        return f"; {rejected} of {tried} mutants rejected" * bool(tried) + f", {len(kept)} {same}" * bool(kept)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict:
        rows = r" \\[4pt] ".join(rf"\textsf{{{name}}} &\quad {formula}" for name, formula in self._rows())
        said = f"{self.evidence}{self._tally()}"
        plain = [
            f"{self.id} {self.verdict}: {said}",
            *(f"{name}: {formula}" for name, formula in self._rows()),
        ]
        return {
            "text/plain": "\n".join(plain),
            "text/markdown": f"$$\n\\begin{{aligned}} {rows} \\end{{aligned}}\n$$\n\n"
            f"**{self.id} {self.verdict}**: {said}",
            MIME: dict(self.__dict__),
        }


# ── the seven kinds ──────────────────────────────────────────────────────────────────────────────────────────────


def identity(
    item: str,
    derived: sp.Expr,
    printed: sp.Expr,
    *,
    name: str = "",
    uses: Sequence[str] = (),
    assumes: Sequence[str] = (),
    domain: Domain | None = None,
    kind: str = "identity",
) -> Check:
    """The printed formula and the derived one are equal, by symbols.

    Args:
        item: what the paper calls it, such as "eq:19".
        derived: worked out in the chapter from definitions, never from `printed`.
        printed: the paper's right-hand side as it stands there; a matrix is compared entry by entry.
        name: LaTeX of the left-hand side, for display.
        uses: items that this one needs to be true.
        assumes: items that it needs only to be stated.
        domain: interval of each symbol for which the claim is made, where its assumptions do not tell.
        kind: "identity", or "definition" for an item that only names something.

    Raises:
        CheckFailed: if the two differ, with a point where they do.
    """
    domain = domain or {}
    derived, printed = (
        sp.ImmutableMatrix(e) if isinstance(e, sp.MatrixBase) else sp.sympify(e) for e in (derived, printed)
    )
    differ = _difference(derived, printed, domain, item)
    if differ:
        raise CheckFailed(f"{item}: printed {printed} is not the derived {derived}; {differ}")
    by = "by symbols" if _vanishes(derived - printed) else "at 16 random points to 50 digits, not by symbols"
    tally = _try(
        printed,
        rejects=lambda m: bool(_difference(derived, m, domain, item)),
        equivalent=lambda m: same(m, printed, domain, f"{item} mutant"),
        item=item,
    )
    return Check(
        known(item),
        kind,
        "holds",
        _equation(name, printed),
        _equation(name, derived),
        f"both sides equal {by}",
        *_items(uses, assumes),
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
    """The library's own object, applied to symbols, gives the formula that the paper defines.

    Args and errors as for `identity`; `realised` is what our code returned.
    """
    return identity(item, realised, printed, name=name, uses=uses, assumes=assumes, domain=domain, kind="definition")


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
    """The printed approximation differs from the exact value only from a stated order on.

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

    def rejects(mutant: sp.Expr) -> bool:
        return not _vanishes(sp.series(exact - mutant, small, 0, order).removeO())

    tally = _try(printed, rejects, lambda m: _order_of(m - printed, small, domain or {}, item) > order - 0.1, item)
    tail = "" if neglected == 0 else f"; first neglected term ${sp.latex(neglected)}$"
    return Check(
        known(item),
        "expansion",
        "leading order",
        _equation(name, printed) + rf" + O({sp.latex(small)}^{order})",
        _equation(name, exact),
        f"equal below order {order} in ${sp.latex(small)}${tail}",
        *_items(uses, assumes),
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
    """The lesser side never exceeds the printed greater one.

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
    tightest, where = _tightest(lesser, greater, domain, item, tries)
    if tightest > 1 + 1e-9:
        raise CheckFailed(f"{item}: {lesser} exceeds {greater} at {where}")
    if gap is not None and not (_vanishes(greater - lesser - gap) and gap.is_nonnegative):
        raise CheckFailed(f"{item}: {gap} must equal the difference {greater - lesser} and be nonnegative by symbols")
    by = "proved by algebra" if gap is not None else f"no violation in {tries} points of a search"
    symbols = lesser.free_symbols | greater.free_symbols

    @cache
    def still_true(mutant: sp.Expr) -> bool | None:
        """None if it has no real value somewhere in the domain."""
        less, more = evaluator(lesser, item), evaluator(mutant, item)
        with mpmath.workdps(DIGITS):  # a mutant equal to the lesser side is still true
            values = ((less(p), more(p)) for p in points(symbols, domain, f"{item} m", 400))
            try:
                return all(low - high <= mpmath.mpf(10) ** (10 - DIGITS) * abs(high) for low, high in values)
            except (ZeroDivisionError, TypeError):
                return None

    def rejects(mutant: sp.Expr) -> bool:
        violated = _tightest(lesser, mutant, domain, f"{item} r", tries)[0] > 1 + 1e-9
        return violated or still_true(mutant) is None

    tally = _try(greater, rejects, still_true, item)
    return Check(
        known(item),
        "bound",
        "holds" if tightest >= LOOSE_BELOW else "loose",
        rf"{_equation(name, lesser)} \le {sp.latex(greater)}",
        "",
        f"{by}; tightest ratio found {tightest:.4f}",
        *_items(uses, assumes),
        tally,
    )


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
    """A simulation agrees with the printed formula, within a stated number of standard errors at every point.

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
    """
    estimate, standard_error = [float(x) for x in estimate], [float(x) for x in standard_error]
    if not len(at) == len(estimate) == len(standard_error):
        raise ValueError(
            f"{len(at)} points, {len(estimate)} estimates, {len(standard_error)} errors: not as many of each"
        )

    places = [{s: mpmath.mpf(float(x)) for s, x in point.items()} for point in at]
    errors = "standard errors" if how == "simulated" else "estimated errors"

    def values(claim: sp.Expr) -> list[float]:
        value = evaluator(claim, item)
        try:
            return [float(value(place)) for place in places]
        except (ZeroDivisionError, TypeError):  # TypeError: it is not real
            return [math.inf] * len(places)  # says nothing about the world, so it agrees with no measurement

    def farthest(claim: sp.Expr, other: Sequence[float]) -> float:
        distances = [abs(c - o) / s for c, o, s in zip(values(claim), other, standard_error, strict=True)]
        return math.inf if any(map(math.isnan, distances)) else max(distances)

    worst = farthest(printed, estimate)
    if not worst <= within:
        raise CheckFailed(
            f"{item}: the {how} values are {worst:.1f} {errors} away from {printed}, {within} are allowed"
        )
    claimed = values(printed)
    # A claim off by this much at every point is rejected at the sharpest point whatever the noise did there.
    detects = min(2 * within * s / abs(c) for s, c in zip(standard_error, claimed, strict=True) if c)
    if detects > LARGEST_BLIND_SPOT:
        raise CheckFailed(f"{item}: could not tell a claim that is off by {detects:.0%}; take more samples")
    for factor in (1 + detects, 1 - detects):
        if farthest(factor * printed, estimate) <= within:
            raise CheckFailed(f"{item}: accepts the claim times {factor:.3f}")

    def too_close(mutant: sp.Expr) -> bool:
        # Nearer to the claim, at every point, than the noise lets anyone see.
        return farthest(mutant, claimed) <= 2 * within

    tally = _try(printed, lambda m: not farthest(m, estimate) <= within, too_close, item)
    return Check(
        known(item),
        "measurement",
        "holds",
        _equation(name, printed),
        "",
        f"{len(at)} {how} value{'s' * (len(at) > 1)}, the worst {worst:.1f} {errors} away; "
        f"would detect an error of {detects:.1%}",
        *_items(uses, assumes),
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
    """The printed formula fails where the corrected one holds.

    Args:
        item: what the paper calls it.
        derived: worked out in the chapter from definitions.
        printed: the formula as it stands in the paper.
        corrected: the formula as it should stand.
        verdict: "typo" (a slip the rest of the paper does not rest on), "loose" (true only with more said), or "wrong".
        name, uses, assumes, domain: as for `identity`.

    Raises:
        CheckFailed: if the printed formula holds after all, or the corrected one does not.
    """
    if verdict not in ("typo", "loose", "wrong"):
        raise ValueError(f"verdict {verdict!r}: an erratum is 'typo', 'loose' or 'wrong'")
    failure = _difference(derived, printed, domain or {}, item)
    if not failure:
        raise CheckFailed(f"{item}: the printed form {printed} holds; it is no erratum")
    right = identity(item, derived, corrected, name=name, uses=uses, assumes=assumes, domain=domain)
    return Check(
        item,
        "erratum",
        verdict,
        _equation(name, printed),
        right.derived,
        f"the printed form fails ({failure}), the corrected one holds",
        right.uses,
        right.assumes,
        right.mutants,
        _equation(name, corrected),
    )


SIGNS = {"negative": (-math.inf, 0.0), "positive": (0.0, math.inf)}


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
    """A claim about experiments, judged by recorded runs of one scale on one data set.

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
        known(item),
        "record",
        verdict,
        rf"\text{{{claim}}}",
        rf"{estimate:.3g} \quad [{low:.3g},\, {high:.3g}]",
        f"95 % interval; {alike}{scale} scale, {data}",
        list(uses),
    )


# ── algorithms ───────────────────────────────────────────────────────────────────────────────────────────────────


class mean(sp.Function):
    """The mean over all elements, inside an algorithm's lines."""

    def _latex(self, printer: object) -> str:
        return rf"\mathrm{{mean}}({printer._print(self.args[0])})"


class clip(sp.Function):
    """`clip(x, low, high)`: x held between the two, inside an algorithm's lines."""

    def _latex(self, printer: object) -> str:
        x, low, high = (printer._print(a) for a in self.args)
        return rf"\mathrm{{clip}}\left({x},\; {low},\; {high}\right)"


Lines = Sequence[tuple[sp.Symbol, sp.Expr]]


def algorithm(
    item: str,
    lines: Lines,
    realised: Callable[[list[list[float]], dict[str, float]], Sequence[float]],
    *,
    start: Mapping[sp.Symbol, float],
    settings: Mapping[sp.Symbol, float],
    gradient: sp.Symbol,
    result: sp.Symbol,
    step: sp.Symbol,
    steps: int = 12,
    size: int = 5,
    uses: Sequence[str] = (),
    assumes: Sequence[str] = (),
) -> Check:
    """The printed lines, run as they stand, take the same steps as our optimizer; every mutated line does not.

    Args:
        item: "alg:2", say.
        lines: the algorithm, one (symbol, formula) a line, in order; a formula sees the latest value of each symbol.
        realised: our optimizer: from a list of gradients (steps × size) and the settings to the last parameters.
        start: value, in each element, of every symbol that a line reads before it is set.
        settings: the hyperparameters' values.
        gradient, result, step: symbols for g, θ, t.
        steps, size: length of the run, number of parameters.
        uses, assumes: as for `identity`.

    Raises:
        CheckFailed: if the optimizer's parameters differ by more than 1e-12 (relative).
    """

    def run(lines: Lines, seed: str, number: Callable = float) -> list:
        draw = random.Random(seed)
        gradients = [[draw.gauss(0.3, 1) * 4.0**-i for i in range(size)] for _ in range(steps)]
        try:
            return _run(lines, gradients, start, settings, gradient, result, step, number), gradients
        except (ZeroDivisionError, OverflowError, ValueError):
            return [number(math.nan)] * size, gradients

    printed, gradients = run(lines, item)
    ours = list(realised(gradients, {s.name: v for s, v in settings.items()}))

    def differs(values: Sequence[float]) -> bool:
        return not all(abs(a - b) <= 1e-12 * (abs(a) + abs(b)) for a, b in zip(values, ours, strict=True))

    if differs(printed):
        raise CheckFailed(f"{item}: the printed lines end at {printed}, the optimizer at {ours}")
    truth, _ = run(lines, f"{item} mutant", mpmath.mpf)
    variants = [[*lines[:i], (name, m), *lines[i + 1 :]] for i, (name, f) in enumerate(lines) for m in mutants(f)]

    def equivalent(variant: Lines) -> bool:
        with mpmath.workdps(DIGITS_OF_RUN):
            other, _ = run(variant, f"{item} mutant", mpmath.mpf)
            return all(abs(a - b) <= mpmath.mpf(10) ** -30 for a, b in zip(truth, other, strict=True))

    with mpmath.workdps(DIGITS_OF_RUN):
        truth, _ = run(lines, f"{item} mutant", mpmath.mpf)
    named = [next(f"{n} = {f}" for (n, f), line in zip(v, lines, strict=True) if (n, f) != line) for v in variants]
    tally = _tally(
        [(name, differs(run(v, item)[0]), lambda v=v: equivalent(v)) for name, v in zip(named, variants, strict=True)],
        item,
    )
    shown = r"\begin{aligned}" + r" \\ ".join(f"{sp.latex(n)} &= {sp.latex(f)}" for n, f in lines) + r"\end{aligned}"
    return Check(
        known(item),
        "definition",
        "holds",
        shown,
        "",
        f"{steps} steps of {size} parameters equal the optimizer's to 1e-12",
        *_items(uses, assumes),
        tally,
    )


DIGITS_OF_RUN = 50


def _run(
    lines: Lines,
    gradients: list,
    start: Mapping,
    settings: Mapping,
    g: sp.Symbol,
    theta: sp.Symbol,
    t: sp.Symbol,
    number: Callable,
) -> list:
    """Each line elementwise, `mean` over the elements; numbers are floats or mpmath's."""
    size = len(gradients[0])
    state = {s: [number(v)] * size for s, v in {**start, **settings}.items()}
    compiled = [(name, _line(formula)) for name, formula in lines]
    for count, now in enumerate(gradients, 1):
        state[g], state[t] = [number(x) for x in now], [number(count)] * size
        for name, compute in compiled:
            state[name] = compute(state, size)
    return state[theta]


def _line(formula: sp.Expr) -> Callable[[dict, int], list]:
    """One line as a function of the state; a mean is taken first, then enters as a number."""
    inner = sorted(formula.atoms(mean), key=str)
    means = [(sp.Dummy(), _line(m.args[0])) for m in inner]
    formula = formula.xreplace({m: dummy for m, (dummy, _) in zip(inner, means, strict=True)})
    symbols = sorted(formula.free_symbols, key=str)
    held = {"clip": lambda x, low, high: max(low, min(high, x))}
    compute = sp.lambdify(symbols, formula, [held, "mpmath"])

    def line(state: dict, size: int) -> list:
        values = {**state, **{d: [sum(f(state, size)) / size] * size for d, f in means}}
        return (
            [compute(*row) for row in zip(*(values[s] for s in symbols), strict=True)]
            if symbols
            else ([compute()] * size)
        )

    return line


# ── how a claim is decided ───────────────────────────────────────────────────────────────────────────────────────


def _difference(derived: sp.Expr, printed: sp.Expr, domain: Domain, item: str) -> str:
    """A point of the domain where the two differ, in words; '' if they are equal."""
    for a, b in zip(_entries(derived), _entries(printed), strict=True):
        if same(a, b, domain, item):
            continue
        left, right = evaluator(a, item), evaluator(b, item)
        for at in points(a.free_symbols | b.free_symbols, domain, item, 16):
            try:
                x, y = left(at), right(at)
            except ZeroDivisionError:
                return "the printed form divides by zero"
            if abs(x - y) > mpmath.mpf(10) ** -12 * (abs(x) + abs(y)):
                where = ", ".join(f"${sp.latex(s)} = {mpmath.nstr(v, 3)}$" for s, v in at.items())
                return f"{mpmath.nstr(y, 4)} instead of {mpmath.nstr(x, 4)}" + (f" at {where}" if where else "")
        return "the two differ"
    return ""


def _entries(expression: sp.Expr) -> list[sp.Expr]:
    return list(expression) if isinstance(expression, sp.MatrixBase) else [expression]


def _vanishes(expression: sp.Expr) -> bool:
    """Whether symbols alone show that the expression is zero; the cheap ways are tried first."""
    return all(
        any(way(e) == 0 for way in (sp.expand, lambda e: sp.expand(e.doit()), sp.simplify))
        for e in _entries(expression)
    )


def _order_of(difference: sp.Expr, small: sp.Symbol, domain: Domain, item: str) -> float:
    """The power of `small` with which the difference vanishes, from its size at two small values."""
    value, at = evaluator(difference, item), points(difference.free_symbols, domain, f"{item} mutant", 1)[0]
    with mpmath.workdps(50):
        near, nearer = (abs(value({**at, small: mpmath.mpf(10) ** -e})) for e in (8, 12))
        return math.inf if nearer == 0 else float(mpmath.log(near / nearer, 10) / 4)


def _tightest(lesser: sp.Expr, greater: sp.Expr, domain: Domain, seed: str, tries: int) -> tuple[float, dict]:
    """The largest ratio lesser / greater that a random search finds, corners of the domain included, and where."""
    symbols = sorted(lesser.free_symbols | greater.free_symbols, key=str)
    less, more = (sp.lambdify(symbols, e, "math") for e in (lesser, greater))

    def ratio(at: Sequence[float]) -> float:
        try:
            a, b = less(*at), more(*at)
            return (math.inf if a > 0 else 1.0) if b == 0 else a / b if b > 0 else (math.inf if a > b else b / a)
        except (ZeroDivisionError, OverflowError, ValueError, TypeError):  # TypeError: a side is not real
            return -math.inf

    boxes = [domain.get(s, (0.25, 2.5) if s.is_positive else (-2.5, 2.5)) for s in symbols]
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
def _sampled(symbols: tuple[sp.Symbol, ...], domain: frozenset, seed: str, tries: int) -> list[list[float]]:
    return [[float(p[s]) for s in symbols] for p in points(set(symbols), dict(domain), seed, tries)]


def _try(claim: sp.Expr, rejects: Callable, equivalent: Callable, item: str) -> dict:
    return _tally([(str(m), rejects(m), lambda m=m: equivalent(m)) for m in mutants(claim)], item)


def _tally(results: Sequence[tuple[str, bool, Callable[[], bool]]], item: str) -> dict:
    """Counts of mutants rejected; those not rejected must say the same as the claim, and are listed."""
    kept = [name for name, rejected, equivalent in results if not rejected and equivalent()]
    blind = [name for name, rejected, _ in results if not rejected and name not in kept]
    if blind:
        raise CheckFailed(f"{item}: the check cannot fail: it accepts {blind[0]}, which says something else")
    if len(kept) == len(results):
        raise CheckFailed(f"{item}: the check has no mutant to reject; claim something that could be wrong")
    return {"tried": len(results), "rejected": len(results) - len(kept), "equivalent": kept}


def _equation(name: str, formula: sp.Expr) -> str:
    return (f"{name} = " if name else "") + sp.latex(formula)


def _items(uses: Sequence[str], assumes: Sequence[str]) -> tuple[list[str], list[str]]:
    return [known(i) for i in uses], [known(i) for i in assumes]
