"""Escape times that theory expects in the cases of `escape`, and estimates from those that were measured."""

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from adai.experiments.escape import SEED, Case, WellsCase
from adai.records import Result

if TYPE_CHECKING:
    import numpy as np


def effective_parameters(case: WellsCase) -> list[tuple[float, float, float]]:
    """Return for each coordinate the time of a step in units of u, the temperature, and the inertia beta_1.

    In u = sqrt(k) theta every well has the same shape, so these three numbers are all that an optimizer still decides,
    once its second moments have settled at the variance of the noise.
    """
    rule, variances = case["rule"], case["variance"]
    beta1 = rule.get("beta1", 0.0)
    found = []
    for k, variance in zip(case["k"], variances, strict=True):
        rate, inertia = rule["lr"], beta1
        if rule["form"] == "momentum":
            rate *= rule.get("weight", 1.0) / (1 - beta1)
        elif rule["form"] == "adam":
            rate /= variance**0.5
        else:
            inertia = 1 - min(max(beta1 * variance / (sum(variances) / len(variances)), rule["eps"]), 1.0)
        found.append((rate * k, rate * variance / 2, inertia))
    return found


def expected_steps(case: WellsCase, rim: float = 0.5) -> list[float]:
    """Return the mean steps until each coordinate is beyond its rim, exact for the diffusion: no barrier need be high.

    They are infinite for a coordinate that has no exit, and without inertia if noise vanishes on the way.

    Args:
        case: the double wells.
        rim: where a coordinate counts as outside, in u.
    """
    numbers = enumerate(effective_parameters(case))
    return [
        math.inf
        if j in case["bound"]
        else _first_passage(case["profile"], T, unit / (1 - inertia), inertia > 0, rim) / unit
        for j, (unit, T, inertia) in numbers
    ]


@cache
def _first_passage(profile: str, T: float, M: float, inert: bool, rim: float) -> float:
    """Return the mean time in units of u: by quadrature, or with inertia by the backward equation in phase space."""
    import numpy as np

    from adai.theory.kramers import passage_time, phase_space_time

    bend = 3**-0.5
    shapes: dict[str, Callable[[Any], Any]] = {
        "constant": lambda u: np.ones_like(u),
        "stepped": lambda u: 0.75 + np.sign(np.round(np.abs(u) - bend, 9)) / 4,  # the mean at the jump itself
        "curvature": lambda u: np.abs(3 * u**2 - 1) / 2,
    }
    wall = rim - 2.75 * (rim + bend)  # so that a face of either grid lies at the point of inflection

    def slope(u: Any) -> Any:
        return u**3 - u

    def D(u: Any) -> Any:
        return T * shapes[profile](u)

    if inert:
        cells = (352, 80) if profile == "stepped" else (176, 44)
        return phase_space_time(slope, -1.0, rim, wall, D, M, 1 / M, cells)  # gamma M = 1
    return math.inf if profile == "curvature" else passage_time(slope, -1.0, rim, wall, D, kinks=(-bend, bend))


def cases(result: Result, **wanted: Any) -> list[tuple[Case, "np.ndarray"]]:
    """Return the cases of a result whose settings have these values, each with its steps, in their order."""
    import numpy as np

    pairs = zip(result.spec.settings["cases"], result.found, strict=True)
    return [(case, np.array(steps)) for case, steps in pairs if all(case[k] == v for k, v in wanted.items())]


def ratio(case: WellsCase, steps: "np.ndarray") -> tuple[float, float]:
    """Return the mean time over the first coordinate's `expected_steps`, and the standard error of this ratio."""
    exact = expected_steps(case)[0]
    return float(steps.mean() / exact), float(steps.std(ddof=1) / exact / len(steps) ** 0.5)


def redrawn_means(steps: "np.ndarray", draws: int) -> "np.ndarray":
    """Return mean steps of the runs as they are, and of as many runs redrawn from them with replacement.

    Args:
        steps: shape (points, runs).
        draws: how often they are redrawn, from a fixed seed.

    Returns:
        Shape (1 + draws, points); the first row has the runs' own means.
    """
    import numpy as np

    chosen = np.random.default_rng(SEED).integers(steps.shape[1], size=(draws, *steps.shape))
    drawn = np.take_along_axis(np.broadcast_to(steps, chosen.shape), chosen, axis=2)
    return np.concatenate([steps.mean(axis=1)[None], drawn.mean(axis=2)])


def rate(steps: Sequence[int], max_steps: int) -> tuple[float, float, float]:
    """Return the rate of escape per step and the two ends of its 95 % interval; some particles may be cut off.

    The estimate is the most likely rate of exponential times: the number of particles that left, over the steps that
    all of them spent inside. The interval is exact if nothing is cut off. Equation (119) has n - 2 in place of n, and
    (120) a symmetric interval.

    Args:
        steps: when each particle left, 0 if it had not left after `max_steps`.
        max_steps: when the particles were given up.
    """
    from scipy.special import gammaincinv

    left = sum(step > 0 for step in steps)
    inside = sum(step or max_steps for step in steps)
    low = float(gammaincinv(left, 0.025)) / inside if left else 0.0
    high = float(gammaincinv(left + (left < len(steps)), 0.975)) / inside
    return left / inside, low, high
