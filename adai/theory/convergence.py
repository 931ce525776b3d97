"""Momentum whose inertia changes from step to step: its weights, exact means over noise, and what is proved about it.

Indices are those of the paper's proof, Equations (74)-(118): steps count from 0, and the first has no past. Where the
docstring does not say NumPy, SymPy expressions will do as well as numbers.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import sympy as sp

if TYPE_CHECKING:
    import numpy as np

Number: TypeAlias = Any
"""A float, a NumPy array, or a SymPy expression."""


def momentum(beta1: Sequence[Number], gradients: Sequence[Number]) -> list[Number]:
    """Return the buffers m_t = beta_t m_{t-1} + (1 - beta_t) g_t from m = 0 on.

    This is Algorithm 2 without bias correction of m.

    Args:
        beta1: inertia of each step.
        gradients: gradient of each step.

    Raises:
        ValueError: if the lengths differ.
    """
    m, buffers = 0, []
    for beta, g in zip(beta1, gradients, strict=True):
        m = beta * m + (1 - beta) * g
        buffers.append(m)
    return buffers


def weights(beta1: Sequence[Number]) -> list[Number]:
    """Return the weight q_{k,t} of each gradient k in the last buffer, found by one gradient of 1 at a time."""
    return [momentum(beta1, [int(i == k) for i in range(len(beta1))])[-1] for k in range(len(beta1))]


def descend(
    slope: Callable[[Number], Number],
    beta1: Sequence[Number],
    eta: Number,
    start: Number,
    noise: Sequence[Number],
) -> tuple[list[Number], list[Number]]:
    """Take steps theta <- theta - eta m_t with noisy gradients; Equation (74).

    Args:
        slope: derivative of the loss.
        beta1: inertia of each step, fixed in advance.
        eta: learning rate.
        start: first parameter.
        noise: what is added to the slope in each step.

    Returns:
        The parameters, one more than there are steps, and the gradients.
    """
    path, gradients = [start], []
    for t, xi in enumerate(noise):
        gradients.append(slope(path[-1]) + xi)
        path.append(path[-1] - eta * momentum(beta1[: t + 1], gradients)[-1])
    return path, gradients


def expectation(expression: sp.Expr, noise: Mapping[sp.Symbol, Sequence[tuple[sp.Expr, sp.Expr]]]) -> sp.Expr:
    """Return the exact mean over independent noises that take finitely many values.

    Args:
        expression: what to average.
        noise: for each random symbol its (value, probability) pairs.

    Raises:
        ValueError: if the probabilities of a symbol do not sum to 1.
    """
    for symbol, law in noise.items():
        if sp.simplify(sum(p for _, p in law) - 1) != 0:
            raise ValueError(f"probabilities {[p for _, p in law]} of {symbol}: expected a sum of 1")
    total = sp.Integer(0)
    for outcome in itertools.product(*noise.values()):
        values = dict(zip(noise, (value for value, _ in outcome), strict=True))
        total += sp.prod([p for _, p in outcome]) * sp.sympify(expression).subs(values, simultaneous=True)
    return sp.expand(total)


def fixed_inertia_bound(
    steps: Number,
    eta: Number,
    excess: Number,
    smoothness: Number,
    square: Number,
    beta_max: Number,
    corrected: bool = True,
) -> Number:
    """Return a bound on the mean of E|grad L|^2 over the steps, for any inertia in [0, beta_max] fixed in advance.

    It also holds where each coordinate has inertias of its own, if `square` is made of bounds for each coordinate.

    Args:
        steps: number of steps, t + 1 in the paper.
        eta: learning rate.
        excess: L(theta_0) - L*.
        smoothness: Lipschitz constant of the gradient.
        square: G^2 + delta^2, the bound on E|g|^2.
        beta_max: largest inertia, below 1.
        corrected: whether m has its bias correction.
    """
    age = beta_max / (1 - beta_max)
    noise = smoothness * eta * square * (2**0.5 * age + 0.5)
    return excess / (eta * steps) + noise + (0 if corrected else square * age / steps)


def least_slope_bound(
    steps: Number, eta: Number, excess: Number, smoothness: Number, square: Number, beta_max: Number
) -> Number:
    """Return a bound on the least E|grad L|^2 of the steps, for one inertia in [0, beta_max] a step, fixed in advance.

    m has its bias correction. Without it, `steps` is the sum over the steps of 1 - beta_0 beta_1 ... beta_t.

    Args as for `fixed_inertia_bound`.
    """
    return excess / (eta * steps) + smoothness * eta * square * (1 + beta_max) / (2 * (1 - beta_max))


def constant_inertia_bound(
    steps: Number, eta: Number, excess: Number, smoothness: Number, square: Number, beta1: Number
) -> Number:
    """Return the bound for one inertia in all steps, where its cost is of second order in the learning rate.

    Args as for `fixed_inertia_bound`; `beta1` is the inertia.
    """
    lag = (smoothness * eta * beta1 / (1 - beta1)) ** 2
    return 2 * excess / (eta * steps) + (smoothness * eta + lag) * square


def adaptive_rates(
    gradients: "np.ndarray",
    v_bar: float,
    beta0: float = 0.1,
    beta2: float = 0.99,
    eps: float = 1e-3,
    late: bool = False,
) -> "np.ndarray":
    """Return the 1 - beta_1 that Adai gives to one of very many elements, whose mean of v it does not change (NumPy).

    v starts at the mean of the squared gradients, as after a long time.

    Args:
        gradients: of shape (steps, chains).
        v_bar: mean of v over all elements.
        beta0, beta2, eps: Adai's.
        late: whether v leaves out the gradient of its own step.

    Returns:
        1 - beta_1 of each step, of the gradients' shape.

    Raises:
        ValueError: if v_bar is not positive.
    """
    import numpy as np

    if not v_bar > 0:
        raise ValueError(f"v_bar = {v_bar}: expected a positive mean of squares")
    v, rates = np.full(gradients.shape[1], np.mean(gradients**2)), np.empty(gradients.shape)
    for k, g in enumerate(gradients):
        new = beta2 * v + (1 - beta2) * g**2
        rates[k] = v if late else new
        v = new
    clipped: np.ndarray = np.clip(beta0 * rates / v_bar, eps, 1)
    return clipped


def total_weights(rates: "np.ndarray") -> "np.ndarray":
    """Return the sum over all later steps t of the weight q_{k,t} of each gradient k, given 1 - beta_1 by step (NumPy).

    It is (1 - beta_k)(1 + beta_{k+1} + beta_{k+1} beta_{k+2} + …), cut off after the last step.

    Args:
        rates: 1 - beta_1, shape (steps, chains), as the sums.
    """
    import numpy as np

    total, after = np.empty(rates.shape), np.ones(rates.shape[1:])
    for k in reversed(range(len(rates))):
        total[k] = rates[k] * after
        after = 1 + (1 - rates[k]) * after
    return total


def mean_push(gradients: "np.ndarray", rates: "np.ndarray", mean: float, spare: int) -> tuple[float, float]:
    """Return the mean over the steps of gradient times total weight, and its standard error over the chains (NumPy).

    Minus the learning rate times it is the mean step. The gradients' own mean is known, so that only what the weights
    change has to be estimated.

    Args:
        gradients, rates: of shape (steps, chains).
        mean: true mean of the gradients.
        spare: steps left out at either end, where the weights are not yet or no longer complete.
    """
    changed = (gradients * (total_weights(rates) - 1))[spare:-spare].mean(axis=0)
    return mean + changed.mean(), changed.std(ddof=1) / len(changed) ** 0.5
