"""SymPy symbols that mean the same in every chapter, with the assumptions that the paper makes about them."""

import sympy as sp

eta = sp.Symbol("eta", positive=True)
"""Learning rate."""
B, T = sp.symbols("B T", positive=True, integer=True)
"""Batch size and number of iterations."""
t = sp.Symbol("t", positive=True)
"""Dynamical time, t = eta T."""
theta, c = sp.symbols("theta c", real=True)
"""One parameter, and the critical point near which it moves."""
H = sp.Symbol("H", real=True, nonzero=True)
"""Second derivative of the loss at the critical point, of either sign."""
C, D, sigma2 = sp.symbols("C D sigma^2", positive=True)
"""Variance of the gradient noise, diffusion coefficient, variance of the parameter."""
