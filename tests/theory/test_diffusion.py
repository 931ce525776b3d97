"""The operators: Itô's formula, its adjoint, the Gaussian density, the absolute value of a matrix."""

import numpy as np
import pytest
import sympy as sp
from sympy.calculus.euler import euler_equations

from adai.theory.diffusion import fokker_planck, gaussian, generator, spectral_abs
from adai.theory.symbols import D, H, c, t, theta

x, y = sp.symbols("x y", real=True)


@pytest.mark.parametrize("coordinates", [[x], [x, y]])
def test_fokker_planck_is_the_adjoint_of_the_generator(coordinates):
    """Integration by parts is what the Euler operator does; drift and D depend on the state."""
    n = len(coordinates)
    density, phi = (sp.Function(name)(*coordinates) for name in ("P", "phi"))
    drift = sp.Matrix([sp.Function(f"b{i}")(*coordinates) for i in range(n)])
    diffusion = sp.Matrix(n, n, lambda i, j: sp.Function(f"d{min(i, j)}{max(i, j)}")(*coordinates))
    adjoint = euler_equations(density * generator(phi, drift, diffusion, coordinates), [phi], coordinates)[0].lhs
    assert sp.expand((adjoint - fokker_planck(density, drift, diffusion, coordinates)).doit()) == 0


def test_generator_is_the_rate_of_the_mean_over_one_small_step():
    drift, diffusion, s = x**2 - y, sp.Matrix([[2 + x**2, x], [x, 3]]), sp.Symbol("s")
    root = diffusion.cholesky(hermitian=False) * sp.sqrt(2)
    phi = x**3 * y + y**2
    ends = []
    for noise in ([1, 1], [1, -1], [-1, 1], [-1, -1]):  # the first two moments of the noise are all that counts
        moved = sp.Matrix([x, y]) + sp.Matrix([drift, x]) * s**2 + root * sp.Matrix(noise) * s
        ends.append(phi.subs({x: moved[0], y: moved[1]}, simultaneous=True))
    rate = sp.expand(sum(ends) / 4).coeff(s, 2)
    assert sp.simplify(rate - generator(phi, sp.Matrix([drift, x]), diffusion, [x, y])) == 0


def test_one_dimension_takes_plain_expressions():
    assert generator(theta**2, -H * theta, D, theta) == 2 * D - 2 * H * theta**2
    assert sp.simplify(fokker_planck(gaussian(theta, 0, D / H), -H * theta, D, theta)) == 0


def test_sizes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"2 coordinates need a drift of shape \(2, 1\).*not \(1, 1\)"):
        generator(x * y, x, sp.eye(2), [x, y])
    with pytest.raises(ValueError, match="symmetric"):
        fokker_planck(x * y, sp.Matrix([x, y]), sp.Matrix([[1, 1], [0, 1]]), [x, y])


def test_gaussian_has_mass_one_the_given_mean_and_covariance():
    mean, covariance = np.array([0.3, -0.5]), np.array([[0.7, 0.4], [0.4, 0.5]])
    density = sp.lambdify((x, y), gaussian([x, y], list(mean), sp.Matrix(covariance)))
    grid = np.stack(np.meshgrid(*[np.linspace(-8, 8, 401)] * 2, indexing="ij"))
    weight = density(*grid) * (16 / 400) ** 2
    assert weight.sum() == pytest.approx(1, abs=1e-10)
    found = np.einsum("aij,ij->a", grid, weight)
    assert found == pytest.approx(mean, abs=1e-10)
    away = grid - mean[:, None, None]
    assert np.einsum("aij,bij,ij->ab", away, away, weight) == pytest.approx(covariance, abs=1e-10)
    assert sp.integrate((theta - c) ** 2 * gaussian(theta, c, t), (theta, -sp.oo, sp.oo)) == t


def test_spectral_abs_keeps_eigenvectors_and_takes_absolute_values():
    U = sp.Matrix([[3, -4], [4, 3]]) / 5
    assert spectral_abs(U * sp.diag(2, -7) * U.T) == U * sp.diag(2, 7) * U.T
    assert spectral_abs(sp.Matrix([[0, 0], [0, 0]])) == sp.zeros(2, 2)
