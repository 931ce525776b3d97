"""Adam's moments, for the optimizers that differ from Adam in how they use them."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from adai.optim.base import Active, DenseOptimizer, Requirement, learning_rate
from adai.optim.batches import batched, one_minus_power, precise

__all__ = ["AdamLike"]


class AdamLike(DenseOptimizer):
    r"""The base of AdaBound, Padam and Yogi: Adam's moments, over lists of tensors.

    Adam's bias corrections are one factor on the learning rate, and :math:`\epsilon` joins the root of the
    uncorrected :math:`v_t`, as in Section 2 of Kingma and Ba (2015) and in the authors' code of AdaBound and Padam.
    :class:`torch.optim.Adam` adds it to the root of the corrected one. Not for use by itself.
    """

    def _update(self, active: list[Active]) -> None:
        for batch in batched(active):
            torch._foreach_add_(batch["step"], 1)
            t = torch.stack(batch["step"]).to(batch.params[0].device, precise(batch.params[0].dtype), non_blocking=True)
            numbers = {name: list(of_each.unbind()) for name, of_each in self._numbers(t, batch.group).items()}
            lists = {"param": batch.params, "grad": batch.grads} | batch.states | numbers
            for _, pieces in batch.pieces(*lists.values()):
                self._move(dict(zip(lists, pieces, strict=True)), batch.group)

    def _move(self, lists: dict[str, list[Tensor]], group: dict[str, Any]) -> None:
        grads = self._descent(lists["param"], lists["grad"], group)
        beta1, beta2 = group["betas"]
        torch._foreach_lerp_(lists["exp_avg"], grads, 1 - beta1)
        self._accumulate(lists["exp_avg_sq"], grads, beta2)
        torch._foreach_addcmul_(lists["param"], self._factors(lists, group), lists["exp_avg"])

    # AdaBound, Padam and Yogi override some of these.

    def _numbers(self, t: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        """Return what is one number for each tensor, as vectors, after t steps of each tensor.

        The rate is minus the learning rate with both bias corrections.
        """
        beta1, beta2 = group["betas"]
        return {"rate": -learning_rate(group) * one_minus_power(beta2, t).sqrt() / one_minus_power(beta1, t)}

    def _accumulate(self, exp_avg_sqs: list[Tensor], grads: list[Tensor], beta2: float) -> None:
        torch._foreach_mul_(exp_avg_sqs, beta2)
        torch._foreach_addcmul_(exp_avg_sqs, grads, grads, value=1 - beta2)

    def _factors(self, lists: dict[str, list[Tensor]], group: dict[str, Any]) -> list[Tensor]:
        """Return what the first moments, times this, add to the parameters."""
        return list(torch._foreach_div(lists["rate"], _roots(lists["exp_avg_sq"], group["eps"])))

    def _requirements(self, group: dict[str, Any]) -> Iterator[Requirement]:
        yield from super()._requirements(group)
        (beta1, _), eps = group["betas"], group["eps"]
        yield "beta1 (betas[0])", beta1, 0 <= beta1 < 1, "0 <= beta1 < 1"
        yield "eps", eps, 0 < eps < math.inf, "0 < eps < inf"


def _roots(exp_avg_sqs: list[Tensor], eps: float) -> list[Tensor]:
    """Return sqrt(v) + eps of each tensor."""
    # In half precision, eps alone might round to 0, and a gradient of 0 would give 0/0.
    eps = max(eps, torch.finfo(exp_avg_sqs[0].dtype).tiny)
    results = list(torch._foreach_sqrt(exp_avg_sqs))
    torch._foreach_add_(results, eps)
    return results
