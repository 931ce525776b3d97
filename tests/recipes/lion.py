"""Lion: the sign of a momentum that weighs the latest gradient more."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from adai.optim import reference
from adai.optim.base import Active, DenseOptimizer, Requirement, learning_rate
from adai.optim.batches import batched

__all__ = ["Lion"]


class Lion(DenseOptimizer):
    r"""Evolved sign momentum (Chen et al. 2023, Algorithm 2).

    .. math::
        \begin{aligned}
        c_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad m_t = \beta_2 m_{t-1} + (1 - \beta_2) g_t \\
        \theta_t &= \theta_{t-1} - \eta \left(\operatorname{sign}(c_t) + \lambda \theta_{t-1}\right)
        \end{aligned}

    Every element moves by :math:`\eta` = ``lr``, whatever its gradient is: a third to a tenth of Adam's is a good one,
    and SGD's says nothing.

    Args:
        params: parameters, named parameters, or dictionaries that each define a parameter group.
        lr: learning rate, 0 or more.
        betas: :math:`(\beta_1, \beta_2)`, each in [0, 1).
        weight_decay: :math:`\lambda \ge 0`, decoupled.
        maximize: ascend instead of descend.
        foreach, capturable, differentiable: as for :class:`~adai.optim.adai.Adai`.

    Raises:
        ValueError: a hyperparameter is outside its range.

    Chen et al., *Symbolic Discovery of Optimization Algorithms*, NeurIPS 2023.
    """

    _algorithm = "Lion"
    rule = staticmethod(reference.elementwise(reference.lion))
    _state_names = ("step", "exp_avg")
    _decoupled_weight_decay = True

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        options = {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize}
        paths = {"foreach": foreach, "capturable": capturable, "differentiable": differentiable}
        super().__init__(params, **options, **paths)

    def _update(self, active: list[Active]) -> None:
        for batch in batched(active):
            torch._foreach_add_(batch["step"], 1)
            for _, pieces in batch.pieces(batch.params, batch.grads, batch["exp_avg"]):
                self._move(*pieces, batch.group)

    def _move(self, params: list[Tensor], grads: list[Tensor], ms: list[Tensor], group: dict[str, Any]) -> None:
        (beta1, beta2), lr = group["betas"], learning_rate(group)
        grads = self._descent(params, grads, group)
        cs = torch._foreach_lerp(ms, grads, 1 - beta1)
        moves = list(torch._foreach_sign(cs))
        torch._foreach_add_(moves, cs, alpha=0)  # the sign of NaN is 0, and would hide it
        if group["weight_decay"]:
            torch._foreach_add_(moves, params, alpha=group["weight_decay"])
        torch._foreach_mul_(moves, lr)
        torch._foreach_sub_(params, moves)
        torch._foreach_lerp_(ms, grads, 1 - beta2)

    def _requirements(self, group: dict[str, Any]) -> Iterator[Requirement]:
        yield from super()._requirements(group)
        yield "beta1 (betas[0])", group["betas"][0], 0 <= group["betas"][0] < 1, "0 <= beta1 < 1"
