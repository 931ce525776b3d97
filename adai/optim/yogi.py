"""Yogi: Adam whose second moment changes by a bounded amount, up or down."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from adai.optim import reference
from adai.optim.adamlike import AdamLike
from adai.optim.base import Requirement, as_real

__all__ = ["Yogi"]


class Yogi(AdamLike):
    r"""Adam with additive control of the second moment (Zaheer et al. 2018, Algorithm 2).

    When gradients become small, Adam's second moment falls by a share of itself, and its steps grow quickly.
    Yogi's falls by a share of the squared gradient alone. With :math:`m_t` Adam's uncorrected first moment and
    :math:`\eta` = ``lr``,

    .. math::
        \begin{aligned}
        v_t &= v_{t-1} - (1 - \beta_2) \operatorname{sign}\left(v_{t-1} - g_t^2\right) g_t^2 \\
        \theta_t &= \theta_{t-1} - \eta \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}
        \frac{m_t}{\sqrt{v_t} + \epsilon}
        \end{aligned}

    The printed algorithm has no bias correction; the factor at :math:`\eta` is that of Google's implementation in
    TensorFlow Addons, and so are :math:`m_0 = 0` and a small constant :math:`v_0` (``initial_accumulator``).
    Versions for PyTorch often start :math:`m` at :math:`v_0` too and add :math:`\epsilon` to the root of a
    corrected :math:`v_t`; their first steps differ from these.

    Args:
        params: parameters, named parameters, or dictionaries that each define a parameter group with options
            of its own.
        lr: learning rate, 0 or more; 0.01 in Google's implementation. Xie et al. (2022) used 0.001.
        betas: :math:`(\beta_1, \beta_2)`, each in [0, 1).
        eps: :math:`\epsilon > 0`, large on purpose: it limits how adaptive the steps are.
        initial_accumulator: :math:`v_0 \ge 0`.
        weight_decay: :math:`\lambda \ge 0`; :math:`\lambda \theta` is added to the gradient.
        maximize: ascend instead of descend.
        foreach, capturable, differentiable: as for :class:`~adai.optim.adai.Adai`.

    Raises:
        ValueError: a hyperparameter is outside its range.

    Zaheer, Reddi, Sachan, Kale and Kumar, *Adaptive Methods for Nonconvex Optimization*, NeurIPS 2018.
    """

    _algorithm = "Yogi"
    rule = staticmethod(reference.elementwise(reference.yogi))

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.01,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-3,
        initial_accumulator: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "initial_accumulator": initial_accumulator}
        paths = {"foreach": foreach, "capturable": capturable, "differentiable": differentiable}
        super().__init__(params, **options, weight_decay=weight_decay, maximize=maximize, **paths)

    def _new_state(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        state = super()._new_state(param, group)
        as_real(state["exp_avg_sq"]).fill_(group["initial_accumulator"])
        return state

    def _accumulate(self, exp_avg_sqs: list[Tensor], grads: list[Tensor], beta2: float) -> None:
        squares = torch._foreach_mul(grads, grads)
        signs = torch._foreach_sub(exp_avg_sqs, squares)
        torch._foreach_sign_(signs)
        torch._foreach_addcmul_(exp_avg_sqs, signs, squares, value=beta2 - 1)

    def _requirements(self, group: dict[str, Any]) -> Iterator[Requirement]:
        yield from super()._requirements(group)
        v0 = group["initial_accumulator"]
        yield "initial_accumulator", v0, 0 <= v0 < math.inf, "0 <= initial_accumulator < inf"
