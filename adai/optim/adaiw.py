"""AdaiW, which the paper also calls AdaiS: Adai with decoupled weight decay."""

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from adai.optim import reference
from adai.optim.adai import Adai

__all__ = ["AdaiS", "AdaiW"]


class AdaiW(Adai):
    r"""Adai with decoupled weight decay (Algorithm 3 of the paper, which calls it AdaiS/AdaiW).

    The same as :class:`~adai.optim.adai.Adai` but for the decay, which never enters the gradient and so does not
    change the inertia:

    .. math::
        \theta_t = \theta_{t-1} - \eta \hat m_t - \lambda \eta \theta_{t-1}

    The paper prints one algorithm under two names, AdaiS for "stable" and AdaiW for "decoupled" weight decay.
    Here they are one class with two names: ``AdaiS`` is :class:`AdaiW`.

    Args:
        params: as for :class:`~adai.optim.adai.Adai`.
        lr: learning rate :math:`\eta`, 0 or more; the default is the paper's for CIFAR (Appendix D.1).
        betas: as for :class:`~adai.optim.adai.Adai`.
        eps: as for :class:`~adai.optim.adai.Adai`.
        weight_decay: :math:`\lambda \ge 0`; the default is the paper's for CIFAR (Appendix D.1). A step
            multiplies a parameter by ``1 - lr * weight_decay``, and ``lr * weight_decay`` is 0.0005 here as in
            the paper's setting of Adai (``lr=1, weight_decay=0.0005``).
        maximize: ascend instead of descend.
        foreach, fused, capturable, differentiable, mean_over: as for :class:`~adai.optim.adai.Adai`.

    Raises:
        ValueError, RuntimeError: as for :class:`~adai.optim.adai.Adai`.
    """

    _algorithm = "AdaiW"
    rule = staticmethod(reference.adaiw)
    _decoupled_weight_decay = True

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.1,
        betas: tuple[float, float] = (0.1, 0.99),
        eps: float = 1e-3,
        weight_decay: float = 5e-3,
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
        self._begin(params, mean_over, options | paths)


AdaiS = AdaiW
"""The paper's other name for :class:`AdaiW`; the very same class."""
