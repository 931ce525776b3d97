"""Adai and AdaiW in float64 NumPy, written from the paper's Algorithms 2 and 3 and from nothing else.

Every sequence is kept and every moving average is written out as the sum that it abbreviates, so that nothing of
the package's running updates is repeated here.
"""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Parameter:
    """One parameter array with its hyperparameters and everything it has seen."""

    theta: np.ndarray
    lr: float = 1.0
    beta0: float = 0.1
    beta2: float = 0.99
    eps: float = 1e-3
    weight_decay: float = 0.0
    gradients: list[np.ndarray] = field(default_factory=list)
    beta1s: list[np.ndarray] = field(default_factory=list)

    def v_hat(self) -> np.ndarray:
        t = len(self.gradients)
        v = sum((1 - self.beta2) * self.beta2 ** (t - s) * g**2 for s, g in enumerate(self.gradients, start=1))
        return v / (1 - self.beta2**t)

    def m_hat(self) -> np.ndarray:
        m = np.zeros_like(self.theta)
        for s, (gradient, beta1) in enumerate(zip(self.gradients, self.beta1s, strict=True)):
            m += np.prod(self.beta1s[s + 1 :], axis=0) * (1 - beta1) * gradient
        return m / (1 - np.prod(self.beta1s, axis=0))


def adai_step(parameters: list[Parameter], gradients: list[np.ndarray | None], decoupled: bool = False) -> None:
    """One step of Algorithm 2 or, if ``decoupled``, of Algorithm 3; a gradient of None leaves a parameter out."""
    active = []
    for p, gradient in zip(parameters, gradients, strict=True):
        if gradient is not None:
            p.gradients.append(gradient if decoupled else gradient + p.weight_decay * p.theta)
            active.append(p)
    if not active:
        return

    v_bar = np.mean(np.concatenate([p.v_hat().ravel() for p in active]))
    for p in active:
        ratio = p.v_hat() / v_bar if v_bar > 0 else np.zeros_like(p.theta)
        p.beta1s.append(np.clip(1 - p.beta0 * ratio, 0, 1 - p.eps))
        decay = p.lr * p.weight_decay * p.theta if decoupled else 0
        p.theta = p.theta - p.lr * p.m_hat() - decay
