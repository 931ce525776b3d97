"""The two operators of a diffusion dtheta = drift dt + [2 D]^(1/2) dW, and the Gaussian density, in any dimension.

Itô's convention throughout: drift and D are taken before the noise of the step acts. A one-dimensional diffusion may
be given by plain expressions, an n-dimensional one by a vector and a matrix.
"""

from typing import TypeAlias

import sympy as sp

Expression: TypeAlias = sp.Expr | sp.MatrixBase


def _matrix(value: object) -> sp.Matrix:
    """Return a matrix as it is, a list as a column, an expression as a 1 × 1 matrix."""
    return sp.Matrix(value if isinstance(value, list | tuple | sp.MatrixBase) else [value])


def _in_matrices(drift: Expression, diffusion: Expression, theta: object) -> tuple[sp.Matrix, sp.Matrix, list[sp.Expr]]:
    """Return the drift as a column, D as a square matrix, the coordinates as a list.

    Raises:
        ValueError: if their sizes differ or D is not symmetric.
    """
    drift, diffusion, coordinates = _matrix(drift), _matrix(diffusion), list(_matrix(theta))
    n = len(coordinates)
    if drift.shape != (n, 1) or diffusion.shape != (n, n):
        raise ValueError(
            f"{n} coordinates need a drift of shape {(n, 1)} and a diffusion matrix of shape {(n, n)}, "
            f"not {drift.shape} and {diffusion.shape}"
        )
    if diffusion != diffusion.T:
        raise ValueError(f"a diffusion matrix is symmetric, {diffusion.tolist()} is not: take (D + D.T) / 2")
    return drift, diffusion, coordinates


def generator(phi: sp.Expr, drift: Expression, diffusion: Expression, theta: object) -> sp.Expr:
    """Return the rate at which the mean of phi changes: sum_i drift_i d_i phi + sum_ij D_ij d_i d_j phi (Itô).

    Args:
        phi: a function of the coordinates.
        drift, diffusion: the drift (n × 1) and the diffusion matrix D (n × n), or one expression each.
        theta: the coordinate, or the list of them.

    Raises:
        ValueError: if the sizes do not fit, or D is not symmetric.
    """
    drift, diffusion, x = _in_matrices(drift, diffusion, theta)
    n = range(len(x))
    return sum(drift[i] * phi.diff(x[i]) for i in n) + sum(diffusion[i, j] * phi.diff(x[i], x[j]) for i in n for j in n)


def fokker_planck(density: sp.Expr, drift: Expression, diffusion: Expression, theta: object) -> sp.Expr:
    """Return the rate at which the density changes: - sum_i d_i (drift_i P) + sum_ij d_i d_j (D_ij P); Equation (2).

    Args and errors as for `generator`, whose adjoint this is; `density` is a function of the coordinates.
    """
    drift, diffusion, x = _in_matrices(drift, diffusion, theta)
    n = range(len(x))
    return sum((diffusion[i, j] * density).diff(x[i], x[j]) for i in n for j in n) - sum(
        (drift[i] * density).diff(x[i]) for i in n
    )


def gaussian(theta: object, center: object, covariance: Expression) -> sp.Expr:
    """Return the density of the normal distribution; Equation (11) with the inverse of Sigma in the exponent.

    Args:
        theta, center: a coordinate and its mean, or lists of them.
        covariance: variance, or covariance matrix.
    """
    covariance = _matrix(covariance)
    away = _matrix(theta) - _matrix(center)
    exponent = -(away.T * covariance.inv() * away)[0] / 2
    return sp.exp(exponent) / sp.sqrt((2 * sp.pi) ** len(away) * covariance.det())


def spectral_abs(matrix: sp.MatrixBase) -> sp.Matrix:
    """Replace each eigenvalue by its absolute value: the paper's [H]^+, below Equation (3).

    Args:
        matrix: symmetric, with eigenvalues that SymPy can find.
    """
    vectors, values = sp.Matrix(matrix).diagonalize()
    return sp.simplify(vectors * values.applyfunc(sp.Abs) * vectors.inv())
