"""Padam: AMSGrad that divides by a smaller power of the second moment."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from adai.optim import reference
from adai.optim.adamlike import AdamLike, _roots
from adai.optim.base import Requirement
from adai.optim.batches import power_

__all__ = ["Padam"]


class Padam(AdamLike):
    r"""Partially adaptive moment estimation (Chen and Gu 2018, Algorithm 1).

    AMSGrad divides the momentum by the root of the largest second moment so far; Padam by its :math:`p`-th
    power. :math:`p = 1/2` is AMSGrad, :math:`p = 0` is SGD with momentum. With :math:`m_t, v_t` Adam's
    uncorrected moments, :math:`\eta` = ``lr`` and :math:`p` = ``partial``,

    .. math::
        \begin{aligned}
        \hat v_t &= \max(\hat v_{t-1}, v_t) \\
        \theta_t &= \theta_{t-1} - \eta \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}
        \frac{m_t}{\left(\sqrt{\hat v_t} + \epsilon\right)^{2p}}
        \end{aligned}

    The printed algorithm has neither bias corrections nor :math:`\epsilon`. Both are here as in the authors' code
    (https://github.com/uclaml/Padam), whose factor :math:`\sqrt{1 - \beta_2^t}` undoes the bias of
    :math:`\hat v_t` only at :math:`p = 1/2`; at smaller :math:`p` it keeps the first steps short.

    Args:
        params: parameters, named parameters, or dictionaries that each define a parameter group with options
            of its own.
        lr: learning rate, 0 or more; 0.1 in the authors' code. Xie et al. (2022) used 0.01.
        betas: :math:`(\beta_1, \beta_2)`, each in [0, 1).
        partial: :math:`p` in [0, 1/2]; 1/8 in the authors' experiments on CIFAR, 1/4 the default of
            their class.
        eps: :math:`\epsilon > 0`.
        weight_decay: :math:`\lambda \ge 0`; :math:`\lambda \theta` is added to the gradient.
        maximize: ascend instead of descend.
        foreach, capturable, differentiable: as for :class:`~adai.optim.adai.Adai`.

    Raises:
        ValueError: a hyperparameter is outside its range.

    Chen and Gu, *Closing the Generalization Gap of Adaptive Gradient Methods in Training Deep Neural Networks*,
    arXiv:1806.06763.
    """

    _algorithm = "Padam"
    rule = staticmethod(reference.elementwise(reference.padam))
    _state_names = ("step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.1,
        betas: tuple[float, float] = (0.9, 0.999),
        partial: float = 0.125,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        options = {"lr": lr, "betas": betas, "partial": partial, "eps": eps, "weight_decay": weight_decay}
        paths = {"foreach": foreach, "capturable": capturable, "differentiable": differentiable}
        super().__init__(params, **options, maximize=maximize, **paths)

    def _factors(self, lists: dict[str, list[Tensor]], group: dict[str, Any]) -> list[Tensor]:
        torch._foreach_maximum_(lists["max_exp_avg_sq"], lists["exp_avg_sq"])
        factors = _roots(lists["max_exp_avg_sq"], group["eps"])
        power_(factors, -2 * group["partial"])
        torch._foreach_mul_(factors, lists["rate"])
        return factors

    def _requirements(self, group: dict[str, Any]) -> Iterator[Requirement]:
        yield from super()._requirements(group)
        yield "partial", group["partial"], 0 <= group["partial"] <= 0.5, "0 <= partial <= 0.5"
