"""Escape times: Figure 5 as Appendix E describes it, and double wells in which Theorem 3 can be put to the test.

Every case is a loss, an optimizer and a number of particles; what is kept is the step at which each particle left.
Cases, seeds and the predictions of `escape_times.expected_steps` were written down before any of them was run.
"""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

from adai.experiments.base import NOTHING, Inputs
from adai.records import Measurement, Result

if TYPE_CHECKING:
    import numpy as np

Steps = list[int] | list[list[int]]
"""When each particle left, in the order of particles, 0 if it was given up; for a case with `each`, one list each."""


class RuleSettings(TypedDict, total=False):
    """The arguments of a `Rule` of `adai.theory.escape`; always `form` and `lr`."""

    form: Literal["momentum", "adam", "adai"]
    lr: float
    beta1: float
    beta2: float
    eps: float
    weight: float


class _AnyCase(TypedDict):
    optimizer: str
    particles: int
    each: bool
    max_steps: int
    rule: RuleSettings


class StyblinskiCase(_AnyCase):
    """A case on the loss of Figure 5, as JSON holds it."""

    loss: Literal["styblinski"]
    k: float
    noise_scaled: bool


class _OneBatch(TypedDict, total=False):
    batch: int


class WellsCase(_AnyCase, _OneBatch):
    """A case in double wells, as JSON holds it; lists have an entry for each coordinate."""

    loss: Literal["wells"]
    height: float
    k: list[float]
    variance: list[float]
    profile: Literal["constant", "stepped", "curvature"]
    bound: list[int]


Case = StyblinskiCase | WellsCase

SEED = 0
SAMPLES, DIMENSIONS, DATA_VARIANCE, REPEATS = 50_000, 10, 4.0, 100
"""Appendix E: the training data of Figure 5, and how often each run is repeated."""
INVERSE_SHARPNESS = tuple(n / 10 for n in range(2, 11))
"""1/k of Figure 5. The paper names no values; at these its three optimizers take between ten and 10^5 steps."""
FIGURE5: dict[str, RuleSettings] = {
    "momentum": {"form": "momentum", "lr": 1e-4, "beta1": 0.9},
    "adai": {"form": "adai", "lr": 1e-3, "beta1": 0.1, "beta2": 0.99, "eps": 1e-3},
    "adam": {"form": "adam", "lr": 0.03, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
}
"""Rules with the rates of Appendix E; momentum is the sum of gradients, torch's and the paper's convention for SGD."""

ETA = 0.01
"""Effective learning rate in the double wells: small enough for a diffusion, to some percent."""
BARRIER = 0.25


def runs(scale: str, given: Inputs = NOTHING) -> dict[str, Measurement]:
    """Return the measurements at one scale by name; none except at `smoke` and `paper`."""
    if scale not in ("smoke", "paper"):
        return {}
    return {
        f"escape/{name}": Measurement(
            experiment="escape",
            scale=scale,
            name=name,
            settings={"seed": SEED, "cases": _smoke(cases) if scale == "smoke" else cases},
        )
        for name, cases in _cases().items()
    }


def _cases() -> dict[str, list[Case]]:
    """Return the cases of each measurement, by its name."""
    return {
        "figure5": [styblinski_tang(o, x) for x in INVERSE_SHARPNESS for o in FIGURE5],
        "readings": _other_readings(),
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


def styblinski_tang(
    optimizer: str,
    inverse: float,
    particles: int = REPEATS,
    *,
    noise_scaled: bool = False,
    each: bool = False,
    max_steps: int = 2_000_000,
    rule: RuleSettings | None = None,
) -> StyblinskiCase:
    """Return a case of Figure 5.

    Args:
        optimizer: one of `FIGURE5`.
        inverse: 1/k.
        particles: number of runs.
        noise_scaled: as `adai.theory.escape.StyblinskiTang`.
        each: follow each coordinate to its own exit; else the first coordinate that leaves ends the run.
        max_steps: when a particle is given up.
        rule: by default the optimizer's in `FIGURE5`.
    """
    return {
        "optimizer": optimizer,
        "loss": "styblinski",
        "k": 1 / inverse,
        "noise_scaled": noise_scaled,
        "particles": particles,
        "each": each,
        "max_steps": max_steps,
        "rule": rule or FIGURE5[optimizer],
    }


def _other_readings() -> list[Case]:
    """Return cases that read otherwise what Appendix E leaves open.

    They vary what counts as outside, the scale of the data, the convention of momentum, and Adam's memory.
    """
    averaged, adam = FIGURE5["momentum"] | {"weight": 0.1}, FIGURE5["adam"]
    return [
        *(styblinski_tang(o, x, each=True) for x in INVERSE_SHARPNESS[:5] for o in FIGURE5),
        *(styblinski_tang(o, x, noise_scaled=True, max_steps=20_000) for x in INVERSE_SHARPNESS for o in FIGURE5),
        *(styblinski_tang("momentum", x, max_steps=100_000, rule=averaged) for x in INVERSE_SHARPNESS),
        *(styblinski_tang("adam", x, rule=adam | {"beta2": b}) for x in INVERSE_SHARPNESS for b in (0.99, 0.9999)),
    ]


RULES = ("sgd", "momentum", "adai", "adam")
BOUND = ("sgd", "momentum", "adai")


def _rule(optimizer: str, eta: float, deviation: float, beta1: float) -> RuleSettings:
    """Return the rule of an optimizer at the effective learning rate eta.

    Adam divides its rate by the gradient's standard deviation, so its rate is eta times that.
    """
    rules: dict[str, RuleSettings] = {
        "sgd": {"form": "momentum", "lr": eta},
        "momentum": {"form": "momentum", "lr": eta * (1 - beta1), "beta1": beta1},
        "averaged": {"form": "momentum", "lr": eta, "beta1": beta1, "weight": 1 - beta1},
        "adai": FIGURE5["adai"] | {"lr": eta},
        "adam": FIGURE5["adam"] | {"lr": eta * deviation},
    }
    return rules[optimizer]


def well(
    optimizer: str,
    height: float,
    particles: int,
    *,
    k: Sequence[float] = (1,),
    eta: float = ETA,
    beta1: float = 0.9,
    follows: bool = True,
    profile: Literal["constant", "stepped", "curvature"] = "constant",
    bound: Sequence[int] = (),
    each: bool = False,
    max_steps: int = 100_000_000,
) -> WellsCase:
    """Return a case in double wells.

    Args:
        optimizer: `sgd`, `momentum`, `averaged`, `adai` or `adam`.
        height: the first coordinate's barrier in temperatures, for SGD at the rate eta.
        particles: number of runs.
        k: sharpness of each coordinate.
        eta: effective learning rate.
        beta1: inertia of `momentum` and `averaged`.
        follows: whether the noise of the other coordinates is in proportion to their curvature, as in Equation (3);
            else all have the first one's.
        profile: how noise changes on the way, as `adai.theory.escape.Wells`.
        bound: coordinates without an exit.
        each: follow each coordinate to its own exit; else the first coordinate that leaves ends the run.
        max_steps: when a particle is given up.
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


def _batch(optimizer: str, batch: int) -> WellsCase:
    """Return a case of one well at one learning rate and any batch size; at batch 4 all optimizers are alike."""
    case = well(optimizer, 4, 1000)
    return case | {"batch": batch, "variance": [4 / batch * v for v in case["variance"]]}


def _smoke(cases: Sequence[Case]) -> list[Case]:
    return [case | {"particles": 2, "max_steps": 200} for case in cases]


def measure(spec: Measurement, folder: Path | None = None) -> list[Steps]:
    """Return the steps at which the particles of each case left; no folder is needed."""
    return [simulate(case, spec.settings["seed"]) for case in spec.settings["cases"]]


def repeat(result: Result, folder: Path | None = None, particles: int = 2) -> Iterable[str]:
    """Run the first particles of each case again, and yield a sentence for each case in which they differ."""
    for number, (case, recorded) in enumerate(zip(result.spec.settings["cases"], result.found, strict=True)):
        again = simulate(case | {"particles": particles}, result.spec.settings["seed"])
        kept = [row[:particles] for row in recorded] if case["each"] else recorded[:particles]
        if again != kept:
            yield f"case {number}: its first particles left at steps {kept}, a rerun gives {again}"


def simulate(case: Case, seed: int) -> Steps:
    """Return the steps at which the particles of one case left."""
    from adai.theory.escape import Rule, StyblinskiTang, Wells, escape_steps

    loss: StyblinskiTang | Wells
    if case["loss"] == "styblinski":
        loss = StyblinskiTang(training_data(), case["k"], noise_scaled=case["noise_scaled"])
    else:
        loss = Wells(tuple(case["k"]), tuple(case["variance"]), case["profile"], tuple(case["bound"]))
    rule, each = Rule(**case["rule"]), case["each"]
    left = escape_steps(loss, rule, case["particles"], seed=seed, max_steps=case["max_steps"], each=each)
    steps: Steps = left.T.tolist() if each else left.max(axis=1).tolist()
    return steps


def training_data() -> "np.ndarray":
    """Return the data of Figure 5: 50,000 samples of N(0, 4 I) in ten dimensions, one a row."""
    import numpy as np

    return np.random.default_rng(SEED).normal(0, DATA_VARIANCE**0.5, (SAMPLES, DIMENSIONS))


def summary(result: Result) -> str:
    """Return one line: how much was simulated, and how long it took."""
    cases = result.spec.settings["cases"]
    particles = sum(case["particles"] for case in cases)
    return f"escape/{result.spec.name}  {len(cases)} cases, {particles} particles, {result.seconds:.1f} s"
