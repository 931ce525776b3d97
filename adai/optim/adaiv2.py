"""AdaiV2: a family from Adai to an optimizer that adapts inertia and learning rate in equal parts."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from adai.optim import reference
from adai.optim.adai import _clamped, _scaled
from adai.optim.adaiw import AdaiW
from adai.optim.base import Requirement
from adai.optim.batches import power_

__all__ = ["AdaiV2"]


class AdaiV2(AdaiW):
    r"""Adai with dampening, the authors' later generalisation; not in the paper.

    Adai lets the second moment set the inertia alone. Here a share of it sets the learning rate. With
    :math:`r_t = \hat v_t / \bar v_t` and :math:`\kappa` = ``dampening``, AdaiV2 is
    :class:`~adai.optim.adaiw.AdaiW` but for

    .. math::
        \begin{aligned}
        \beta_{1,t} &= \operatorname{clamp}\left(1 - \beta_0 r_t^{1/(3 - 2\kappa)},\ 0,\ 1 - \epsilon\right) \\
        m_t &= \beta_{1,t} m_{t-1} + (1 - \beta_{1,t}) \left(\frac{\beta_0}{1 - \beta_{1,t}}\right)^{1-\kappa} g_t
        \end{aligned}

    At :math:`\kappa = 1` it is AdaiW. Where nothing is clamped, the factor at the gradient is
    :math:`r_t^{-(1-\kappa)/(3-2\kappa)}`; at :math:`\kappa = 0` it is :math:`r_t^{-1/3}`, beside
    :math:`r_t^{1/3}` in the inertia.

    The authors' code adds :math:`(1 - \beta_{1,t})^\kappa g_t` to :math:`m_{t-1}` and multiplies the step by
    :math:`\beta_0^{1-\kappa}`. Both are the same as long as :math:`\beta_0` and :math:`\kappa` stay what they are.
    Its weight decay may also be coupled; ours is decoupled, its default.

    Args:
        params: as for AdaiW.
        lr: learning rate, 0 or more; the default is that of AdaiW, the authors' code has none.
        betas: as for AdaiW.
        eps: as for AdaiW.
        weight_decay: as for AdaiW; the authors' code has 0 for a default.
        dampening: :math:`\kappa` in [0, 1].
        maximize: ascend instead of descend.
        foreach, fused, capturable, differentiable, mean_over: as for AdaiW.

    Raises:
        ValueError, RuntimeError: as for AdaiW.

    The authors' repository is https://github.com/zeke-xie/adaptive-inertia-adai (``adai_optim/adaiv2.py``).
    """

    _algorithm = "AdaiV2"
    rule = staticmethod(reference.adaiv2)
    _hyperparameters = ("betas", "eps", "weight_decay", "dampening")

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.1,
        betas: tuple[float, float] = (0.1, 0.99),
        eps: float = 1e-3,
        weight_decay: float = 5e-3,
        dampening: float = 1.0,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        fused: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        mean_over: "torch.distributed.ProcessGroup | None" = None,
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        paths = {"foreach": foreach, "fused": fused, "capturable": capturable, "differentiable": differentiable}
        self._begin(params, mean_over, options | paths | {"dampening": dampening})

    @staticmethod
    def _beta0_factor(group: dict[str, Any]) -> float:
        return float(group["betas"][0] ** (3 - 2 * group["dampening"]))

    @classmethod
    def _one_minus_beta1(cls, exp_avg_sqs: list[Tensor], scales: list[Tensor], options: dict[str, Any]) -> list[Tensor]:
        one_minus_beta1 = _scaled(exp_avg_sqs, scales)
        power_(one_minus_beta1, 1 / (3 - 2 * options["dampening"]))
        return _clamped(one_minus_beta1, exp_avg_sqs, options)

    @classmethod
    def _average_(
        cls, exp_avgs: list[Tensor], grads: list[Tensor], one_minus_beta1: list[Tensor], options: dict[str, Any]
    ) -> None:
        beta0, dampening = options["betas"][0], options["dampening"]
        if not isinstance(dampening, Tensor) and dampening == 1:
            super()._average_(exp_avgs, grads, one_minus_beta1, options)
            return
        torch._foreach_addcmul_(exp_avgs, exp_avgs, one_minus_beta1, value=-1)
        # (1 - beta1) (beta0 / (1 - beta1))^(1 - dampening), without a negative power
        power_(one_minus_beta1, dampening)
        if isinstance(dampening, Tensor):
            torch._foreach_mul_(one_minus_beta1, beta0 ** (1 - dampening))
            torch._foreach_addcmul_(exp_avgs, one_minus_beta1, grads)
        else:
            torch._foreach_addcmul_(exp_avgs, one_minus_beta1, grads, value=beta0 ** (1 - dampening))

    def _requirements(self, group: dict[str, Any]) -> Iterator[Requirement]:
        yield from super()._requirements(group)
        yield "dampening", group["dampening"], 0 <= group["dampening"] <= 1, "0 <= dampening <= 1"
