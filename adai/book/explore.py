"""Figures with sliders: their formulas leave SymPy as JavaScript, so that the site redraws them without a kernel.

A chapter passes the very expressions that it checked. Where no script runs (Colab, GitHub, PDF) the drawing at the
sliders' first values is an ordinary figure. `publishing.figures` and `book/_static/explorable.js` bring it to life; the
tests compare each generated function with its expression.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, TypeAlias

import sympy as sp
from sympy.codegen.rewriting import expm1_opt, optimize
from sympy.printing.jscode import jscode

from adai.book.figures import EXPLORABLE
from adai.book.mutants import equal_at_random_points, evaluator

SAMPLES = 200
LARGEST_IMAGINARY_PART = 1e-30
"""What rounding to 50 digits may leave of a root that cancels; more means that the curve is not real there."""
Curve: TypeAlias = sp.Expr | Sequence[sp.Expr]


@dataclass(frozen=True)
class Slider:
    """A symbol that the reader may change: its name in words, its range, its start, its step (a hundredth of it).

    Raises:
        ValueError: if no number of steps leads from `low` to `start`.
    """

    label: str
    low: float
    high: float
    start: float
    step: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "step", self.step or round((self.high - self.low) / 100, 10))
        steps = (self.start - self.low) / self.step
        if not self.low <= self.start <= self.high or abs(steps - round(steps)) > 1e-6:
            raise ValueError(
                f"{self.label}: start {self.start} is not among {self.low}, {self.low + self.step:g}, … {self.high}"
            )


@dataclass(frozen=True)
class Explorable:
    """A drawn figure and what the site needs to redraw it; shown as SVG, stored with the formulas beside it."""

    svg: str
    text: str
    spec: dict[str, Any]

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {"image/svg+xml": self.svg, "text/plain": self.text, EXPLORABLE: self.spec}


def curves(
    formulas: Mapping[str, Curve],
    x: tuple[sp.Symbol, float, float],
    y: tuple[float, float],
    sliders: Mapping[sp.Symbol, Slider],
    *,
    log: str = "",
    styles: Mapping[str, str] | None = None,
    xlabel: str,
    ylabel: str,
    read_at: float | None = None,
) -> Explorable:
    """Draw curves of one variable, with sliders for what else they depend on.

    Args:
        formulas: label of each curve, and the expression that the chapter checked. Where that loses digits in a
            computer, a pair: that expression, and an equal one that does not.
        x: symbol along the axis, first and last value; only whole numbers are drawn if it is an integer.
        y: lowest and highest value shown, for all positions of the sliders.
        sliders: the other symbols. Where one may be 0 and a formula is 0/0 there, its limit is drawn.
        log: the axes with a logarithmic scale: 'x', 'y' or 'xy'.
        styles: matplotlib's line style of a curve, if not solid.
        xlabel, ylabel: of the axes.
        read_at: the x at which the site tells the curves' values; by default the last.

    Raises:
        ValueError: if a formula has a symbol without slider, cannot be written in JavaScript, or is not real
            at the start; or if the two of a pair differ.
    """
    symbol, low, high = x
    points = _points(low, high, "x" in log, bool(symbol.is_integer))
    arguments = [symbol, *sliders]
    domain = {symbol: (low, high), **{s: (slider.low, slider.high) for s, slider in sliders.items()}}
    # Symbols about which nothing is assumed: that H is not 0 would decide at once whether it is.
    plain = {s: sp.Symbol(s.name) for s in arguments}
    start = {plain[s]: sp.Float(slider.start, 50) for s, slider in sliders.items()}
    drawn, stored = {}, []
    for label, formula in formulas.items():
        checked, fit = formula if isinstance(formula, Sequence) else (formula, formula)
        checked, fit = sp.sympify(checked), sp.sympify(fit)
        if stray := (checked.free_symbols | fit.free_symbols) - set(arguments):
            raise ValueError(f"curve {label!r} depends on {stray}, which has no slider")
        if checked != fit and not equal_at_random_points(checked, fit, domain, label):
            raise ValueError(
                f"curve {label!r}: the form to compute with is not equal to the checked one at random points"
            )
        whole = _continued(fit, sliders, plain)
        drawn[label] = _values(whole.subs(start), plain[symbol], points, label)
        stored.append({"label": label, "checked": str(checked), "javascript": _function(whole, plain.values())})
    spec = {
        "x": {"symbol": symbol.name, "name": sp.pretty(symbol), "from": low, "to": high, "log": "x" in log},
        "y": {"from": y[0], "to": y[1], "log": "y" in log},
        "points": points,
        "read_at": high if read_at is None else read_at,
        "sliders": [
            {"symbol": s.name, "label": v.label, "from": v.low, "to": v.high, "start": v.start, "step": v.step}
            for s, v in sliders.items()
        ],
        "curves": stored,
    }
    settings = ",  ".join(f"{slider.label} = {slider.start:g}".replace("-", "−") for slider in sliders.values())
    svg = _draw(drawn, spec, settings, styles or {}, xlabel, ylabel)
    return Explorable(svg, f"{', '.join(formulas)} at {settings}", spec)


def _points(low: float, high: float, log: bool, whole: bool) -> list[float]:
    """Return the places where the curves are computed, here and in the browser."""
    import numpy as np

    spread = (np.geomspace if log else np.linspace)(low, high, SAMPLES + 1)
    return np.unique(spread.round()).astype(int).tolist() if whole else [float(f"{v:.6g}") for v in spread]


def _continued(formula: sp.Expr, sliders: Mapping[sp.Symbol, Slider], plain: Mapping[sp.Symbol, sp.Symbol]) -> sp.Expr:
    """Return the formula in plain symbols, with its limit where a slider makes it 0/0."""
    whole = formula.xreplace(plain)
    for s, slider in sliders.items():
        if slider.low <= 0 <= slider.high and formula.subs(s, 0).has(sp.nan, sp.zoo):
            limit = sp.expand(sp.limit(formula, s, 0))
            if not limit.has(sp.oo, sp.zoo, sp.nan):
                whole = sp.Piecewise((limit.xreplace(plain), sp.Eq(plain[s], 0)), (whole, True))
    return whole


def _values(formula: sp.Expr, symbol: sp.Symbol, points: Sequence[float], label: str) -> list[float]:
    """Return the curve's values at the start of the sliders, computed with 50 digits.

    Raises:
        ValueError: if a value is not finite or not real.
    """
    value = evaluator(formula, label)
    found = []
    for point in points:
        try:
            number = complex(value({symbol: point}))
        except ZeroDivisionError:
            number = complex("nan")
        if not isfinite(number.real) or abs(number.imag) > LARGEST_IMAGINARY_PART * abs(number):
            raise ValueError(f"curve {label!r} is {number} at {symbol} = {point:g} and the start of the sliders")
        found.append(number.real)
    return found


def _function(formula: sp.Expr, arguments: Collection[sp.Symbol]) -> str:
    """Return a JavaScript function of the arguments; what occurs twice in the formula is computed once.

    Raises:
        ValueError: if a symbol's name is none in JavaScript, or a function of the formula is missing there.
    """
    for argument in arguments:
        if not argument.name.isidentifier() or not argument.name.isascii():
            raise ValueError(f"{argument.name!r} is no name in JavaScript: take another symbol")
    # exp(u) - 1 would lose all digits for small u; in a - a exp(u) it hides until a is taken out.
    shared, (result,) = sp.cse(optimize(sp.factor_terms(formula), [expm1_opt]), sp.numbered_symbols("_"))
    names = {a.name for a in arguments} | {name.name for name, _ in shared} | {"Math", "Number"}
    lines = []
    for part in (*(part for _, part in shared), result):
        *_, text = jscode(part, user_functions={"expm1": "Math.expm1"}, human=False)
        # What SymPy has no word for it leaves as it is: a sum always, a function like zeta up to SymPy 1.12.
        if foreign := set(re.findall(r"(?<![\w.])[^\W\d]\w*", text)) - names:
            raise ValueError(f"SymPy cannot write {formula} in JavaScript: there is no {', '.join(sorted(foreign))}")
        lines.append(" ".join(text.split()))
    body = "".join(f"const {name} = {line}; " for (name, _), line in zip(shared, lines, strict=False))
    return f"({', '.join(a.name for a in arguments)}) => {{ {body}return {lines[-1]}; }}"


def _draw(
    drawn: Mapping[str, Sequence[float]],
    spec: dict[str, Any],
    settings: str,
    styles: Mapping[str, str],
    xlabel: str,
    ylabel: str,
) -> str:
    """Draw the figure at the sliders' start as SVG, its parts named as the script finds them."""
    import matplotlib.pyplot as plt
    from IPython.core.pylabtools import print_figure

    from adai.book.figures import rounded

    figure, axes = plt.subplots()
    for i, (label, values) in enumerate(drawn.items()):
        axes.plot(spec["points"], rounded(values), styles.get(label, "-"), label=label, gid=f"curve-{i}")
    scales = {f"{axis}scale": "log" if spec[axis]["log"] else "linear" for axis in "xy"}
    axes.set(**scales, xlabel=xlabel, ylabel=ylabel)
    axes.set(xlim=(spec["x"]["from"], spec["x"]["to"]), ylim=(spec["y"]["from"], spec["y"]["to"]))
    axes.patch.set_gid("plot")
    # Above the plot, where no position of the sliders brings a curve.
    keys = axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
    for i, key in enumerate(keys.get_lines()):
        key.set_gid(f"key-{i}")
    axes.text(0.5, -0.25, settings, transform=axes.transAxes, ha="center", size="small", gid="settings")
    svg: str = print_figure(  # type: ignore[no-untyped-call]  # IPython's
        figure, "svg", bbox_inches="tight", metadata={"Date": None, "Creator": None}
    )
    plt.close(figure)
    return svg
