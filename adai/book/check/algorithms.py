"""Checks of algorithms: the printed lines, run as they stand, against our optimizer."""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import mpmath
import sympy as sp

from adai.book.check.mutation import require_rejection
from adai.book.check.results import Check, CheckFailed, latex
from adai.book.mutants import DIGITS, mutants
from adai.book.verdicts import HOLDS

Number: TypeAlias = float | mpmath.mpf
Lines: TypeAlias = Sequence[tuple[sp.Symbol, sp.Expr]]
State: TypeAlias = dict[sp.Symbol, list[Number]]
"""The value of each symbol, one for each parameter."""

TOLERANCE = 1e-12
"""Largest relative difference between the lines' parameters and the optimizer's."""


class mean(sp.Function):  # type: ignore[misc]  # SymPy has no types
    """The mean over all elements, inside an algorithm's lines."""

    def _latex(self, printer: Any) -> str:
        return rf"\mathrm{{mean}}({printer._print(self.args[0])})"


class clip(sp.Function):  # type: ignore[misc]  # SymPy has no types
    """`clip(x, low, high)`: x held between the two, inside an algorithm's lines."""

    def _latex(self, printer: Any) -> str:
        x, low, high = (printer._print(a) for a in self.args)
        return rf"\mathrm{{clip}}\left({x},\; {low},\; {high}\right)"


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
    """Check that the printed lines take the same steps as our optimizer, and that no mutated line does.

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
        CheckFailed: if the optimizer's parameters differ by more than 1e-12 (relative), or if a setting is 0, 1 or
            equal to another, which would hide what the lines do with it.
    """
    _require_general(item, settings)
    symbols = {"gradient": gradient, "result": result, "step": step}
    gradients = _gradients(item, steps, size)
    trial = _Run(gradients, {**start, **settings}, **symbols)
    printed, ours = trial.end(lines, float), list(realised(gradients, {s.name: v for s, v in settings.items()}))

    def differs(values: Sequence[Number]) -> bool:
        return not all(abs(a - b) <= TOLERANCE * (abs(a) + abs(b)) for a, b in zip(values, ours, strict=True))

    if differs(printed):
        raise CheckFailed(f"{item}: the printed lines end at {printed}, the optimizer at {ours}")

    exact = _Run(_gradients(f"{item} mutant", steps, size), {**start, **settings}, **symbols)
    with mpmath.workdps(DIGITS):
        truth = exact.end(lines, mpmath.mpf)

    def equivalent(variant: Lines) -> bool:
        with mpmath.workdps(DIGITS):
            other = exact.end(variant, mpmath.mpf)
            return all(abs(a - b) <= mpmath.mpf(10) ** -30 for a, b in zip(truth, other, strict=True))

    variants = [(i, name, mutant) for i, (name, formula) in enumerate(lines) for mutant in mutants(formula)]
    trials = []
    for i, name, mutant in variants:
        variant = [*lines[:i], (name, mutant), *lines[i + 1 :]]
        trials.append((f"{name} = {mutant}", differs(trial.end(variant, float)), partial(equivalent, variant)))
    tally = require_rejection(trials, item)
    shown = r"\begin{aligned}" + r" \\ ".join(f"{latex(n)} &= {latex(f)}" for n, f in lines) + r"\end{aligned}"
    return Check(
        item,
        "definition",
        HOLDS,
        shown,
        "",
        f"{steps} steps of {size} parameters equal the optimizer's to 1e-12",
        list(uses),
        list(assumes),
        tally,
    )


def _require_general(item: str, settings: Mapping[sp.Symbol, float]) -> None:
    values = list(settings.values())
    for symbol, value in settings.items():
        if value in (0, 1) or values.count(value) > 1:
            raise CheckFailed(f"{item}: {symbol} = {value} hides what the lines do with it; choose another value")


def _gradients(seed: str, steps: int, size: int) -> list[list[float]]:
    """Draw random gradients, steps × size, each parameter's a quarter as large as its neighbour's."""
    draw = random.Random(seed)
    return [[draw.gauss(0.3, 1) * 4.0**-i for i in range(size)] for _ in range(steps)]


@dataclass(frozen=True)
class _Run:
    """A run of an algorithm's lines: its gradients (steps × size), and the values it starts from."""

    gradients: Sequence[Sequence[float]]
    start: Mapping[sp.Symbol, float]
    gradient: sp.Symbol
    result: sp.Symbol
    step: sp.Symbol

    def end(self, lines: Lines, number: Callable[[float], Number]) -> list[Number]:
        """Return the parameters after the last step, or NaN if a line has no value.

        Each line is taken elementwise, `mean` over the elements; `number` is float or mpmath's.
        """
        size = len(self.gradients[0])
        state: State = {s: [number(v)] * size for s, v in self.start.items()}
        compiled = [(name, _compiled(formula)) for name, formula in lines]
        try:
            for count, now in enumerate(self.gradients, 1):
                state[self.gradient], state[self.step] = [number(x) for x in now], [number(count)] * size
                for name, compute in compiled:
                    state[name] = compute(state, size)
        except (ZeroDivisionError, OverflowError, ValueError):
            return [number(math.nan)] * size
        return state[self.result]


def _compiled(formula: sp.Expr) -> Callable[[State, int], list[Number]]:
    """Return one line as a function of the state; a mean is taken first, then enters as a number."""
    inner = sorted(formula.atoms(mean), key=str)
    means = [(sp.Dummy(), _compiled(m.args[0])) for m in inner]
    formula = formula.xreplace({m: dummy for m, (dummy, _) in zip(inner, means, strict=True)})
    symbols = sorted(formula.free_symbols, key=str)
    held = {"clip": lambda x, low, high: max(low, min(high, x))}
    compute = sp.lambdify(symbols, formula, [held, "mpmath"])

    def line(state: State, size: int) -> list[Number]:
        if not symbols:
            return [compute()] * size
        values = {**state, **{d: [sum(f(state, size)) / size] * size for d, f in means}}
        return [compute(*row) for row in zip(*(values[s] for s in symbols), strict=True)]

    return line
