"""The optimizers in float64 NumPy, each written from the work that introduced it and from no other code of ours.

Every sequence is kept and every moving average is written out as the sum that it abbreviates, so that nothing of
the package's running updates is repeated here.
"""

from collections.abc import Callable, Iterator
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
    dampening: float = 1.0  # not in the paper: adai_optim/adaiv2.py of its authors' repository
    gradients: list[np.ndarray] = field(default_factory=list)
    beta1s: list[np.ndarray] = field(default_factory=list)

    def v_hat(self) -> np.ndarray:
        t = len(self.gradients)
        v = sum((1 - self.beta2) * self.beta2 ** (t - s) * g**2 for s, g in enumerate(self.gradients, start=1))
        return v / (1 - self.beta2**t)

    def m_hat(self) -> np.ndarray:
        m = np.zeros_like(self.theta)
        for s, (gradient, beta1) in enumerate(zip(self.gradients, self.beta1s, strict=True)):
            m += np.prod(self.beta1s[s + 1 :], axis=0) * (1 - beta1) ** self.dampening * gradient
        return self.beta0 ** (1 - self.dampening) * m / (1 - np.prod(self.beta1s, axis=0))


def adai_step(parameters: list[Parameter], gradients: list[np.ndarray | None], decoupled: bool = False) -> None:
    """One step of Algorithm 2 or, if ``decoupled``, of Algorithm 3; a gradient of None leaves a parameter out."""
    active = []
    for p, gradient in zip(parameters, gradients, strict=True):
        if gradient is not None:
            p.gradients.append(gradient if decoupled else gradient + p.weight_decay * p.theta)
            active.append(p)
    if not active:
        return

    v_hats = np.concatenate([p.v_hat().ravel() for p in active])
    v_bar = v_hats.mean() if v_hats.size else 0.0
    for p in active:
        ratio = p.v_hat() / v_bar if v_bar > 0 else np.zeros_like(p.theta)
        p.beta1s.append(np.clip(1 - p.beta0 * ratio ** (1 / (3 - 2 * p.dampening)), 0, 1 - p.eps))
        decay = p.lr * p.weight_decay * p.theta if decoupled else 0
        p.theta = p.theta - p.lr * p.m_hat() - decay


Gradients = list[np.ndarray]
Rule = Callable[..., np.ndarray]


def trajectory(
    rule: Rule,
    theta: np.ndarray,
    gradients: list[np.ndarray | None],
    *,
    lr: float,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    **options: float | tuple[float, float],
) -> Iterator[np.ndarray]:
    """The parameter after every step of an optimizer that treats each element by itself; None leaves it alone."""
    seen: Gradients = []
    for gradient in gradients:
        if gradient is not None:
            decay = weight_decay * theta
            seen.append(gradient if decoupled else gradient + decay)
            theta = theta - rule(seen, lr, **options) - (lr * decay if decoupled else 0)
        yield theta


def mean(values: Gradients, beta: float) -> np.ndarray:
    """Adam's moving average from 0, without bias correction."""
    t = len(values)
    return sum((1 - beta) * beta ** (t - s) * value for s, value in enumerate(values, start=1))


def squares(gradients: Gradients) -> Gradients:
    return [g**2 for g in gradients]


def largest_mean(values: Gradients, beta: float) -> np.ndarray:
    return np.max([mean(values[:t], beta) for t in range(1, len(values) + 1)], axis=0)


def adam_rate(lr: float, t: int, betas: tuple[float, float]) -> float:
    """Both bias corrections in one factor (Kingma and Ba 2015, end of Section 2)."""
    return lr * np.sqrt(1 - betas[1] ** t) / (1 - betas[0] ** t)


def sgd(g: Gradients, lr: float, momentum: float) -> np.ndarray:
    """Polyak's heavy ball (1964): the velocity is a sum, not a mean."""
    return lr * sum(momentum ** (len(g) - s) * value for s, value in enumerate(g, start=1))


def adam(g: Gradients, lr: float, betas: tuple[float, float], eps: float) -> np.ndarray:
    """Kingma and Ba (2015), Algorithm 1."""
    t = len(g)
    m_hat = mean(g, betas[0]) / (1 - betas[0] ** t)
    v_hat = mean(squares(g), betas[1]) / (1 - betas[1] ** t)
    return lr * m_hat / (np.sqrt(v_hat) + eps)


def amsgrad(g: Gradients, lr: float, betas: tuple[float, float]) -> np.ndarray:
    """Reddi et al. (2018), Algorithm 2: no bias correction and no epsilon."""
    return lr * mean(g, betas[0]) / np.sqrt(largest_mean(squares(g), betas[1]))


def amsgrad_corrected(g: Gradients, lr: float, betas: tuple[float, float], eps: float) -> np.ndarray:
    """The same with Adam's bias corrections, the second after the maximum, as `torch.optim.Adam` documents it."""
    t = len(g)
    v_hat = largest_mean(squares(g), betas[1]) / (1 - betas[1] ** t)
    return lr * mean(g, betas[0]) / (1 - betas[0] ** t) / (np.sqrt(v_hat) + eps)


def radam(g: Gradients, lr: float, betas: tuple[float, float], threshold: float = 4) -> np.ndarray:
    """Liu et al. (2020), Algorithm 2: no epsilon, and rectified as soon as rho_t > 4."""
    t, (beta1, beta2) = len(g), betas
    m_hat = mean(g, beta1) / (1 - beta1**t)
    rho_inf = 2 / (1 - beta2) - 1
    rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
    if rho <= threshold:
        return lr * m_hat
    rectification = np.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
    return lr * rectification * m_hat * np.sqrt((1 - beta2**t) / mean(squares(g), beta2))


def adabound(
    g: Gradients, lr: float, betas: tuple[float, float], final_lr: float, gamma: float, eps: float
) -> np.ndarray:
    """Luo et al. (2019), Algorithm 2, with the bias corrections and epsilon of the authors' code, without 1/sqrt(t)."""
    t = len(g)
    lower, upper = final_lr * (1 - 1 / (gamma * t + 1)), final_lr * (1 + 1 / (gamma * t))
    adam_rates = adam_rate(lr, t, betas) / (np.sqrt(mean(squares(g), betas[1])) + eps)
    return np.clip(adam_rates, lower, upper) * mean(g, betas[0])


def padam(g: Gradients, lr: float, betas: tuple[float, float], partial: float, eps: float) -> np.ndarray:
    """Chen and Gu (2018), Algorithm 1, with the bias corrections and epsilon of the authors' code."""
    root = np.sqrt(largest_mean(squares(g), betas[1])) + eps
    return adam_rate(lr, len(g), betas) * mean(g, betas[0]) / root ** (2 * partial)


def yogi(g: Gradients, lr: float, betas: tuple[float, float], eps: float, initial_accumulator: float) -> np.ndarray:
    """Zaheer et al. (2018), Algorithm 2, with the bias corrections of TensorFlow Addons, which starts v as here."""
    v = np.full_like(g[0], initial_accumulator)
    for square in squares(g):
        v = v - (1 - betas[1]) * np.sign(v - square) * square
    return adam_rate(lr, len(g), betas) * mean(g, betas[0]) / (np.sqrt(v) + eps)
