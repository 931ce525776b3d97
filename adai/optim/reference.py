"""Every optimizer of the catalogue in a few readable lines, in float64: tests compare the package's steps to these.

Each rule is written from the work that introduced the optimizer and from no other code of this package. A parameter
keeps every gradient, and a moving average is written out as the sum that it abbreviates, so nothing of the package's
running updates is repeated here. That is slow; train with the optimizers themselves.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor


@dataclass
class Parameter:
    """One parameter with its hyperparameters and everything it has seen.

    Attributes:
        theta: its value, real, float64.
        lr: the learning rate; may be changed between steps.
        weight_decay: the strength of weight decay.
        hyperparameters: keyword arguments of the rule.
        gradients: all gradients so far, downhill and with the L2 term.
        beta1s: Adai's inertia of each of these steps.
        first_lr: the learning rate at the beginning.
    """

    theta: Tensor
    lr: float
    weight_decay: float = 0.0
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    gradients: list[Tensor] = field(default_factory=list)
    beta1s: list[Tensor] = field(default_factory=list)
    first_lr: float = field(init=False)

    def __post_init__(self) -> None:
        self.first_lr = self.lr


Rule: TypeAlias = Callable[[list[Parameter]], list[Tensor]]
"""From the parameters that have a gradient in this step to what is subtracted from each of them."""


def step(
    rule: Rule, parameters: list[Parameter], gradients: list[Tensor | None], decoupled_weight_decay: bool = False
) -> None:
    """Take one step of an optimizer; a gradient of None leaves its parameter out.

    Args:
        rule: the optimizer's.
        parameters: all parameters; they are changed in place.
        gradients: one for each parameter, of its shape.
        decoupled_weight_decay: subtract ``lr * weight_decay * theta`` from the parameter, instead of adding
            ``weight_decay * theta`` to its gradient.
    """
    active = []
    for p, gradient in zip(parameters, gradients, strict=True):
        if gradient is not None:
            p.gradients.append(gradient if decoupled_weight_decay else gradient + p.weight_decay * p.theta)
            active.append(p)
    for p, move in zip(active, rule(active) if active else [], strict=True):
        decay = p.lr * p.weight_decay * p.theta if decoupled_weight_decay else 0
        p.theta = p.theta - move - decay


def elementwise(move: Callable[..., Tensor]) -> Rule:
    """Return the rule of an optimizer that treats each parameter by itself, given how it moves one."""
    return lambda parameters: [move(p, **p.hyperparameters) for p in parameters]


# ── Adai: one mean over all parameters ──


def adai(parameters: list[Parameter]) -> list[Tensor]:
    """Return the moves of Xie et al. (2022), Algorithms 2 and 3; AdaiV2's dampening is from its authors' code."""
    v_hats = [corrected_mean(squares(p.gradients), p.hyperparameters["betas"][1]) for p in parameters]
    v_bar = torch.cat([v_hat.flatten() for v_hat in v_hats]).mean()
    ratios = [v_hat / v_bar if v_bar > 0 else torch.zeros_like(v_hat) for v_hat in v_hats]
    return [adai_move(p, ratio, **p.hyperparameters) for p, ratio in zip(parameters, ratios, strict=True)]


def adai_move(p: Parameter, ratio: Tensor, betas: tuple[float, float], eps: float, dampening: float = 1.0) -> Tensor:
    """Return how far one parameter moves, given its v_hat over the mean of all."""
    p.beta1s.append((1 - betas[0] * ratio ** (1 / (3 - 2 * dampening))).clamp(0, 1 - eps))
    m, later = torch.zeros_like(p.theta), torch.ones_like(p.theta)  # `later`: the product of all later beta1
    for gradient, beta1 in zip(reversed(p.gradients), reversed(p.beta1s), strict=True):
        m += later * (1 - beta1) ** dampening * gradient
        later = later * beta1
    return p.lr * math.pow(betas[0], 1 - dampening) * m / (1 - later)


# ── the others: each parameter by itself ──


def sgd(p: Parameter, momentum: float) -> Tensor:
    """Return the move of Polyak's heavy ball (1964): the velocity is a sum, not a mean."""
    t = len(p.gradients)
    return p.lr * torch.stack([momentum ** (t - s) * g for s, g in enumerate(p.gradients, start=1)]).sum(0)


def adam(p: Parameter, betas: tuple[float, float], eps: float) -> Tensor:
    """Return the move of Kingma and Ba (2015), Algorithm 1."""
    return p.lr * corrected_mean(p.gradients, betas[0]) / (corrected_mean(squares(p.gradients), betas[1]).sqrt() + eps)


def amsgrad(p: Parameter, betas: tuple[float, float]) -> Tensor:
    """Return the move of Reddi et al. (2018), Algorithm 2: no bias correction and no epsilon."""
    return p.lr * mean(p.gradients, betas[0]) / largest_mean(squares(p.gradients), betas[1]).sqrt()


def amsgrad_corrected(p: Parameter, betas: tuple[float, float], eps: float) -> Tensor:
    """Return it with Adam's bias corrections, the second after the maximum, as `torch.optim.Adam` documents it."""
    v_hat = largest_mean(squares(p.gradients), betas[1]) / (1 - betas[1] ** len(p.gradients))
    return p.lr * corrected_mean(p.gradients, betas[0]) / (v_hat.sqrt() + eps)


def radam(p: Parameter, betas: tuple[float, float], eps: float = 0.0, threshold: float = 4) -> Tensor:
    """Return the move of Liu et al. (2020), Algorithm 2: no epsilon, and rectified as soon as rho_t > 4."""
    t, (beta1, beta2) = len(p.gradients), betas
    m_hat = corrected_mean(p.gradients, beta1)
    rho_inf = 2 / (1 - beta2) - 1
    rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
    if rho <= threshold:
        return p.lr * m_hat
    rectification = math.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
    return p.lr * rectification * m_hat * math.sqrt(1 - beta2**t) / (mean(squares(p.gradients), beta2).sqrt() + eps)


def adabound(p: Parameter, betas: tuple[float, float], final_lr: float, gamma: float, eps: float) -> Tensor:
    """Return the move of Luo et al. (2019), Algorithm 2, with their code's corrections, without 1/sqrt(t)."""
    t, limit = len(p.gradients), final_lr * p.lr / p.first_lr
    rates = adam_rate(p, betas) / (mean(squares(p.gradients), betas[1]).sqrt() + eps)
    return rates.clamp(limit * (1 - 1 / (gamma * t + 1)), limit * (1 + 1 / (gamma * t))) * mean(p.gradients, betas[0])


def padam(p: Parameter, betas: tuple[float, float], partial: float, eps: float) -> Tensor:
    """Return the move of Chen and Gu (2018), Algorithm 1, with bias corrections and epsilon of their code."""
    root = largest_mean(squares(p.gradients), betas[1]).sqrt() + eps
    return adam_rate(p, betas) * mean(p.gradients, betas[0]) / root ** (2 * partial)


def yogi(p: Parameter, betas: tuple[float, float], eps: float, initial_accumulator: float) -> Tensor:
    """Return the move of Zaheer et al. (2018), Algorithm 2, with bias corrections and first v of TensorFlow Addons."""
    v = torch.full_like(p.theta, initial_accumulator)
    for square in squares(p.gradients):
        v = v - (1 - betas[1]) * torch.sign(v - square) * square
    return adam_rate(p, betas) * mean(p.gradients, betas[0]) / (v.sqrt() + eps)


# ── what they are made of ──


def squares(gradients: list[Tensor]) -> list[Tensor]:
    """Return the square of each gradient."""
    return [g**2 for g in gradients]


def mean(values: list[Tensor], beta: float) -> Tensor:
    """Return Adam's moving average from 0, without bias correction."""
    t = len(values)
    return torch.stack([(1 - beta) * beta ** (t - s) * value for s, value in enumerate(values, start=1)]).sum(0)


def corrected_mean(values: list[Tensor], beta: float) -> Tensor:
    """Return the moving average divided by the sum of its weights."""
    return mean(values, beta) / (1 - beta ** len(values))


def largest_mean(values: list[Tensor], beta: float) -> Tensor:
    """Return the largest moving average so far, element by element."""
    return torch.stack([mean(values[:t], beta) for t in range(1, len(values) + 1)]).amax(0)


def adam_rate(p: Parameter, betas: tuple[float, float]) -> float:
    """Return the learning rate with both bias corrections (Kingma and Ba 2015, end of Section 2)."""
    t = len(p.gradients)
    return p.lr * math.sqrt(1 - betas[1] ** t) / (1 - betas[0] ** t)
