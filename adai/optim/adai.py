"""Adai: momentum whose inertia adapts to every parameter.

Written to be read: `Adai._reduce` and `Adai._move` are the algorithm line by line, over lists of tensors.
A quarter of the file is the class's part of the book's API page.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from adai.optim.base import Active, DenseOptimizer, Requirement, as_real, learning_rate
from adai.optim.batches import Batch, batched, mean_of, precise, refuse_unseen_shards, sums_of_squares
from adai.optim.compiled import compiled_move, require_compiler

__all__ = ["Adai"]


class Adai(DenseOptimizer):
    r"""Adaptive inertia with :math:`L_2` regularisation (Algorithm 2 of the paper).

    Adai is SGD with momentum in which every element of every parameter has its own :math:`\beta_1`. Adam lets
    the second moment of an element's gradient set its learning rate; Adai keeps one learning rate for all and
    lets the second moment set how long a gradient is remembered: briefly where gradients are large, long
    where they are small.

    With :math:`g_t` the gradient, :math:`\eta` = ``lr``, :math:`(\beta_0, \beta_2)` = ``betas``,
    :math:`\epsilon` = ``eps`` and :math:`\lambda` = ``weight_decay``, one step is

    .. math::
        \begin{aligned}
        g_t &\leftarrow g_t + \lambda \theta_{t-1} \\
        v_t &= \beta_2 v_{t-1} + (1 - \beta_2) g_t^2, \qquad \hat v_t = v_t / (1 - \beta_2^t) \\
        \bar v_t &= \operatorname{mean}(\hat v_t) \\
        \beta_{1,t} &= \operatorname{clamp}\left(1 - \beta_0 \hat v_t / \bar v_t,\ 0,\ 1 - \epsilon\right) \\
        m_t &= \beta_{1,t} m_{t-1} + (1 - \beta_{1,t}) g_t, \qquad
        \hat m_t = m_t / \left(1 - \textstyle\prod_{z=1}^{t} \beta_{1,z}\right) \\
        \theta_t &= \theta_{t-1} - \eta \hat m_t
        \end{aligned}

    where everything is elementwise except the mean. Where the paper leaves room, this is how it is read:

    * :math:`\bar v_t` is one number: the mean over all elements, of all parameter groups, that have a
      gradient in this step. The parameters of one optimizer are therefore coupled: sharing them out between
      two optimizers changes the result.
    * :math:`t` counts the steps in which the parameter had a gradient. In a step without one, the parameter and
      its state stay as they are.
    * While every gradient so far was zero, :math:`\hat v_t / \bar v_t` is 0/0 and is taken as 0. Then
      :math:`\beta_{1,t} = 1 - \epsilon`, as for any element whose own gradients were all zero; :math:`m_t`
      stays 0, nothing moves but by weight decay, and later gradients find the state in order.
    * A complex parameter is two real ones, as in :class:`torch.optim.Adam`: its real and imaginary parts have
      an inertia each, and it counts as two elements in the mean.

    Only the ratio :math:`\hat v_t / \bar v_t` enters, so multiplying all gradients by :math:`s` and dividing
    ``lr`` by :math:`s` changes nothing (without weight decay).

    **Choosing lr.** :math:`\hat m_t` is a weighted mean of gradients. In :class:`torch.optim.SGD` momentum is
    a sum, so its learning rate :math:`\eta` at momentum :math:`\mu` compares to
    ``lr`` :math:`= \eta / (1 - \mu)` here: 0.1 and 0.9 give 1, the default. Adam's learning rate is a length
    per step, whatever the size of the gradient; it says nothing about a good one for Adai.

    **Schedulers.** ``betas[0]`` is :math:`\beta_0`, not a momentum, so it is kept from schedulers that cycle one:
    :class:`~torch.optim.lr_scheduler.OneCycleLR` raises an error unless ``cycle_momentum=False``.

    **Several processes.** DDP needs nothing. The mean of parameters that FSDP2 shards is taken over all shards, by one
    all-reduce of a number for each tensor. :class:`~torch.distributed.optim.ZeroRedundancyOptimizer` gives each process
    other parameters: pass ``mean_over``.

    **Overflow.** Where a squared gradient is infinite or NaN, so is :math:`\bar v_t`, which is one for all: every
    parameter becomes NaN in that step. :class:`torch.amp.GradScaler` skips such a step.

    Args:
        params: parameters, named parameters, or dictionaries that each define a parameter group with options
            of its own.
        lr: learning rate, 0 or more; 1 in the paper's image experiments (Appendix D.1).
        betas: :math:`(\beta_0, \beta_2)`. An element whose :math:`\hat v` is average has inertia
            :math:`1 - \beta_0`, where :math:`\beta_0 \ge 0`; :math:`\beta_2` in [0, 1) is the memory of the
            second moment. The defaults are the paper's (Section 5).
        eps: the least :math:`1 - \beta_1`, in (0, 1]: it bounds the inertia (0.001 in Section 5). Not 0, at
            which an element whose gradients were all zero would have :math:`\hat m_t` = 0/0.
        weight_decay: :math:`\lambda \ge 0`, added to the gradient before anything else is done with it.
        maximize: ascend instead of descend.
        foreach: True moves all tensors by the same few calls; False moves one after the other, which needs the least
            memory. None, the fastest without a compiler, moves all together on a GPU, and on a CPU as many as stay in
            its cache.
        fused: compile the step (:func:`torch.compile`), so that it passes once over memory. That takes a fraction of a
            second for each tensor, once for each setting. Where a gradient is missing that was there before, the step
            of its group is not compiled, since each list of tensors would have to be compiled by itself.
        capturable: read no number from a device, so that a CUDA graph may contain the step. Then ``lr`` may be a
            tensor on the device.
        differentiable: let autograd follow the step, as when a learning rate is learned.
        mean_over: a process group whose processes have other parameters; the mean is taken over all of them.

    Raises:
        ValueError: a hyperparameter is outside its range, ``fused`` is given with ``foreach`` or ``differentiable``,
            or ``mean_over`` is missing inside :class:`~torch.distributed.optim.ZeroRedundancyOptimizer`.
        RuntimeError: ``fused=True``, and there is no C++ compiler.

    Note:
        The state of a parameter is ``step``, ``exp_avg`` (:math:`m`), ``exp_avg_sq`` (:math:`v`),
        ``bias_correction1`` (:math:`1 - \prod \beta_1`, kept in place of the product, which starts so near 1
        that rounding would eat the difference) and the pair ``exp_avg_sq_sum`` (the sum of :math:`v`, which saves a
        pass over it, and :math:`1 - \beta_2^t`). That is 12 bytes for each float32 element. Once
        ``bias_correction1`` must have become 1, after some 17,000 steps at ``eps`` = 0.001, it shrinks to one
        number, and 8 bytes remain; with fewer digits than float32's it never becomes 1, and stays.

    Xie, Wang, Zhang, Sato and Sugiyama, *Adaptive Inertia: Disentangling the Effects of Adaptive Learning
    Rate and Momentum*, ICML 2022.
    """

    _state_names = ("step", "exp_avg", "exp_avg_sq", "bias_correction1", "exp_avg_sq_sum")
    _beta_names = ("beta0", "beta2")
    _moved = ("exp_avg", "exp_avg_sq", "bias_correction1")
    _hyperparameters: tuple[str, ...] = ("betas", "eps", "weight_decay")

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        betas: tuple[float, float] = (0.1, 0.99),
        eps: float = 1e-3,
        weight_decay: float = 0.0,
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

    def _begin(
        self, params: ParamsT, mean_over: "torch.distributed.ProcessGroup | None", options: dict[str, Any]
    ) -> None:
        refuse_unseen_shards(mean_over)
        self.mean_over = mean_over
        # Not among the defaults: OneCycleLR and CyclicLR would take it for a momentum and cycle beta0.
        self._betas = options.pop("betas")
        self._steps = 0
        super().__init__(params, **options)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a parameter group, with options of its own or the optimizer's defaults.

        Raises:
            ValueError: a hyperparameter is out of range, a parameter appears twice, or one holds integers; the
                optimizer has not changed.
            TypeError: a hyperparameter is no number, or a parameter is no tensor; likewise.
            RuntimeError: ``fused=True``, and there is no C++ compiler.
        """
        super().add_param_group({"betas": self._betas, **param_group})

    def __getstate__(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("mean_over", "_betas", "_steps")}
        return super().__getstate__() | own

    # The algorithm, over lists of tensors: `_reduce` reads every gradient once, `_move` is elementwise.

    def _update(self, active: list[Active]) -> None:
        batches = batched(active)
        for batch in batches:
            self._reduce(batch)
        v_bar = self._mean(batches)
        for batch in batches:
            lists = (batch.params, batch.grads, *(batch[name] for name in self._moved), self._scales(batch, v_bar))
            lr, options = learning_rate(batch.group), {name: batch.group[name] for name in self._hyperparameters}
            compiled = batch.group["fused"] and self._none_missing(batch.group)
            for part in batch.parts(compiled):
                move: Callable[..., None] = self._move
                if compiled:
                    kind: Any = type(self)  # mypy takes no class for hashable
                    shapes = tuple(param.shape for param in batch.params[part])
                    move = compiled_move(kind, shapes, str(options))
                move(*(tensors[part] for tensors in lists), lr, options)
        if torch.compiler.is_compiling():
            return  # torch.compile of 2.11 cannot set an optimizer's attributes; spent corrections then stay
        self._steps += 1
        if self._steps % 1000 == 0:
            self._drop_spent_corrections()

    def _none_missing(self, group: dict[str, Any]) -> bool:
        """Return whether all that ever had a gradient have one, so that no other list of tensors must be compiled."""
        return all(param.grad is not None for param in group["params"] if self.state.get(param))

    def _reduce(self, batch: Batch) -> None:
        """Update the sum of each tensor's v, and 1 - beta2^t.

        The first is a running mean of the sums of g^2, as v is of g^2; the second is the same with each gradient 1.
        """
        beta2 = batch.group["betas"][1]
        batch.grads = self._descent(batch.params, batch.grads, batch.group)
        squares = batch.over_shards(sums_of_squares(batch.grads))
        pairs = torch.stack([squares, torch.ones_like(squares)], dim=1).unbind()
        torch._foreach_lerp_(batch["exp_avg_sq_sum"], list(pairs), 1 - beta2)
        one = torch.ones_like(batch["step"][0])
        torch._foreach_add_(batch["step"], [one] * len(batch["step"]))

    def _mean(self, batches: list[Batch]) -> Tensor:
        sums = []
        for batch in batches:
            totals, corrections2 = torch.stack(batch["exp_avg_sq_sum"]).unbind(1)
            batch.unbias = corrections2.reciprocal()
            sums.append(totals.dot(batch.unbias))
        return mean_of(zip(sums, (batch.elements for batch in batches), strict=True), self.mean_over)

    def _scales(self, batch: Batch, v_bar: Tensor) -> list[Tensor]:
        """Return the factor that turns each tensor's v into 1 - beta1: beta0 over bias correction and mean."""
        factor = self._beta0_factor(batch.group)
        scales = batch.unbias / v_bar.to(batch.unbias)
        # Where the mean is 0 every v is 0, and so must be the product, which it is not if a scale is infinite.
        scales = scales.clamp_max(torch.finfo(scales.dtype).max / max(2 * factor, 1)) * factor
        return list(scales.unbind())

    @classmethod
    def _move(
        cls,
        params: list[Tensor],
        grads: list[Tensor],
        exp_avgs: list[Tensor],
        exp_avg_sqs: list[Tensor],
        corrections1: list[Tensor],
        scales: list[Tensor],
        lr: float | Tensor,
        options: dict[str, Any],
    ) -> None:
        beta2 = options["betas"][1]
        # For many small tensors, _foreach_mul_ is faster with a tensor than with a number.
        torch._foreach_mul_(exp_avg_sqs, torch.full_like(scales[0], beta2))
        torch._foreach_addcmul_(exp_avg_sqs, grads, grads, value=1 - beta2)
        # Not beta1 itself: in bfloat16, 1 - eps would round to 1.
        one_minus_beta1 = cls._one_minus_beta1(exp_avg_sqs, scales, options)
        _lerp_(exp_avgs, cls._driving_gradients(grads, one_minus_beta1, options), one_minus_beta1)
        if options["weight_decay"] and cls._decoupled_weight_decay:
            decaying = [param.clone() for param in params] if torch.is_grad_enabled() else params  # autograd keeps them
            _subtract(params, decaying, lr * options["weight_decay"])
        if corrections1[0].shape != params[0].shape:  # long since 1
            _subtract(params, exp_avgs, lr)
            return
        # 1 - prod(beta1) grows by (1 - beta1) prod(beta1): again the running mean with every gradient replaced by 1.
        if params[0].device.type == "cpu" or torch.is_grad_enabled():
            one = torch.ones_like(scales[0], dtype=params[0].dtype)
            _lerp_(corrections1, [one] * len(corrections1), one_minus_beta1)
        else:  # a GPU takes tensors of one shape by one kernel, and others one after the other
            torch._foreach_addcmul_(one_minus_beta1, corrections1, one_minus_beta1, value=-1)
            torch._foreach_add_(corrections1, one_minus_beta1)
        if isinstance(lr, Tensor):
            _subtract(params, list(torch._foreach_div(exp_avgs, corrections1)), lr)
        else:
            torch._foreach_addcdiv_(params, exp_avgs, corrections1, value=-lr)

    # AdaiV2 overrides the next three.

    @staticmethod
    def _beta0_factor(group: dict[str, Any]) -> float:
        return float(group["betas"][0])

    @classmethod
    def _one_minus_beta1(cls, exp_avg_sqs: list[Tensor], scales: list[Tensor], options: dict[str, Any]) -> list[Tensor]:
        return _clamped(_scaled(exp_avg_sqs, scales), exp_avg_sqs, options)

    @classmethod
    def _driving_gradients(
        cls, grads: list[Tensor], one_minus_beta1: list[Tensor], options: dict[str, Any]
    ) -> list[Tensor]:
        return grads

    def inertia(self) -> Iterator[tuple[Tensor, Tensor]]:
        r"""Yield every parameter that has had a gradient, with its present :math:`\beta_1`.

        It is computed from the state, so nothing is stored for it. Here :math:`\bar v` is the mean over all of
        these parameters; if each had a gradient in the last step, as is usual, the result is the
        :math:`\beta_{1,t}` of that step. :math:`\beta_1` has the parameter's shape and, for a complex
        parameter, a further last dimension of 2 (real part, imaginary part).
        """
        batches = [
            (param, group, Batch(group, [param], [param], {name: [value] for name, value in self.state[param].items()}))
            for group in self.param_groups
            for param in group["params"]
            if self.state.get(param)
        ]
        v_bar = self._mean([batch for _, _, batch in batches])
        for param, group, batch in batches:
            (one_minus_beta1,) = self._one_minus_beta1(batch["exp_avg_sq"], self._scales(batch, v_bar), group)
            yield param, 1 - one_minus_beta1

    def _requirements(self, group: dict[str, Any]) -> Iterator[Requirement]:
        yield from super()._requirements(group)
        (beta0, _), eps = group["betas"], group["eps"]
        yield "beta0 (betas[0])", beta0, 0 <= beta0 < math.inf, "0 <= beta0 < inf"
        yield "eps", eps, 0 < eps <= 1, "0 < eps <= 1"
        foreach, fused, differentiable = group["foreach"], group["fused"], group["differentiable"]
        yield "fused", fused, not (fused and (foreach or differentiable)), "fused without foreach and differentiable"
        if fused:
            require_compiler()

    def _drop_spent_corrections(self) -> None:
        """Replace each 1 - prod(beta1) that must have become 1 by that one number: a third of the state."""
        for group in self.param_groups:
            if group["capturable"] or group["differentiable"]:
                continue
            for param in group["params"]:
                state = self.state.get(param)
                # No beta1 is above 1 - eps, and 1 - 2^-25 rounds to 1 in float32. With fewer digits it never becomes 1:
                # small increments are lost, as in exp_avg, and only the quotient of the two is right.
                single = torch.finfo(param.dtype).eps == 2**-23
                if state and single and (1 - group["eps"]) ** float(state["step"]) < 2**-25:
                    state["bias_correction1"] = torch.ones((), dtype=param.dtype, device=param.device)

    def _repair_state(self, param: Tensor, group: dict[str, Any], saved: dict[str, Any]) -> None:
        super()._repair_state(param, group, saved)
        state = self.state[param]
        if "exp_avg_sq_sum" in saved:
            # torch has given it the parameter's type.
            new = self._new_state(param, group)["exp_avg_sq_sum"]
            state["exp_avg_sq_sum"] = new.copy_(saved["exp_avg_sq_sum"])
        else:  # saved before there were sums
            v, beta2 = as_real(state["exp_avg_sq"]), group["betas"][1]
            v_sum = v.sum(dtype=precise(v.dtype))
            state["exp_avg_sq_sum"] = torch.stack([v_sum, 1 - beta2 ** state["step"].to(v_sum)])
        self._steps = max(self._steps, int(state["step"]))

    def _new_state(self, param: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        state = super()._new_state(param, group)
        state["exp_avg_sq_sum"] = torch.zeros(2, dtype=precise(param.dtype), device=param.device)
        return state


def _lerp_(tensors: list[Tensor], ends: list[Tensor], weights: list[Tensor]) -> None:
    if torch.compiler.is_compiling():  # which has no lerp of lists, and would take three passes for one
        torch._foreach_addcmul_(tensors, torch._foreach_sub(ends, tensors), weights)
    else:
        torch._foreach_lerp_(tensors, ends, weights)


def _subtract(params: list[Tensor], directions: list[Tensor], lr: float | Tensor) -> None:
    if isinstance(lr, Tensor):
        directions = list(torch._foreach_mul(directions, lr))
        torch._foreach_sub_(params, directions)
    else:
        torch._foreach_add_(params, directions, alpha=-lr)


def _scaled(exp_avg_sqs: list[Tensor], scales: list[Tensor]) -> list[Tensor]:
    if exp_avg_sqs[0].dtype != scales[0].dtype:  # half precision, in which a scale may overflow
        exp_avg_sqs = [v.to(scales[0].dtype) for v in exp_avg_sqs]
    return list(torch._foreach_mul(exp_avg_sqs, scales))


def _clamped(one_minus_beta1: list[Tensor], like: list[Tensor], options: dict[str, Any]) -> list[Tensor]:
    torch._foreach_clamp_min_(one_minus_beta1, options["eps"])
    torch._foreach_clamp_max_(one_minus_beta1, 1)
    if one_minus_beta1[0].dtype != like[0].dtype:
        one_minus_beta1 = [one.to(like[0].dtype) for one in one_minus_beta1]
    return one_minus_beta1
