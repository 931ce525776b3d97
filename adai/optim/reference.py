"""Every optimizer of the catalogue in about ten lines, to be read beside the paper that introduced it.

A rule takes one step of the parameters that have a gradient, with the names of its paper and in its order: from the
gradient ``g`` over the moments ``m`` and ``v`` to ``theta``. Three steps of Adai::

    p = Parameter(torch.ones(2), lr=0.1, betas=(0.1, 0.99), eps=1e-3)
    for _ in range(3):
        step(adai, [p], [2 * p.theta])

Nothing is changed in place and every hyperparameter may be a tensor without dimensions, so autograd follows any number
of steps to gradients, learning rates and all that a rule reads. A complex parameter is passed as two real ones. Tests
compare the optimizers' steps to these, and derivatives to finite differences. They are slow; train with the optimizers.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, TypeAlias

import torch
from torch import Tensor

STATE = {"step": "t", "exp_avg": "m", "exp_avg_sq": "v", "max_exp_avg_sq": "v_hat", "bias_correction1": "c"}
"""From the names in the state of the package's optimizers to those in the rules."""


class Parameter(SimpleNamespace):
    """One parameter with its gradient, its hyperparameters and its state, all by the names of the papers.

    Args:
        theta: its value, real, in float32 or float64.
        lr: the learning rate.
        weight_decay: the strength of weight decay.
        given: the rule's other hyperparameters by their names in the optimizer, such as ``betas`` and ``eps``, and any
            state that is not at its beginning: ``t`` and ``m``, ``v``, ``v_hat``, ``c`` begin at 0, but Yogi's ``v`` at
            ``initial_accumulator``. AdaBound's ``base_lr`` is the first ``lr``.
    """

    def __init__(self, theta: Tensor, lr: Any, weight_decay: Any = 0.0, **given: Any) -> None:
        zero = torch.zeros_like(theta)
        state = {"t": 0, "m": zero, "v": zero + given.get("initial_accumulator", 0.0), "v_hat": zero, "c": zero}
        super().__init__(**{"theta": theta, "lr": lr, "base_lr": lr, "weight_decay": weight_decay, **state, **given})

    @classmethod
    def from_state(cls, theta: Tensor, group: Mapping[str, Any], state: Mapping[str, Tensor]) -> "Parameter":
        """Return a parameter with its group's options and its state in an optimizer, in float32 at least."""
        theta = theta.to(torch.promote_types(theta.dtype, torch.float32))
        moments = {ours: state[name].to(theta.dtype) for name, ours in STATE.items() if name in state}
        return cls(theta, **{**group, **moments, "t": int(state["step"])})

    def to_state(self, old: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the state with the names, types and devices of an older one."""
        values = {name: torch.as_tensor(getattr(self, ours)) for name, ours in STATE.items() if name in old}
        return {name: value.to(old[name]) for name, value in values.items()}


Rule: TypeAlias = Callable[[list[Parameter]], None]
"""Takes one step of parameters whose ``g`` is new and whose ``t`` counts this step."""


def step(rule: Rule, parameters: Sequence[Parameter], gradients: Sequence[Tensor | None]) -> None:
    """Take one step of a rule; a parameter whose gradient is None is left out and keeps its state."""
    active = []
    for p, gradient in zip(parameters, gradients, strict=True):
        if gradient is not None:
            p.g, p.t = gradient.to(p.theta.dtype), p.t + 1
            active.append(p)
    if active:
        rule(active)


def elementwise(move: Callable[[Parameter], None]) -> Rule:
    """Return the rule of an optimizer that treats each parameter by itself, given how it moves one."""

    def rule(parameters: list[Parameter]) -> None:
        for p in parameters:
            move(p)

    return rule


# ── Adai: one mean over all parameters ──


def adai(parameters: list[Parameter]) -> None:
    """Take a step of Adai, with L2 regularisation: Xie et al. (2022), Algorithm 2."""
    for p in parameters:
        p.g = p.g + p.weight_decay * p.theta
        p.v = p.betas[1] * p.v + (1 - p.betas[1]) * p.g**2
        p.v_hat = p.v / (1 - p.betas[1] ** p.t)
    v_bar = mean(p.v_hat for p in parameters)
    for p in parameters:
        p.beta1 = (1 - p.betas[0] * p.v_hat / v_bar).clip(max=1 - p.eps).clip(min=0)
        p.m = p.beta1 * p.m + (1 - p.beta1) * p.g
        p.c = p.beta1 * p.c + (1 - p.beta1)  # 1 - prod(beta1), whose product would begin so near 1 that digits are lost
        m_hat = p.m / p.c
        p.theta = p.theta - p.lr * m_hat


def adaiw(parameters: list[Parameter]) -> None:
    """Take a step of AdaiW, also called AdaiS, with decoupled weight decay: Xie et al. (2022), Algorithm 3."""
    for p in parameters:
        p.v = p.betas[1] * p.v + (1 - p.betas[1]) * p.g**2
        p.v_hat = p.v / (1 - p.betas[1] ** p.t)
    v_bar = mean(p.v_hat for p in parameters)
    for p in parameters:
        p.beta1 = (1 - p.betas[0] * p.v_hat / v_bar).clip(max=1 - p.eps).clip(min=0)
        p.m = p.beta1 * p.m + (1 - p.beta1) * p.g
        p.c = p.beta1 * p.c + (1 - p.beta1)
        m_hat = p.m / p.c
        p.theta = p.theta - p.lr * m_hat - p.weight_decay * p.lr * p.theta


def adaiv2(parameters: list[Parameter]) -> None:
    """Take a step of AdaiV2, of the authors' code: AdaiW but for the powers, which are 1 at a dampening of 1."""
    for p in parameters:
        p.v = p.betas[1] * p.v + (1 - p.betas[1]) * p.g**2
        p.v_hat = p.v / (1 - p.betas[1] ** p.t)
    v_bar = mean(p.v_hat for p in parameters)
    for p in parameters:
        beta0, kappa = p.betas[0], p.dampening
        p.beta1 = (1 - beta0 * root(p.v_hat / v_bar, 3 - 2 * kappa)).clip(max=1 - p.eps).clip(min=0)
        p.m = p.beta1 * p.m + beta0 ** (1 - kappa) * (1 - p.beta1) ** kappa * p.g
        p.c = p.beta1 * p.c + (1 - p.beta1)
        m_hat = p.m / p.c
        p.theta = p.theta - p.lr * m_hat - p.weight_decay * p.lr * p.theta


# ── the others: each parameter by itself ──


def sgd(p: Parameter) -> None:
    """Take a step of Polyak's heavy ball (1964), whose velocity is a sum, not a mean: Xie et al., Equation 4."""
    g = p.g + p.weight_decay * p.theta
    p.m = p.momentum * p.m + g
    p.theta = p.theta - p.lr * p.m


def adam(p: Parameter) -> None:
    """Take a step of Adam: Kingma and Ba (2015), Algorithm 1."""
    beta1, beta2 = p.betas
    g = p.g + p.weight_decay * p.theta
    p.m = beta1 * p.m + (1 - beta1) * g
    p.v = beta2 * p.v + (1 - beta2) * g**2
    m_hat = p.m / (1 - beta1**p.t)
    v_hat = p.v / (1 - beta2**p.t)
    p.theta = p.theta - p.lr * m_hat / (root(v_hat) + p.eps)


def adamw(p: Parameter) -> None:
    """Take a step of AdamW: Loshchilov and Hutter (2019), Algorithm 2, but with the decay times lr, as in torch."""
    beta1, beta2 = p.betas
    p.m = beta1 * p.m + (1 - beta1) * p.g
    p.v = beta2 * p.v + (1 - beta2) * p.g**2
    m_hat = p.m / (1 - beta1**p.t)
    v_hat = p.v / (1 - beta2**p.t)
    p.theta = p.theta - p.lr * m_hat / (root(v_hat) + p.eps) - p.lr * p.weight_decay * p.theta


def amsgrad(p: Parameter) -> None:
    """Take a step of AMSGrad: Reddi et al. (2018), Algorithm 2, with torch's bias corrections and epsilon."""
    beta1, beta2 = p.betas
    g = p.g + p.weight_decay * p.theta
    p.m = beta1 * p.m + (1 - beta1) * g
    p.v = beta2 * p.v + (1 - beta2) * g**2
    p.v_hat = torch.maximum(p.v_hat, p.v)
    m_hat = p.m / (1 - beta1**p.t)
    p.theta = p.theta - p.lr * m_hat / (root(p.v_hat / (1 - beta2**p.t)) + p.eps)


def radam(p: Parameter, threshold: float = 4) -> None:
    """Take a step of RAdam: Liu et al. (2020), Algorithm 2. Their code adds the epsilon, and its threshold is 5."""
    beta1, beta2 = p.betas
    rho_inf = 2 / (1 - beta2) - 1
    g = p.g + p.weight_decay * p.theta
    p.v = beta2 * p.v + (1 - beta2) * g**2
    p.m = beta1 * p.m + (1 - beta1) * g
    m_hat = p.m / (1 - beta1**p.t)
    rho = rho_inf - 2 * p.t * beta2**p.t / (1 - beta2**p.t)
    if rho > threshold:
        l_t = (1 - beta2**p.t) ** 0.5 / (root(p.v) + p.eps)
        r_t = ((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)) ** 0.5
        p.theta = p.theta - p.lr * r_t * m_hat * l_t
    else:
        p.theta = p.theta - p.lr * m_hat


def adabound(p: Parameter) -> None:
    """Take a step of AdaBound: Luo et al. (2019), Algorithm 2, with their code's corrections, without 1/sqrt(t)."""
    beta1, beta2 = p.betas
    g = p.g + p.weight_decay * p.theta
    p.m = beta1 * p.m + (1 - beta1) * g
    p.v = beta2 * p.v + (1 - beta2) * g**2
    limit = p.final_lr * p.lr / p.base_lr
    lower, upper = limit * (1 - 1 / (p.gamma * p.t + 1)), limit * (1 + 1 / (p.gamma * p.t))
    eta = (corrected_lr(p) / (root(p.v) + p.eps)).clip(lower, upper)
    p.theta = p.theta - eta * p.m


def padam(p: Parameter) -> None:
    """Take a step of Padam: Chen and Gu (2018), Algorithm 1, with the bias corrections and epsilon of their code."""
    beta1, beta2 = p.betas
    g = p.g + p.weight_decay * p.theta
    p.m = beta1 * p.m + (1 - beta1) * g
    p.v = beta2 * p.v + (1 - beta2) * g**2
    p.v_hat = torch.maximum(p.v_hat, p.v)
    p.theta = p.theta - corrected_lr(p) * p.m / (root(p.v_hat) + p.eps) ** (2 * p.partial)


def yogi(p: Parameter) -> None:
    """Take a step of Yogi: Zaheer et al. (2018), Algorithm 2, with TensorFlow Addons' bias corrections and first v."""
    beta1, beta2 = p.betas
    g = p.g + p.weight_decay * p.theta
    p.m = beta1 * p.m + (1 - beta1) * g
    p.v = p.v - (1 - beta2) * torch.sign(p.v - g**2) * g**2
    p.theta = p.theta - corrected_lr(p) * p.m / (root(p.v) + p.eps)


# ── what they are made of ──


def mean(tensors: Iterable[Tensor]) -> Tensor:
    """Return the mean over all elements, but 1 where it is 0: there each element is 0, and Adai's 0/0 shall be 0."""
    result = torch.cat([tensor.flatten() for tensor in tensors]).mean()
    return result.masked_fill(result == 0, 1)


def root(x: Tensor, degree: Any = 2) -> Tensor:
    """Return a root of x, with slope 0 at 0. The true slope is infinite, and makes NaN of a gradient of 0."""
    zero = x == 0
    return x.masked_fill(zero, 1).pow(1 / degree).masked_fill(zero, 0)


def corrected_lr(p: Parameter) -> Any:
    """Return the learning rate with both of Adam's bias corrections (Kingma and Ba 2015, end of Section 2)."""
    beta1, beta2 = p.betas
    return p.lr * (1 - beta2**p.t) ** 0.5 / (1 - beta1**p.t)
