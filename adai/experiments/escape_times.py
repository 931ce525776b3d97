"""What the cases of `escape` should give, by theory, and what they gave: times, rates and their uncertainty."""

import math
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from adai.experiments.escape import SEED
from adai.records import Result

if TYPE_CHECKING:
    import numpy as np


def effective(case: dict) -> list[tuple[float, float, float]]:
    """For each coordinate of wells: time in units of u that a step takes, temperature, and inertia beta_1.

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


def expected(case: dict, rim: float = 0.5) -> list[float]:
    """Mean steps until each coordinate of wells is beyond its rim, exact for the diffusion: no barrier need be high.

    Infinite for a coordinate that has no exit, and for a particle without inertia where noise vanishes on the way.
    """
    numbers = enumerate(effective(case))
    return [
        math.inf
        if j in case["bound"]
        else _first_passage(case["profile"], T, unit / (1 - inertia), inertia > 0, rim) / unit
        for j, (unit, T, inertia) in numbers
    ]


@cache
def _first_passage(profile: str, T: float, M: float, inert: bool, rim: float) -> float:
    """Mean time in units of u; by quadrature without inertia, else from the backward equation in phase space."""
    import numpy as np

    from adai.theory.kramers import passage_time, phase_space_time

    bend = 3**-0.5
    shape = {
        "constant": lambda u: np.ones_like(u),
        "stepped": lambda u: 0.75 + np.sign(np.round(np.abs(u) - bend, 9)) / 4,  # the mean at the jump itself
        "curvature": lambda u: np.abs(3 * u**2 - 1) / 2,
    }[profile]
    wall = rim - 2.75 * (rim + bend)  # so that a face of either grid lies at the point of inflection

    def slope(u: Any) -> Any:
        return u**3 - u

    def D(u: Any) -> Any:
        return T * shape(u)

    if inert:
        cells = (352, 80) if profile == "stepped" else (176, 44)
        return phase_space_time(slope, -1.0, rim, wall, D, M, 1 / M, cells)  # gamma M = 1
    return math.inf if profile == "curvature" else passage_time(slope, -1.0, rim, wall, D, kinks=(-bend, bend))


def cases(result: Result, **wanted: Any) -> list[tuple[dict, "np.ndarray"]]:
    """Settings and steps of the cases of a result whose settings have these values, in their order."""
    import numpy as np

    pairs = zip(result.spec.settings["cases"], result.found, strict=True)
    return [(case, np.array(steps)) for case, steps in pairs if all(case[k] == v for k, v in wanted.items())]


def ratio(case: dict, steps: "np.ndarray") -> tuple[float, float]:
    """Mean time of a case of wells over what is expected of the first coordinate, and its standard error."""
    exact = expected(case)[0]
    return float(steps.mean() / exact), float(steps.std(ddof=1) / exact / len(steps) ** 0.5)


def redrawn_means(steps: "np.ndarray", draws: int) -> "np.ndarray":
    """Mean steps of runs as they are, and of as many runs drawn from them anew, with replacement.

    Args:
        steps: shape (points, runs).
        draws: how often to draw; from a fixed seed.

    Returns:
        Shape (1 + draws, points); the first row has the runs' own means.
    """
    import numpy as np

    chosen = np.random.default_rng(SEED).integers(steps.shape[1], size=(draws, *steps.shape))
    drawn = np.take_along_axis(np.broadcast_to(steps, chosen.shape), chosen, axis=2)
    return np.concatenate([steps.mean(axis=1)[None], drawn.mean(axis=2)])


def rate(steps: Sequence[int], max_steps: int) -> tuple[float, float, float]:
    """Escapes per step, and its 95 % interval, from steps of which some may have been cut off.

    The estimate is the most likely rate of exponential times: those who left, over all the steps that anyone was
    inside. The interval is exact where nothing is cut off. (119) has n - 2 in place of n, (120) an interval that is
    symmetric.

    Args:
        steps: when each particle left, 0 for one that had not after `max_steps`.
        max_steps: where the particles were given up.
    """
    from scipy.special import gammaincinv

    left = sum(step > 0 for step in steps)
    inside = sum(step or max_steps for step in steps)
    low = float(gammaincinv(left, 0.025)) / inside if left else 0.0
    high = float(gammaincinv(left + (left < len(steps)), 0.975)) / inside
    return left / inside, low, high
