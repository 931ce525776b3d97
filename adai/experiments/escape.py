"""Escape times: Figure 5 as Appendix E describes it, and double wells in which Theorem 3 can be put to the test.

Every case is a loss, an optimizer and a number of particles; what is kept is the step at which each particle left.
Cases, seeds and the predictions of `expected` were written down before any of them was run.
"""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adai.experiments.base import NOTHING, Inputs
from adai.records import Measurement, Result

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


def runs(scale: str, given: Inputs = NOTHING) -> dict[str, Measurement]:
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


def measure(spec: Measurement, folder: Path | None = None) -> list[list]:
    """The steps at which the particles of each case left, in the order of particles; 0 for one that was given up.

    Where a case follows each coordinate, a list for each; else the first coordinate that leaves ends the run.
    """
    return [times(case, spec.settings["seed"]) for case in spec.settings["cases"]]


def repeat(result: Result, folder: Path | None = None, particles: int = 2) -> Iterable[str]:
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
