"""Escape times: Figure 5 as Appendix E describes it, and double wells in which Theorem 3 can be put to the test.

Every case is a loss, an optimizer and a number of particles; what is kept is the step at which each particle left.
Cases, seeds and the predictions of `expected` were written down before any of them was run.
"""

import math
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from adai.measurements import Measurement, Result

if TYPE_CHECKING:
    import numpy as np

SEED = 0
SAMPLES, DIMENSIONS, DATA_VARIANCE, REPEATS = 50_000, 10, 4.0, 100
"""Appendix E: the training data of Figure 5, and how often each run is repeated."""
INVERSE_SHARPNESS = tuple(n / 10 for n in range(2, 11))
"""1/k of Figure 5. The paper names no values; at these its three optimizers take between ten and 10^5 steps."""
FIGURE5 = {
    "momentum": {"form": "momentum", "lr": 1e-4, "beta1": 0.9},
    "adai": {"form": "adai", "lr": 1e-3, "beta1": 0.1, "beta2": 0.99, "eps": 1e-3},
    "adam": {"form": "adam", "lr": 0.03, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
}
"""Rates of Appendix E; momentum as the sum of gradients, which is torch's and the paper's convention for SGD."""

ETA = 0.01
"""Effective learning rate in the double wells: small enough for a diffusion, to some percent."""
BARRIER = 0.25


def runs(scale: str) -> dict[str, Measurement]:
    """The measurements at one scale by name; none but at `smoke` and `paper`."""
    if scale not in ("smoke", "paper"):
        return {}
    return {
        f"escape/{name}": Measurement(
            experiment="escape",
            scale=scale,
            name=name,
            settings={"seed": SEED, "cases": _smoke(cases) if scale == "smoke" else cases},
        )
        for name, cases in _parts().items()
    }


def _parts() -> dict[str, list[dict]]:
    return {
        "figure5": [styblinski_tang(o, x) for x in INVERSE_SHARPNESS for o in FIGURE5],
        "readings": _readings(),
        "distribution": [styblinski_tang(o, x, particles=2000) for x in (0.3, 0.5, 0.8) for o in FIGURE5],
        "heights": [well(o, height, particles=1000) for height in (0.5, *range(1, 9)) for o in RULES],
        "profiles": [
            *(well(o, h, 1000, profile="stepped") for h in range(1, 6) for o in ("sgd", "momentum")),
            *(
                well("sgd", h, 500, profile="curvature", eta=eta, max_steps=1_000_000)
                for h in (1, 2)
                for eta in (0.04, 0.02, 0.01, 0.005, 0.0025)
            ),
        ],
        "damping": [well("averaged", 5, 1000, beta1=1 - 10 ** (-j / 2)) for j in range(9)],
        "across": [
            *(well(o, 5, 1000, k=(1, across), bound=(1,)) for across in (1, 3, 10, 30) for o in BOUND),
            *(well(o, 5, 1000, k=(10, 1), eta=ETA / 10, bound=(1,)) for o in BOUND),
        ],
        "directions": [
            well(o, 8, 400, k=(1, 2, 4), follows=follows, each=True)
            for follows in (True, False)
            for o in ("sgd", "adai", "adam")
        ],
        "batch": [_batch(o, batch) for batch in (1, 2, 4, 8) for o in ("sgd", "adai", "adam")],
    }


def styblinski_tang(optimizer: str, inverse: float, particles: int = REPEATS, **changes: Any) -> dict:
    """A case of Figure 5 at 1/k = inverse; changes are to the case or to the optimizer's rule."""
    case = {
        "loss": "styblinski",
        "k": 1 / inverse,
        "noise_scaled": changes.pop("noise_scaled", False),
        "particles": particles,
        "each": changes.pop("each", False),
        "max_steps": changes.pop("max_steps", 2_000_000),
    }
    return {"optimizer": optimizer, **case, "rule": FIGURE5[optimizer] | changes}


def _readings() -> list[dict]:
    """What Appendix E leaves open: what counts as outside, the data's scale, the convention, Adam's memory."""
    return [
        *(styblinski_tang(o, x, each=True) for x in INVERSE_SHARPNESS[:5] for o in FIGURE5),
        *(styblinski_tang(o, x, noise_scaled=True, max_steps=20_000) for x in INVERSE_SHARPNESS for o in FIGURE5),
        *(styblinski_tang("momentum", x, weight=0.1, max_steps=100_000) for x in INVERSE_SHARPNESS),
        *(styblinski_tang("adam", x, beta2=beta2) for x in INVERSE_SHARPNESS for beta2 in (0.99, 0.9999)),
    ]


RULES = ("sgd", "momentum", "adai", "adam")
BOUND = ("sgd", "momentum", "adai")


def _rule(optimizer: str, eta: float, deviation: float, beta1: float) -> dict:
    """The optimizer at an effective learning rate: Adam's is divided by the gradient's standard deviation."""
    return {
        "sgd": {"form": "momentum", "lr": eta},
        "momentum": {"form": "momentum", "lr": eta * (1 - beta1), "beta1": beta1},
        "averaged": {"form": "momentum", "lr": eta, "beta1": beta1, "weight": 1 - beta1},
        "adai": FIGURE5["adai"] | {"lr": eta},
        "adam": FIGURE5["adam"] | {"lr": eta * deviation},
    }[optimizer]


def well(
    optimizer: str,
    height: float,
    particles: int,
    *,
    k: Sequence[float] = (1,),
    eta: float = ETA,
    beta1: float = 0.9,
    follows: bool = True,
    profile: str = "constant",
    bound: Sequence[int] = (),
    each: bool = False,
    max_steps: int = 100_000_000,
) -> dict:
    """Double wells in which the first coordinate's barrier is so many temperatures high, for SGD at rate eta.

    With `follows` the noise of the others is in proportion to their curvature, as Equation (3) has it; else all have
    the first one's.
    """
    first = 2 * BARRIER / (height * eta)  # T = eta variance / 2
    return {
        "optimizer": optimizer,
        "height": height,
        "loss": "wells",
        "k": list(k),
        "variance": [first * (x / k[0] if follows else 1) for x in k],
        "profile": profile,
        "bound": list(bound),
        "particles": particles,
        "each": each,
        "max_steps": max_steps,
        "rule": _rule(optimizer, eta, math.sqrt(first), beta1),
    }


def _batch(optimizer: str, batch: int) -> dict:
    """One well, one learning rate for each optimizer, and the batch size as the axis; all are alike at batch 4."""
    case = well(optimizer, 4, 1000)
    return case | {"batch": batch, "variance": [4 / batch * v for v in case["variance"]]}


def _smoke(cases: Sequence[dict]) -> list[dict]:
    return [case | {"particles": 2, "max_steps": 200} for case in cases]


def measure(spec: Measurement) -> list[list]:
    """The steps at which the particles of each case left, in the order of particles; 0 for one that was given up.

    Where a case follows each coordinate, a list for each; else the first coordinate that leaves ends the run.
    """
    return [times(case, spec.settings["seed"]) for case in spec.settings["cases"]]


def repeat(result: Result, particles: int = 2) -> Iterable[str]:
    """Run the first particles of each case again, and say where they differ."""
    for number, (case, recorded) in enumerate(zip(result.spec.settings["cases"], result.found, strict=True)):
        again = times(case | {"particles": particles}, result.spec.settings["seed"])
        kept = [row[:particles] for row in recorded] if case["each"] else recorded[:particles]
        if again != kept:
            yield f"case {number}: its first particles left at steps {kept}, a rerun gives {again}"


def times(case: dict, seed: int) -> list:
    """The steps at which the particles of one case left, as in `measure`."""
    from adai.theory.escape import Rule, StyblinskiTang, Wells, escape_steps

    if case["loss"] == "styblinski":
        loss = StyblinskiTang(training_data(), case["k"], noise_scaled=case["noise_scaled"])
    else:
        loss = Wells(tuple(case["k"]), tuple(case["variance"]), case["profile"], tuple(case["bound"]))
    how = {name: case[name] for name in ("max_steps", "each")}
    left = escape_steps(loss, Rule(**case["rule"]), case["particles"], seed=seed, **how)
    return left.T.tolist() if case["each"] else left.max(axis=1).tolist()


def training_data() -> "np.ndarray":
    """The data of Figure 5: 50,000 samples of N(0, 4 I) in ten dimensions."""
    import numpy as np

    return np.random.default_rng(SEED).normal(0, DATA_VARIANCE**0.5, (SAMPLES, DIMENSIONS))


def summary(result: Result) -> str:
    """One line: how much was simulated."""
    cases = result.spec.settings["cases"]
    particles = sum(case["particles"] for case in cases)
    return f"escape/{result.spec.name}  {len(cases)} cases, {particles} particles, {result.seconds:.1f} s"


# ── predictions ───────────────────────────────────────────────────────────────────────────────────────────────────


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


# ── estimates ─────────────────────────────────────────────────────────────────────────────────────────────────────


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
