"""Simulators of many independent chains at once, in NumPy: the diffusion in small steps, and SGD with real minibatches.

`start` has one row for each chain: shape (chains,) for one parameter, (chains, n) for n. Every draw comes from the
generator that the caller seeds.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def step(theta: Any, drift: Callable[[Any], Any], root: Callable[[Any], Any], dt: Any, dW: Any) -> Any:
    """Take one Euler-Maruyama step of dtheta = drift dt + root dW (Equation (1) has root = [2D]^(1/2)).

    Args:
        theta: the state; SymPy expressions will do, too.
        drift: function of the state, of the state's shape.
        root: function of the state: a factor for each chain, or one symmetric matrix (n, n) for all.
        dt: time step.
        dW: Brownian increments of variance dt, of the state's shape.

    Returns:
        The next state, of the state's shape.
    """
    factor = root(theta)
    return theta + drift(theta) * dt + (dW @ factor if getattr(factor, "ndim", 0) == 2 else factor * dW)


def euler_maruyama(
    start: "np.ndarray",
    drift: Callable[[Any], Any],
    root: Callable[[Any], Any],
    dt: float,
    record: Sequence[int],
    rng: "np.random.Generator",
) -> "np.ndarray":
    """Simulate chains of Euler-Maruyama steps; their weak error is of order dt.

    Args:
        start, drift, root, dt: as for `step`.
        record: numbers of steps after which the state is kept.
        rng: source of the Brownian increments.

    Returns:
        The states, of shape (len(record), chains) or (len(record), chains, n).

    Raises:
        ValueError: if dt is not positive or `record` does not ascend.
    """
    if not dt > 0:
        raise ValueError(f"dt = {dt}: a time step is positive")
    return _run(start, lambda x: step(x, drift, root, dt, dt**0.5 * rng.standard_normal(x.shape)), record)


def sgd(
    start: "np.ndarray",
    gradient: Callable[[Any, Any], Any],
    data: "np.ndarray",
    eta: float,
    batch_size: int,
    record: Sequence[int],
    rng: "np.random.Generator",
) -> "np.ndarray":
    """Simulate chains of SGD steps theta <- theta - eta g, each with its own minibatches, drawn with replacement.

    Args:
        start: initial parameters of each chain.
        gradient: function of (theta, batch) to the minibatch gradients; a batch has shape (chains, batch_size, …).
        data: one sample a row.
        eta: learning rate.
        batch_size: samples in a minibatch.
        record, rng: as for `euler_maruyama`.

    Returns:
        The parameters, arranged as by `euler_maruyama`.
    """

    def update(theta: "np.ndarray") -> "np.ndarray":
        batch = data[rng.integers(len(data), size=(len(theta), batch_size))]
        moved: np.ndarray = theta - eta * gradient(theta, batch)
        return moved

    return _run(start, update, record)


def _run(start: "np.ndarray", update: "Callable[[np.ndarray], np.ndarray]", record: Sequence[int]) -> "np.ndarray":
    """Return the states after the recorded numbers of updates, one more axis than `start`'s in front."""
    import numpy as np

    if list(record) != sorted(set(record)) or min(record, default=-1) < 0:
        raise ValueError(f"record = {list(record)}: expected ascending numbers of steps")
    theta, done, kept = np.array(start, dtype=float), 0, []
    for until in record:
        for _ in range(until - done):
            theta = update(theta)
        done = until
        kept.append(theta)
    return np.stack(kept)


def mean_and_error(values: "np.ndarray") -> tuple["np.ndarray", "np.ndarray"]:
    """Return the mean over the chains (the first axis) and its standard error, both of the other axes' shape."""
    return values.mean(axis=0), values.std(axis=0, ddof=1) / len(values) ** 0.5
