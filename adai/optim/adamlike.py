"""Adam's moments, for the optimizers that differ from Adam in how they use them."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from adai.optim.base import Active, DenseOptimizer, Requirement, learning_rate
from adai.optim.batches import batched, precise

__all__ = ["AdamLike"]


class AdamLike(DenseOptimizer):
    r"""The base of AdaBound, Padam and Yogi: Adam's moments, over lists of tensors.

    Adam's bias corrections are one factor on the learning rate, and :math:`\epsilon` joins the root of the
    uncorrected :math:`v_t`, as in Section 2 of Kingma and Ba (2015) and in the authors' code of AdaBound and Padam.
    :class:`torch.optim.Adam` adds it to the root of the corrected one. Not for use by itself.
    """

    def _update(self, active: list[Active]) -> None:
        for batch in batched(active):
            grads = self._descent(batch.params, batch.grads, batch.group)
            for part in batch.parts():
                states = {name: tensors[part] for name, tensors in batch.states.items()}
                self._move(batch.params[part], grads[part], states, batch.group)

    def _move(
        self, params: list[Tensor], grads: list[Tensor], states: dict[str, list[Tensor]], group: dict[str, Any]
    ) -> None:
        beta1, beta2 = group["betas"]
        torch._foreach_add_(states["step"], 1)
        t = torch.stack(states["step"]).to(params[0].device, precise(params[0].dtype), non_blocking=True)
        torch._foreach_lerp_(states["exp_avg"], grads, 1 - beta1)
        self._accumulate(states["exp_avg_sq"], grads, beta2)
        rates = learning_rate(group) * _one_minus_power(beta2, t).sqrt() / _one_minus_power(beta1, t)
        lengths = list(torch._foreach_div(rates.unbind(), self._denominators(states, group)))
        self._bound(lengths, t, group)
        torch._foreach_addcmul_(params, lengths, states["exp_avg"], value=-1)

    # AdaBound, Padam and Yogi each override one of these.

    def _accumulate(self, exp_avg_sqs: list[Tensor], grads: list[Tensor], beta2: float) -> None:
        torch._foreach_mul_(exp_avg_sqs, beta2)
        torch._foreach_addcmul_(exp_avg_sqs, grads, grads, value=1 - beta2)

    def _denominators(self, states: dict[str, list[Tensor]], group: dict[str, Any]) -> list[Tensor]:
        return _roots(states["exp_avg_sq"], group["eps"])

    def _bound(self, lengths: list[Tensor], t: Tensor, group: dict[str, Any]) -> None:
        """Change the learning rates of single elements in place, after t steps of each tensor."""

    def _requirements(self, group: dict[str, Any]) -> Iterator[Requirement]:
        yield from super()._requirements(group)
        (beta1, _), eps = group["betas"], group["eps"]
        yield "beta1 (betas[0])", beta1, 0 <= beta1 < 1, "0 <= beta1 < 1"
        yield "eps", eps, 0 < eps < math.inf, "0 < eps < inf"


def _one_minus_power(beta: float, t: Tensor) -> Tensor:
    """Return 1 - beta^t, which in float32 would lose most of its digits if it were computed as written."""
    return -torch.expm1(t * (math.log(beta) if beta else -math.inf))


def _roots(exp_avg_sqs: list[Tensor], eps: float) -> list[Tensor]:
    """Return sqrt(v) + eps of each tensor."""
    # In half precision, eps alone might round to 0, and a gradient of 0 would give 0/0.
    eps = max(eps, torch.finfo(exp_avg_sqs[0].dtype).tiny)
    results = list(torch._foreach_sqrt(exp_avg_sqs))
    if torch.is_grad_enabled():  # autograd still needs them
        return list(torch._foreach_add(results, eps))
    torch._foreach_add_(results, eps)
    return results
