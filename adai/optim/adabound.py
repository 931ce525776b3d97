"""AdaBound: Adam whose learning rates are held between bounds that close in on SGD's."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from adai.optim import reference
from adai.optim.adamlike import AdamLike
from adai.optim.base import Requirement, learning_rate

__all__ = ["AdaBound"]


class AdaBound(AdamLike):
    r"""Adam with dynamic bounds on the learning rate of each element (Luo et al. 2019, Algorithm 2).

    It begins as Adam. The bounds on the rates of single elements then close in on ``final_lr``, so that it ends
    as SGD with momentum. With :math:`m_t, v_t` Adam's uncorrected moments, :math:`\eta` = ``lr``,
    :math:`\eta_0` the first ``lr``, :math:`\alpha^*` = ``final_lr`` and :math:`\gamma` = ``gamma``,

    .. math::
        \begin{aligned}
        \hat\eta_t &= \eta \sqrt{1 - \beta_2^t} / (1 - \beta_1^t), \qquad \alpha_t = \alpha^* \eta / \eta_0 \\
        \eta_t &= \operatorname{clamp}\left(\frac{\hat\eta_t}{\sqrt{v_t} + \epsilon},\
        \alpha_t \left(1 - \frac{1}{\gamma t + 1}\right),\ \alpha_t \left(1 + \frac{1}{\gamma t}\right)\right) \\
        \theta_t &= \theta_{t-1} - \eta_t m_t
        \end{aligned}

    The paper and its authors' code (https://github.com/Luolc/AdaBound) differ; its experiments are the code's,
    and so are these lines. The printed algorithm has neither bias corrections nor :math:`\epsilon`, and divides
    :math:`\eta_t` by :math:`\sqrt t`, which the code leaves to a schedule. A schedule changes ``lr`` alone, and
    :math:`\alpha_t` makes the bounds follow. For that, each group keeps its first learning rate as ``base_lr``,
    also in the state dictionary, where the authors' code forgets it when a run is resumed. A group that has one when
    it is added keeps it.

    Args:
        params: parameters, named parameters, or dictionaries that each define a parameter group with options
            of its own.
        lr: Adam's learning rate, more than 0 when a group is added, since the bounds are relative to it; later, a
            schedule may make it 0.
        betas: :math:`(\beta_1, \beta_2)`, each in [0, 1).
        final_lr: the rate to end at, more than 0; one for SGD with a momentum that is a mean of gradients, not
            a sum.
        gamma: how fast the bounds close, in (0, 1).
        eps: :math:`\epsilon > 0`.
        weight_decay: :math:`\lambda \ge 0`; :math:`\lambda \theta` is added to the gradient.
        maximize: ascend instead of descend.
        foreach, capturable, differentiable: as for :class:`~adai.optim.adai.Adai`.

    Raises:
        ValueError: a hyperparameter is outside its range.

    Luo, Xiong, Liu and Sun, *Adaptive Gradient Methods with Dynamic Bound of Learning Rate*, ICLR 2019.
    """

    _algorithm = "AdaBound"
    rule = staticmethod(reference.elementwise(reference.adabound))

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        final_lr: float = 0.1,
        gamma: float = 1e-3,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        options = {"lr": lr, "betas": betas, "final_lr": final_lr, "gamma": gamma, "eps": eps}
        paths = {"foreach": foreach, "capturable": capturable, "differentiable": differentiable}
        super().__init__(params, **options, weight_decay=weight_decay, maximize=maximize, **paths)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a parameter group; its bounds are relative to its ``base_lr`` or else to its present learning rate.

        Raises:
            ValueError: a hyperparameter is out of range, a parameter appears twice, or one holds integers; the
                optimizer has not changed.
            TypeError: a hyperparameter is no number, or a parameter is no tensor; likewise.
        """
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        group.setdefault("base_lr", float(group["lr"]))

    def _fitting_group(self, own: dict[str, Any], saved: dict[str, Any]) -> dict[str, Any]:
        if "base_lr" not in saved and "final_lr" in saved:  # else it is of another optimizer, which the base says
            raise ValueError("the state_dict is not one of AdaBound: its groups lack base_lr")
        return super()._fitting_group(own, saved)

    def _numbers(self, t: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        final = -group["final_lr"] * learning_rate(group) / group["base_lr"]
        elapsed = (group["gamma"] * t).clamp_min(torch.finfo(t.dtype).tiny)
        share = elapsed / (elapsed + 1)  # from 0 to 1; its inverse is 1 + 1 / elapsed
        return super()._numbers(t, group) | {"least": final * share, "largest": final / share}

    def _factors(self, lists: dict[str, list[Tensor]], group: dict[str, Any]) -> list[Tensor]:
        factors = super()._factors(lists, group)
        torch._foreach_clamp_max_(factors, lists["least"])
        torch._foreach_clamp_min_(factors, lists["largest"])
        return factors

    def _requirements(self, group: dict[str, Any]) -> Iterator[Requirement]:
        yield from super()._requirements(group)
        first, final_lr, gamma = group.get("base_lr"), group["final_lr"], group["gamma"]
        if first is None:  # the bounds will be relative to lr; later, a schedule may make that 0
            yield "lr", group["lr"], bool(group["lr"] > 0), "0 < lr < inf"
        else:
            yield "base_lr", first, 0 < first < math.inf, "0 < base_lr < inf"
        yield "final_lr", final_lr, 0 < final_lr < math.inf, "0 < final_lr < inf"
        yield "gamma", gamma, 0 < gamma < 1, "0 < gamma < 1"
