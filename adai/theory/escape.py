"""How many steps real optimizers need to leave a valley: thousands of particles, each with random numbers of its own.

A particle's noise follows from the seed, its number and the step alone, by a counter-based generator, so neither
threads nor company change what it does. Of the two engines (`adai.theory.escape_engines`) one is compiled, for all
cores, the other is torch's, for any device; they agree to the bit, on every machine.

Coordinates do not see each other in these losses, except through Adai's mean. In units of `sqrt(k) theta` every
coordinate has the same shape; `k` is its sharpness.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from adai.theory.escape_engines import Motion, with_numba, with_torch

PROFILES = ("constant", "stepped", "curvature")
FORMS = ("momentum", "adam", "adai")


@dataclass(frozen=True)
class Rule:
    """An optimizer's update.

    Args:
        form: `momentum` (m = beta1 m + weight g; SGD has beta1 = 0), `adam`, or `adai` (beta1 is then beta_0).
        lr: learning rate.
        beta1, beta2, eps: the optimizer's.
        weight: beta_3 of Equation (4), of momentum only: 1 for the sum, 1 - beta1 for the average.

    Raises:
        ValueError: if a value is out of its range.
    """

    form: Literal["momentum", "adam", "adai"]
    lr: float
    beta1: float = 0.0
    beta2: float = 0.0
    eps: float = 0.0
    weight: float = 1.0

    def __post_init__(self) -> None:
        _demand(self.form in FORMS, "form", self.form, f"one of {', '.join(FORMS)}")
        _demand(self.lr > 0, "lr", self.lr, "a positive number")
        for name in ("beta1", "beta2"):
            _demand(0 <= getattr(self, name) < 1, name, getattr(self, name), "a number in [0, 1)")


@dataclass(frozen=True)
class StyblinskiTang:
    """The loss of the paper's Figure 5: f(sqrt(k) theta - x), averaged over minibatches of data (Appendix E).

    Args:
        data: one sample x a row, shape (samples, n).
        k: sharpness.
        batch: samples a minibatch, drawn with replacement; an even number.
        noise_scaled: read the rescaling as f(sqrt(k) (theta - x)) instead, data and all.

    Raises:
        ValueError: if a value is out of its range.
    """

    data: np.ndarray
    k: float = 1.0
    batch: int = 10
    noise_scaled: bool = False

    BOTTOM, TOP = -2.903534, 0.156731

    def __post_init__(self) -> None:
        _demand(self.k > 0, "k", self.k, "a positive number")
        _demand(self.batch > 0 and self.batch % 2 == 0, "batch", self.batch, "a positive even number")
        _demand(np.ndim(self.data) == 2, "data", np.shape(self.data), "an array of shape (samples, n)")

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what `Motion` says of the coordinates, by its names."""
        n = self.data.shape[1]
        return {
            "k": np.full(n, float(self.k)),
            "start": np.full(n, self.BOTTOM),
            "rim": np.full(n, self.TOP),
            "strength": np.zeros(n),
            "data": np.ascontiguousarray(self.data * self.k**0.5 if self.noise_scaled else self.data, dtype=float),
        }


@dataclass(frozen=True)
class Wells:
    """A double well in each coordinate, f(u) = (u^2 - 1)^2 / 4 with u = sqrt(k) theta, under noise of known strength.

    From -1 a particle climbs 1/4 to the top at 0. Curvatures are 2k at the bottom and -k at the top.

    Args:
        k: sharpness of each coordinate.
        variance: of the gradient's noise at the bottom, for each coordinate; k times it enters u.
        profile: how the noise changes on the way: `constant`; `stepped`, half the variance beyond the point of
            inflection; `curvature`, in proportion to the size of the second derivative, zero at that point.
        bound: coordinates that have no exit: a parabola u^2 - 1 of the same curvature 2k around -1.
        rim: where the clock stops, in u; 0 is the top.

    Raises:
        ValueError: if a value is out of its range.
    """

    k: tuple[float, ...]
    variance: tuple[float, ...]
    profile: Literal["constant", "stepped", "curvature"] = "constant"
    bound: tuple[int, ...] = field(default=())
    rim: float = 0.5

    def __post_init__(self) -> None:
        _demand(min(self.k, default=0) > 0, "k", self.k, "positive numbers")
        same = len(self.variance) == len(self.k) and min(self.variance) >= 0
        _demand(same, "variance", self.variance, f"{len(self.k)} numbers, none negative")
        _demand(self.profile in PROFILES, "profile", self.profile, f"one of {', '.join(PROFILES)}")
        _demand(set(self.bound) < set(range(len(self.k))), "bound", self.bound, "some coordinates, not all")

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what `Motion` says of the coordinates, by its names."""
        rim = np.full(len(self.k), float(self.rim))
        rim[list(self.bound)] = np.inf
        return {
            "k": np.array(self.k, dtype=float),
            "start": np.full(len(self.k), -1.0),
            "rim": rim,
            "strength": np.sqrt(np.array(self.variance, dtype=float)),
            "data": np.empty((0, 0)),
        }


def escape_steps(
    loss: StyblinskiTang | Wells,
    rule: Rule,
    particles: int,
    *,
    seed: int,
    max_steps: int,
    each: bool = False,
    first: int = 0,
    engine: Literal["numba", "torch"] = "numba",
    device: str = "cpu",
) -> np.ndarray:
    """Return the step after which each coordinate of each particle first was beyond its rim.

    Args:
        loss: where the particles are.
        rule: how they move.
        particles: how many.
        seed: with the particle's number, all of its noise.
        max_steps: where a particle that is still inside is given up.
        each: follow a particle until every coordinate that has an exit has left, not only the first.
        first: number of the first particle: particles 5, 6, … of one call are 0, 1, … of one that starts there.
        engine: `numba`, compiled at first use, on all cores; or `torch`.
        device: of the torch engine.

    Returns:
        Integers of shape (particles, n); 0 where the coordinate had not left when its particle was given up or done.

    Raises:
        ValueError: for any other engine.
    """
    _demand(engine in ("numba", "torch"), "engine", engine, "numba or torch")
    motion = Motion(
        **loss.arrays(),
        profile=PROFILES.index(loss.profile) if isinstance(loss, Wells) else 0,
        batch=0 if isinstance(loss, Wells) else loss.batch,
        form=FORMS.index(rule.form),
        lr=float(rule.lr),
        beta1=float(rule.beta1),
        beta2=float(rule.beta2),
        eps=float(rule.eps),
        weight=float(rule.weight),
        each=each,
        max_steps=max_steps,
    )
    if engine == "torch":
        return with_torch(particles, first, seed, motion, device)
    steps: np.ndarray = with_numba(particles, first, np.uint64(seed), motion)
    return steps


def _demand(condition: bool | np.bool_, name: str, value: object, expected: str) -> None:
    if not condition:
        raise ValueError(f"{name} = {value}: expected {expected}")
