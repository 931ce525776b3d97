"""How long a particle needs to leave a valley: Kramers' formula, and exact first-passage times to hold it against.

All functions share these arguments, hence the one file: `slope` is the derivative of the loss, a function of an array.
The particle starts at `start` and the clock stops when it first comes to `target`, which lies to the right. `wall`
reflects and stands so far to the left that no particle gets there. `D` is a number or a function of an array; noise is
Itô's where there is no mass.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import sympy as sp

if TYPE_CHECKING:
    import numpy as np

Slope: TypeAlias = "Callable[[np.ndarray], np.ndarray]"
Strength: TypeAlias = "float | Callable[[np.ndarray], np.ndarray]"
NODES, PANELS = 8, 200
"""Gauss-Legendre nodes in each of the panels that `passage_time` integrates over."""


def growth_rate(H: Any, M: Any, gamma: Any) -> Any:
    """Return the rate at which (theta, r) runs away from a saddle: the positive root of M x^2 + gamma M x + H = 0.

    Args:
        H: second derivative of the loss at the saddle, negative.
        M, gamma: mass and damping coefficient; numbers, arrays or SymPy expressions.
    """
    root = sp.sqrt if any(isinstance(v, sp.Basic) for v in (H, M, gamma)) else (lambda x: x**0.5)
    return (root(gamma**2 - 4 * H / M) - gamma) / 2


def kramers_time(H_a: Any, H_b: Any, barrier: Any, D: Any, M: Any, gamma: Any) -> Any:
    """Return the mean time to cross to the other side of a barrier, to leading order in the noise, for a constant D.

    2 pi / growth_rate * sqrt(|H_b| / H_a) * exp(gamma M barrier / D): Theorem 3 with its prefactor corrected. To the
    top itself it is half of this where damping is strong. It holds down to where energy becomes the slow variable.

    Args:
        H_a, H_b: second derivatives of the loss at the bottom (positive) and at the top (negative).
        barrier: height of the barrier.
        D, M, gamma: diffusion coefficient, mass, damping; numbers, arrays or SymPy expressions.
    """
    if any(isinstance(v, sp.Basic) for v in (H_a, H_b, barrier, D, M, gamma)):
        pi, sqrt, exp = sp.pi, sp.sqrt, sp.exp
    else:
        from numpy import exp, pi, sqrt
    return 2 * pi / growth_rate(H_b, M, gamma) * sqrt(-H_b / H_a) * exp(gamma * M * barrier / D)


def passage_time(
    slope: Slope,
    start: float,
    target: float,
    wall: float,
    D: Strength,
    friction: float = 1.0,
    kinks: Sequence[float] = (),
) -> float:
    """Return the mean first-passage time of friction dtheta = -slope dt + [2 D]^(1/2) dW, by quadrature.

    Args:
        slope, start, target, wall: see above.
        D: diffusion coefficient; must be positive from wall to target.
        friction: gamma M of Equation (28); 1 for SGD.
        kinks: points at which slope or D jumps.

    Raises:
        ValueError: if the points are not in order, or D is not positive.
    """
    import numpy as np

    edges = _edges(start, target, wall, kinks)
    theta, within, total = _panels(edges)
    strength = _on(D, theta)
    if not np.all(strength > 0):
        raise ValueError(f"D = {strength.min()} somewhere: the quadrature needs noise on the whole way")
    height = _running(friction * slope(theta) / strength, within, total)
    low, high = height.min(), height.max()
    waiting = _running(np.exp(low - height) * friction**2 / strength, within, total)
    climbed = np.exp(height - high) * waiting
    return float(np.exp(high - low) * np.sum((climbed * total)[theta[:, 0] >= start]))


def weak_damping_time(
    slope: Slope, bottom: float, top: float, wall: float, D: Strength, M: float, gamma: float
) -> float:
    """Return the mean time from rest at the bottom to the energy of the top, in the limit of weak damping.

    A particle then runs through its orbit many times before its energy changes. So energy alone diffuses: noise feeds
    it, averaged over the orbit, and friction drains it.

    Args:
        slope, wall: see above; the loss at `wall` is above that at the top.
        bottom, top: where the loss is least, and where the barrier is highest.
        D: diffusion coefficient, not negative.
        M, gamma: mass and damping coefficient.

    Raises:
        ValueError: if the points are not in order.
    """
    import numpy as np

    _edges(bottom, top, wall)
    place = np.linspace(wall, top, 20_001)
    dx, steep = place[1] - place[0], slope(place)
    loss = dx * np.concatenate([[0], np.cumsum(steep[1:] + steep[:-1]) / 2])
    loss -= loss[place >= bottom - dx].min()
    energy, within, total = _panels(np.linspace(0, loss[-1], 21))
    speed = np.sqrt(2 * np.clip(energy[..., None] - loss, 0, None))  # of a unit mass
    action, heat = 2 * dx * speed.sum(axis=-1), 2 * dx * (speed * _on(D, place)).sum(axis=-1)
    climb = _running(gamma * M * action / heat, within, total)
    # The integral of period * exp(-climb), by parts, since the period is the action's derivative.
    waiting = action + np.exp(climb) * _running(gamma * M * action**2 / heat * np.exp(-climb), within, total)
    return float(M * np.sum(waiting / heat * total))


def phase_space_time(
    slope: Slope,
    start: float,
    target: float,
    wall: float,
    D: Strength,
    M: float,
    gamma: float,
    cells: tuple[int, int] = (160, 40),
) -> float:
    """Return the mean first-passage time of Equation (7) from rest, by solving its backward equation on two grids.

    The time t(theta, r) from a place and a velocity obeys r t_theta - (gamma r + slope / M) t_r + D / M^2 t_rr = -1.
    It vanishes at the target for particles that leave, r > 0; for those that come in nothing is prescribed. The error
    of one grid is of second order; two grids remove it.

    Args:
        slope, start, target, wall: see above.
        D: diffusion coefficient, not negative.
        M, gamma: mass and damping coefficient, positive.
        cells: of the finer grid, in position and in speed; even numbers.

    Raises:
        ValueError: if the points are not in order, or M or gamma is not positive, or the two grids differ by more than
            half: weak damping, low noise and noise that varies much need more cells.
    """
    if not (M > 0 and gamma > 0):
        raise ValueError(f"M = {M}, gamma = {gamma}: expected positive numbers")
    _edges(start, target, wall)
    coarse, fine = (
        _backward(slope, start, target, wall, D, M, gamma, n, m)
        for n, m in ((cells[0] // 2, cells[1] // 2), (cells[0], cells[1]))
    )
    if not abs(fine - coarse) < abs(fine) / 2:
        raise ValueError(f"cells = {cells}: too few, half of them give {coarse:.3g} and all of them {fine:.3g}")
    return (4 * fine - coarse) / 3


def _backward(
    slope: Slope, start: float, target: float, wall: float, D: Strength, M: float, gamma: float, n: int, m: int
) -> float:
    """Return the time on a grid of n cells in position and m in speed.

    The part even in r lives in the cells, the odd part on the faces between them, so that strong damping is no worse
    than weak. Where the even part feeds the odd one, transport is a difference, which leaves constants alone; the way
    back is in the form of a flux, weighted by exp(-energy / T), which leaves the equilibrium alone. Without these two
    an error of the grid would come multiplied by exp(barrier / T).
    """
    import numpy as np
    import scipy.sparse as sparse
    from scipy.sparse.linalg import spsolve

    h = (target - wall) / n
    face = wall + h * np.arange(n + 1)
    cell = face[:-1] + h / 2
    # Loss at faces and cells by Simpson's rule.
    quarter = [slope(face[:-1] + h * k / 4) for k in range(5)]
    rise = h / 12 * (quarter[0] + 4 * quarter[1] + quarter[2])
    fall = h / 12 * (quarter[2] + 4 * quarter[3] + quarter[4])
    loss = np.concatenate([[0], np.cumsum(rise + fall)])[:-1] + rise
    reached = loss <= loss[cell > start].max()
    T = np.max(_on(D, cell)[reached]) / (gamma * M)
    top = np.sqrt(2 * (np.ptp(loss[cell > start]) + 10 * T) / M)
    dr = top / m
    r, edge = dr * (np.arange(m) + 0.5), dr * np.arange(1, m)

    def on(place: Any, matrix: Any) -> Any:
        return sparse.diags(slope(place) / M) @ matrix

    def bath(place: Any, odd: bool) -> Any:
        """Return friction and noise as a matrix: steps in r whose rates balance in equilibrium."""
        spread = np.repeat(_on(D, place)[:, None] / M**2, m - 1, axis=1)
        up, down = (_bernoulli(sign * gamma * edge * dr, spread) / dr**2 for sign in (1, -1))
        up, down = np.pad(up, ((0, 0), (0, 1))), np.pad(down, ((0, 0), (1, 0)))
        here = -up - down
        here[:, 0] -= odd * 2 * spread[:, 0] / dr**2
        return sparse.diags([up.ravel()[:-1], here.ravel(), down.ravel()[1:]], [1, 0, -1])

    eye, speed = sparse.identity(m), sparse.diags(r)
    step = sparse.diags([-1.0, 1.0], [0, 1], shape=(n, n + 1)).tocsr() / h
    mean = abs(step) * h / 2
    # From the even part to the odd one: r d/dtheta - slope / M d/dr, by differences.
    half = sparse.diags([np.ones(m - 1), -np.ones(m - 1)], [1, -1]).tolil() / (2 * dr)
    half[0, 0], half[m - 1, m - 1] = -1 / (2 * dr), 1 / (2 * dr)
    inside = face[1:-1]
    odd_row = sparse.kron(-step.T[1:-1], speed) - sparse.kron(on(inside, mean.T[1:-1]), half)
    # From the odd part to the even one, as a flux: none through r = 0, where the odd part vanishes, none at the top.
    across = sparse.diags([-np.exp(rise / T), np.exp(-fall / T)], [0, 1], shape=(n, n + 1)) / h
    leaving = np.exp(-M * (edge**2 - r[:-1] ** 2) / (2 * T)) / (2 * dr)
    coming = np.exp(-M * (edge**2 - r[1:] ** 2) / (2 * T)) / (2 * dr)
    flux = sparse.diags([np.pad(leaving, (0, 1)) - np.pad(coming, (1, 0)), leaving, -coming], [0, 1, -1])
    even_row = (sparse.kron(across, speed) - sparse.kron(on(cell, mean), flux)).tocsr()
    # The odd part is zero at the wall, and at the target minus the even part there, so that t(r > 0) = 0.
    inner = sparse.diags([1.0], [-1], shape=(n + 1, n - 1))
    last = sparse.csr_matrix(([-1.5, 0.5], ([n, n], [n - 1, n - 2])), shape=(n + 1, n))
    system = sparse.bmat(
        [
            [bath(cell, False) + even_row @ sparse.kron(last, eye), even_row @ sparse.kron(inner, eye)],
            [odd_row, bath(inside, True)],
        ]
    )
    time = spsolve(system.tocsc(), np.concatenate([-np.ones(n * m), np.zeros((n - 1) * m)]))
    at_rest = time[: n * m].reshape(n, m)[:, :2] @ [9 / 8, -1 / 8]
    return float(np.interp(start, cell, at_rest))


def relaxation_rates(
    slope: Slope, target: float, wall: float, D: Strength, friction: float = 1.0, count: int = 2, cells: int = 2000
) -> "np.ndarray":
    """Return the slowest decay rates of the density between a wall and a target that absorbs, without mass.

    Args:
        slope, target, wall, D, friction: as for `passage_time`.
        count: how many.
        cells: of the grid; the error is of second order.

    Returns:
        The rates from the slowest on, shape (count,).
    """
    import numpy as np
    from scipy.linalg import eigh_tridiagonal

    h = (target - wall) / cells
    face = wall + h * np.arange(cells + 1)
    cell = face[:-1] + h / 2
    climb = friction * slope(face) / _on(D, face) * h
    speed = _on(D, cell) / friction**2 / h**2
    up, down = speed * _bernoulli(climb[1:], 1.0), speed * _bernoulli(-climb[:-1], 1.0)
    down[0] = 0
    up[-1] *= 2  # half a cell to the target
    rates: np.ndarray
    rates, _ = eigh_tridiagonal(up + down, -np.sqrt(up[:-1] * down[1:]), select="i", select_range=(0, count - 1))
    return rates


def _bernoulli(drift: Any, spread: Any) -> Any:
    """Return spread z / (e^z - 1) with z = drift / spread: the rate of a step against a drift; spread may be 0."""
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        z = drift / spread
        rate = np.where(np.abs(z) < 1e-8, spread - drift / 2, drift / np.expm1(z))
    return np.where(np.isfinite(z) & (z < 700), np.nan_to_num(rate), np.maximum(-drift, 0.0))


def _on(D: Strength, theta: "np.ndarray") -> "np.ndarray":
    import numpy as np

    return np.broadcast_to(np.asarray(D(theta) if callable(D) else D, dtype=float), theta.shape)


def _edges(start: float, target: float, wall: float, kinks: Sequence[float] = ()) -> "np.ndarray":
    """Return edges of panels from wall to target, with an edge at the start and at each kink."""
    import numpy as np

    if not wall < start < target:
        raise ValueError(f"wall {wall}, start {start}, target {target}: expected this order from left to right")
    stops = np.unique([wall, start, target, *(k for k in kinks if wall < k < target)])
    share = np.diff(stops) / (target - wall)
    parts = [np.linspace(*ends, 2 + int(PANELS * x)) for ends, x in zip(pairwise(stops), share, strict=True)]
    return np.unique(np.concatenate(parts))


def _panels(edges: "np.ndarray") -> tuple["np.ndarray", "np.ndarray", "np.ndarray"]:
    """Return Gauss-Legendre nodes and weights of each panel, shape (panels, NODES), and matrices between them.

    The matrices, shape (panels, NODES, NODES), integrate from each panel's left edge to its nodes; they stand second.
    """
    import numpy as np
    from numpy.polynomial import legendre

    x, w = legendre.leggauss(NODES)
    powers = legendre.legvander(x, NODES)
    upto = np.stack([x + 1, *((powers[:, k + 1] - powers[:, k - 1]) / (2 * k + 1) for k in range(1, NODES))], axis=1)
    half = np.diff(edges)[:, None] / 2
    nodes = edges[:-1, None] + half * (x + 1)
    return nodes, half[..., None] * (upto @ np.linalg.inv(powers[:, :NODES])), half * w


def _running(values: "np.ndarray", within: "np.ndarray", total: "np.ndarray") -> "np.ndarray":
    """Return the integral of the values from the first edge to each node, shape (panels, NODES)."""
    import numpy as np

    whole = np.sum(values * total, axis=1)
    integral: np.ndarray = (np.cumsum(whole) - whole)[:, None] + np.einsum("pij,pj->pi", within, values)
    return integral
