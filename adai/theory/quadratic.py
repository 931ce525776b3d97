"""Exact results on the quadratic loss L = H (theta - c)^2 / 2: the diffusion's, and those of SGD's own chain.

Each function takes numbers, arrays, or SymPy expressions (then SymPy alone is needed). Numbers keep all their digits
where the textbook form cancels: at H = 0, which is the limit, and near it.
"""

from typing import TYPE_CHECKING, Any, TypeAlias

import sympy as sp

if TYPE_CHECKING:
    import numpy as np

Number: TypeAlias = Any
"""A float, a NumPy array, or a SymPy expression."""


def linear_variance(H: Number, D: Number, t: Number) -> Number:
    """Return the variance at time t of dtheta = -H theta dt + [2D]^(1/2) dW that starts at a point; Equation (20).

    Args:
        H: second derivative of the loss, of either sign; 0 gives 2 D t.
        D: diffusion coefficient, not negative.
        t: time, not negative.

    Raises:
        ValueError: if a number D or t is negative.
    """
    if _symbolic(H, D, t):
        return 2 * D * t if H == 0 else D / H * (1 - sp.exp(-2 * H * t))
    _not_negative(D=D, t=t)
    return 2 * D * _grown(-2 * H, t)


def linear_covariance(H: "np.ndarray", D: "np.ndarray", t: float) -> "np.ndarray":
    """Return the covariance (n, n) at time t of dtheta = -H theta dt + [2D]^(1/2) dW; H and D need not commute.

    In the eigenbasis of H its entries are 2 D_ij (1 - exp(-(H_i + H_j) t)) / (H_i + H_j); Theorem 1 is the case
    in which D is diagonal there.

    Args:
        H, D: symmetric matrices of shape (n, n).
        t: time, not negative.
    """
    import numpy as np

    _not_negative(t=t)
    eigenvalues, U = np.linalg.eigh(np.asarray(H, dtype=float))
    covariance: np.ndarray = U @ (2 * (U.T @ D @ U) * _grown(-np.add.outer(eigenvalues, eigenvalues), t)) @ U.T
    return covariance


def sgd_mean(start: Number, H: Number, eta: Number, T: Number) -> Number:
    """Return the mean of theta - c after T steps theta <- theta - eta (H (theta - c) + noise): (1 - eta H)^T start."""
    return (1 - eta * H) ** T * start


def sgd_variance(H: Number, C: Number, eta: Number, T: Number) -> Number:
    """Return the variance after T such steps from a point: eta^2 C (1 + a^2 + … + a^(2T-2)) with a = 1 - eta H.

    Args:
        H: second derivative of the loss, of either sign; 0 gives eta^2 C T.
        C: variance of the gradient noise, not negative.
        eta: learning rate.
        T: number of steps, not negative.

    Raises:
        ValueError: if a number C or T is negative.
    """
    if _symbolic(H, C, eta, T):
        factor = (1 - eta * H) ** 2
        return eta**2 * C * (T if sp.expand(factor) == 1 else (1 - factor**T) / (1 - factor))
    import numpy as np

    _not_negative(C=C, T=T)
    less = -eta * H * (2 - eta * np.asarray(H, dtype=float))  # a^2 - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        total = np.expm1(T * np.log1p(less)) / less
    return eta**2 * C * np.where(less == 0, T, total)[()]


def sgd_covariance(H: "np.ndarray", C: "np.ndarray", eta: float, T: int) -> "np.ndarray":
    """Return the covariance (n, n) after T such steps in n dimensions from a point; H and C need not commute.

    In the eigenbasis of H its entries are eta^2 C_ij (1 - (a_i a_j)^T) / (1 - a_i a_j) with a_i = 1 - eta H_i.

    Args:
        H, C: symmetric matrices of shape (n, n): second derivatives of the loss, covariance of the gradient noise.
        eta: learning rate.
        T: number of steps, not negative.
    """
    import numpy as np

    _not_negative(T=T)
    eigenvalues, U = np.linalg.eigh(np.asarray(H, dtype=float))
    a = 1 - eta * eigenvalues
    less = -eta * np.add.outer(eigenvalues, eigenvalues) + eta**2 * np.outer(eigenvalues, eigenvalues)  # a_i a_j - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        grown = np.where(less > -1, np.expm1(T * np.log1p(less)), np.outer(a, a) ** T - 1)
        total = np.where(less == 0, T, grown / less)
    covariance: np.ndarray = U @ (eta**2 * (U.T @ C @ U) * total) @ U.T
    return covariance


def _symbolic(*values: Number) -> bool:
    return any(isinstance(v, sp.Basic) for v in values)


def _grown(rate: Number, t: Number) -> Number:
    """Return (exp(rate t) - 1) / rate, which is t where the rate is 0."""
    import numpy as np

    rate, t = np.broadcast_arrays(np.asarray(rate, dtype=float), t)
    return np.divide(np.expm1(rate * t), rate, out=t.astype(float), where=rate != 0)[()]


def _not_negative(**values: Number) -> None:
    import numpy as np

    for name, value in values.items():
        if not np.all(np.asarray(value) >= 0):
            raise ValueError(f"{name} = {value}: expected no negative value")
