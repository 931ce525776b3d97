"""Adai: momentum whose inertia adapts to every parameter.

Written to be read: `Adai._reduce` and `Adai._move` are the algorithm line by line, over lists of tensors.
A quarter of the file is the class's part of the book's API page.
"""

import functools
import math
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from adai.optim import batches, fused, reference
from adai.optim.base import Active, DenseOptimizer, Requirement, learning_rate
from adai.optim.batches import Batch, batched

__all__ = ["Adai"]

_STEPS_BETWEEN_LOOKS = 100
"""Steps after which it is looked again whether corrections are spent."""


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

    **Several processes.** DDP needs nothing. The mean of parameters that FSDP2 (``fully_shard``) shards is taken over
    all shards, by one all-reduce of a number. Whatever else gives each process other parameters needs ``mean_over``,
    the process group to take the mean over: without it, each process takes its own, which is another optimizer.
    ``FullyShardedDataParallel`` without it is an error. ``ZeroRedundancyOptimizer`` cannot be seen from inside; since
    it would save the process group, give it the class with the argument filled in, as
    ``functools.partial(Adai, mean_over=torch.distributed.group.WORLD)``.

    **Overflow and underflow.** Where a squared gradient is infinite or NaN, so is :math:`\bar v_t`, which is one for
    all: every parameter becomes NaN in that step. :class:`torch.amp.GradScaler` skips such a step. In pure float16,
    :math:`v_t` of gradients below some 0.002 is 0, and where that is so everywhere, every inertia is
    :math:`1 - \epsilon`. Keep the parameters in float32, or scale the loss: Adai does not mind.

    **Loading.** A state of Adai of the authors' code or of pytorch_optimizer is taken up, and goes on as there; where
    that cannot be, an error says why.

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
        foreach: True moves all tensors by the same few calls; False moves one after the other. None, the fastest
            without a compiler, moves all together on a GPU; on a CPU as many as stay in its cache, and a larger one in
            pieces.
        fused: pass over memory twice in a step. On a CPU that is a kernel in C++ for float32 and float64, which g++,
            clang++ or what the environment variable ``CXX`` names compiles in some seconds, once for all; it is kept in
            ``~/.cache/adai``. It gains with small tensors and with large ones. On a GPU it is the step as
            :func:`torch.compile` makes it, which takes a fraction of a second for each tensor, once for a list of
            shapes; where a gradient is missing that was there before, the step of its group is not compiled. With
            other types it gains nothing, and on a GPU little where tensors are small.
        capturable: read no number from a device, so that a CUDA graph may contain the step. Then ``lr`` may be a
            tensor on the device.
        differentiable: let autograd follow the step to ``lr``, ``betas``, ``eps`` and ``weight_decay``, which may be
            tensors, and to the gradients. The step is that of :mod:`adai.optim.reference`, which is slow. It writes to
            the parameters: compute a loss whose gradients are differentiated again from clones of them. The state
            carries the graph on; detach its tensors where the graph shall end.
        mean_over: a process group whose processes have other parameters; the mean is taken over all of them, and each
            process takes every step, even without a gradient.

    Raises:
        ValueError: a hyperparameter is outside its range, ``fused`` is given with ``foreach`` or ``differentiable``,
            ``differentiable`` with ``mean_over``, or ``mean_over`` is missing or stands in a parameter group.
        RuntimeError: ``fused=True``, and there is no C++ compiler.

    Note:
        The state of a parameter is ``step`` and, each of the parameter's shape, ``exp_avg`` (:math:`m`),
        ``exp_avg_sq`` (:math:`v`) and ``bias_correction1`` (:math:`1 - \prod \beta_1`, kept in place of the product,
        which starts so near 1 that rounding would eat the difference). That is 12 bytes for each float32 element. Once
        ``bias_correction1`` has become 1 everywhere, after some 14,000 steps at ``eps`` = 0.001, memory holds a single
        1 that is expanded to the shape, and 8 bytes remain; ``state_dict()`` has it in full. With fewer digits than
        float32's it never becomes 1, and stays. To write to single elements of a state in place, then first give it
        ``bias_correction1`` in full, ``torch.ones_like(param)``; a step says so where it was forgotten. The kernel of
        ``fused`` sees by torch's count of writings that another has changed ``exp_avg_sq``; what is written through
        ``.data`` or NumPy enters the mean one step late.

    Xie, Wang, Zhang, Sato and Sugiyama, *Adaptive Inertia: Disentangling the Effects of Adaptive Learning
    Rate and Momentum*, ICML 2022.
    """

    _algorithm = "Adai"
    rule = staticmethod(reference.adai)
    _state_names = ("step", "exp_avg", "exp_avg_sq", "bias_correction1")
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
        if mean_over is not None and options["differentiable"]:
            raise ValueError("differentiable=True follows the parameters of one process, without mean_over")
        self.mean_over = mean_over
        # Not among the defaults: OneCycleLR and CyclicLR would take it for a momentum and cycle beta0.
        self._betas = options.pop("betas")
        self._steps = 0
        self._compiled_moves = fused.CompiledMoves()
        self._kernels: list[fused.Kernel | None] = []
        super().__init__(params, **options)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a parameter group, with options of its own or the optimizer's defaults.

        Raises:
            ValueError: a hyperparameter is out of range, a parameter appears twice, one holds integers, or one is a
                shard that cannot be seen as such; the optimizer has not changed.
            TypeError: a hyperparameter is no number, or a parameter is no tensor; likewise.
            RuntimeError: ``fused=True``, and there is no C++ compiler.
        """
        if "mean_over" in param_group:
            raise ValueError(
                "mean_over is an argument of the optimizer, not an option of a group. ZeroRedundancyOptimizer makes it "
                "one, and then cannot save it; give it the class with the argument filled in: "
                f"functools.partial({type(self).__name__}, mean_over=...)"
            )
        if param_group.get("fused", self.defaults["fused"]):
            fused.require_compiler()
        self._require_in_range({**self.defaults, "betas": self._betas, **param_group})
        param_group.setdefault("betas", self._betas)
        super().add_param_group(param_group)

    def _require_parameters(self, params: list[Tensor]) -> None:
        super()._require_parameters(params)
        if self.mean_over is None:
            batches.refuse_unseen_shards(params)

    def __getstate__(self) -> dict[str, Any]:
        group = self.mean_over and batches.name_of(self.mean_over)
        return super().__getstate__() | {"mean_over": group, "_betas": self._betas}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if isinstance(group := state.get("mean_over"), str):
            state = state | {"mean_over": batches.group_named(group)}
        super().__setstate__(state)
        self._steps = int(max((float(one["step"]) for one in self.state.values() if "step" in one), default=0))
        self._compiled_moves, self._kernels = fused.CompiledMoves(), []

    # The algorithm, over lists of tensors: `_reduce` reads every gradient once, `_move` is elementwise.

    def _update(self, active: list[Active]) -> None:
        together = batched(active)
        self._choose_paths(together)
        for batch in together:
            self._reduce(batch)
        v_bar = batches.mean_of(together, self.mean_over, self._first_parameter())
        for batch in together:
            lr, options = learning_rate(batch.group), {name: batch.group[name] for name in self._hyperparameters}
            if batch.kernel:
                decoupled = options["weight_decay"] if self._decoupled_weight_decay else 0.0
                batch.kernel.move(batch, float(v_bar), float(lr), options, decoupled)
                continue
            lists = [batch.params, batch.grads, *(batch[name] for name in self._moved), self._scales(batch, v_bar)]
            move: Any = functools.partial(self._compiled_moves, type(self)) if batch.compiled else self._move
            for _, (params, grads, *others) in batch.pieces(*lists):
                move(params, self._descent(params, grads, batch.group) if batch.is_cut else grads, *others, lr, options)
        if torch.compiler.is_compiling():
            return  # torch.compile of 2.11 cannot set an optimizer's attributes; spent corrections then stay
        self._steps += 1
        if self._steps % _STEPS_BETWEEN_LOOKS == 0:
            self._retire_corrections()

    def _choose_paths(self, together: list[Batch]) -> None:
        if torch.compiler.is_compiling():
            return
        kernels: list[fused.Kernel | None] = []
        for batch, last in zip_longest(together, self._kernels[: len(together)]):
            if batch.group["fused"]:
                batch.kernel = fused.Kernel.of(batch, last)
                batch.compiled = not fused.is_for_cpu(batch.params[0]) and self._none_missing(batch.group)
                batch.l2 = 0.0 if self._decoupled_weight_decay else batch.group["weight_decay"]
                if batch.kernel is None:
                    self._require_own_shapes(batch.params, batch.states)
            if batch.kernel is None:
                batches.require_unwritten(list(filter(batches.is_spent, batch["bias_correction1"])))
            kernels.append(batch.kernel)
        self._kernels = kernels

    def _none_missing(self, group: dict[str, Any]) -> bool:
        """Return whether all that ever had a gradient have one, so that no other list of tensors must be compiled."""
        return all(param.grad is not None for param in group["params"] if self.state.get(param))

    def _reduce(self, batch: Batch) -> None:
        """Count the step, and set the batch's sum of all v / (1 - beta2^t); v itself is updated by the move."""
        group, (_, beta2) = batch.group, batch.group["betas"]
        if batch.kernel:
            batch.total = torch.tensor(batch.kernel.moments(batch, beta2), dtype=torch.float64)
            return
        if not batch.is_cut:
            batch.grads = self._descent(batch.params, batch.grads, group)
        one = torch.ones_like(batch["step"][0])
        torch._foreach_add_(batch["step"], [one] * len(batch["step"]))
        if batch.compiled:  # v is updated when all else is; its sum is a running mean of sums of g^2, as v is of g^2
            before = torch.stack(batches.sums(batch["exp_avg_sq"]))
            batch.total = self._unbiased(batch, torch.lerp(before, batches.sums_of_squares(batch.grads), 1 - beta2))
            return
        sums: list[Tensor] = []
        for place, (params, grads, exp_avg_sqs) in batch.pieces(batch.params, batch.grads, batch["exp_avg_sq"]):
            if batch.is_cut:  # again in the move, so that there is no gradient more in memory
                grads = self._descent(params, grads, group)
            self._accumulate(exp_avg_sqs, grads, beta2)
            found = batches.sums(exp_avg_sqs, group["foreach"])
            if place < len(sums):  # another piece of the last tensor
                sums[-1] = sums[-1] + found[0]
            else:
                sums += found
        batch.total = self._unbiased(batch, torch.stack(sums))

    @staticmethod
    def _accumulate(exp_avg_sqs: list[Tensor], grads: list[Tensor], beta2: float | Tensor) -> None:
        if isinstance(beta2, Tensor):  # for the compiler, which makes one pass of any number of operations
            _lerp_(exp_avg_sqs, list(torch._foreach_mul(grads, grads)), [1 - beta2] * len(grads))
            return
        # For many small tensors, _foreach_mul_ is faster with a tensor than with a number.
        as_tensor = torch.full((), beta2, dtype=batches.precise(grads[0].dtype), device=grads[0].device)
        torch._foreach_mul_(exp_avg_sqs, as_tensor)
        torch._foreach_addcmul_(exp_avg_sqs, grads, grads, value=1 - beta2)

    @staticmethod
    def _unbiased(batch: Batch, sums: Tensor) -> Tensor:
        """Return the sum of all v / (1 - beta2^t), given the sum of each tensor's v; keep the factors for the move."""
        t = torch.stack(batch["step"]).to(sums.device, sums.dtype, non_blocking=True)
        batch.unbias = batches.one_minus_power(batch.group["betas"][1], t).reciprocal()
        return sums.dot(batch.unbias)

    def _first_parameter(self) -> Tensor | None:
        return next((param for group in self.param_groups for param in group["params"]), None)

    def _scales(self, batch: Batch, v_bar: Tensor) -> list[Tensor]:
        """Return the factor that turns each tensor's v into 1 - beta1: beta0 over bias correction and mean."""
        factor = self._beta0_factor(batch.group)
        scales = batch.unbias / v_bar.to(batch.unbias)
        # Where the mean is 0 every v is 0, and so must be the product, which it is not if a scale is infinite.
        scales = scales.clamp_max(torch.finfo(scales.dtype).max / max(2 * factor, 1)) * factor
        return list(scales.unbind())

    @classmethod
    def _accumulate_and_move(cls, *arguments: Any) -> None:
        """Take the part of a step that is compiled as one; the arguments are those of `_move`."""
        _, grads, _, exp_avg_sqs, _, _, _, options = arguments
        cls._accumulate(exp_avg_sqs, grads, options["betas"][1])
        cls._move(*arguments)

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
        # Not beta1 itself: in bfloat16, 1 - eps would round to 1.
        one_minus_beta1 = cls._one_minus_beta1(exp_avg_sqs, scales, options)
        # 1 - prod(beta1) grows by (1 - beta1) prod(beta1): again the running mean with every gradient replaced by 1.
        # One that is spent has become 1, and a division by it gives the same bits as before.
        alive = [index for index, correction in enumerate(corrections1) if not batches.is_spent(correction)]
        growing, weights = [[tensors[index] for index in alive] for tensors in (corrections1, one_minus_beta1)]
        if params[0].device.type == "cpu" and alive:
            one = torch.ones_like(scales[0], dtype=params[0].dtype)
            _lerp_(growing, [one] * len(growing), weights)
        elif alive:  # a GPU takes tensors of one shape by one kernel, and others one after the other
            torch._foreach_addcmul_(growing, growing, weights, value=-1)
            torch._foreach_add_(growing, weights)
        cls._average_(exp_avgs, grads, one_minus_beta1, options)
        decay = options["weight_decay"]
        if cls._decoupled_weight_decay and (isinstance(decay, Tensor) or decay):
            _subtract(params, params, lr * decay)
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
    def _average_(
        cls, exp_avgs: list[Tensor], grads: list[Tensor], one_minus_beta1: list[Tensor], options: dict[str, Any]
    ) -> None:
        """Update m; what is left in the place of 1 - beta1 is not needed any more."""
        _lerp_(exp_avgs, grads, one_minus_beta1)

    def inertia(self) -> Iterator[tuple[Tensor, Tensor]]:
        r"""Return every parameter that has had a gradient, with its present :math:`\beta_1`.

        It is computed from the state, so nothing is stored for it. Here :math:`\bar v` is the mean over all of
        these parameters; if each had a gradient in the last step, as is usual, the result is the
        :math:`\beta_{1,t}` of that step. :math:`\beta_1` has the parameter's shape and, for a complex
        parameter, a further last dimension of 2 (real part, imaginary part); of a parameter that FSDP2 shards, it is
        sharded alike. Where parameters are shared out among processes, all of them must call this.
        """
        active = []
        for group in self.param_groups:
            if params := [param for param in group["params"] if self.state.get(param)]:
                states = {name: [self.state[param][name] for param in params] for name in self._state_names}
                active.append(Active(group, params, params, states))
        together = batched(active)
        for batch in together:
            batch.total = self._unbiased(batch, torch.stack(batches.sums(batch["exp_avg_sq"])))
        v_bar = batches.mean_of(together, self.mean_over, self._first_parameter())
        return (
            (param, batches.sharded_as(param, 1 - one_minus_beta1))
            for batch in together
            for param, v, scale in zip(batch.whole, batch["exp_avg_sq"], self._scales(batch, v_bar), strict=True)
            for one_minus_beta1 in self._one_minus_beta1([v], [scale], batch.group)
        )

    def _requirements(self, group: dict[str, Any]) -> Iterator[Requirement]:
        yield from super()._requirements(group)
        (beta0, _), eps = group["betas"], group["eps"]
        yield "beta0 (betas[0])", beta0, 0 <= beta0 < math.inf, "0 <= beta0 < inf"
        yield "eps", eps, 0 < eps <= 1, "0 < eps <= 1"
        foreach, fused, differentiable = group["foreach"], group["fused"], group["differentiable"]
        yield "fused", fused, not (fused and (foreach or differentiable)), "fused without foreach and differentiable"

    def state_dict(self) -> dict[str, Any]:
        """Return the state and the parameter groups, as torch documents, for `load_state_dict`.

        Every tensor but ``step`` has its parameter's shape, and each element a place in memory, also where a correction
        is spent.
        """
        first = self.register_state_dict_post_hook(_with_full_corrections, prepend=True)
        try:
            return super().state_dict()
        finally:
            first.remove()

    def _fitting_group(self, own: dict[str, Any], saved: dict[str, Any]) -> dict[str, Any]:
        if saved.get("foreach"):  # which excludes it, whatever the optimizer's own option is
            saved = {"fused": False} | saved
        group = super()._fitting_group(own, saved)
        return group | {"fused": group["fused"] and fused.has_compiler()}

    def _fitting_state(self, param: Tensor, index: int, saved: dict[str, Any], group: dict[str, Any]) -> dict[str, Any]:
        if "exp_avg_sq_sum" in saved:  # of version 0.1, which also kept a spent correction without dimensions
            saved = {name: value for name, value in saved.items() if name != "exp_avg_sq_sum"}
        correction, full = saved.get("bias_correction1"), torch.empty_like(param.detach())
        if isinstance(correction, Tensor) and batches.is_spent(correction) and correction.shape == param.shape:
            saved = saved | {"bias_correction1": full.copy_(correction)}
        elif isinstance(correction, Tensor) and param.dim() and not correction.dim() and correction.real == 1:
            saved = saved | {"bias_correction1": batches.ones_like(full)}
        return super()._fitting_state(param, index, saved, group)

    def _retire_corrections(self) -> None:
        """Keep each 1 - prod(beta1) that is 1 everywhere as a single 1, which frees a third of the state."""
        for group in self.param_groups:
            states = [(param, self.state[param]) for param in group["params"] if self.state.get(param)]
            waiting = [one for one in states if not batches.is_spent(one[1]["bias_correction1"])]
            complete = [one for one in waiting if self._is_complete(one[1]["bias_correction1"], group)]
            # What torch.compile makes of a step is compiled again for it, so that is done once, for the whole group.
            if len(complete) == len(waiting) or not group["fused"] or fused.is_for_cpu(states[0][0]):
                for param, state in complete:
                    state["bias_correction1"] = batches.spent_correction(param)

    def _is_complete(self, held: Tensor, group: dict[str, Any]) -> bool:
        """Return whether a correction is 1 everywhere; where only rounding keeps it from that, lead it on."""
        correction = batches.local_real(held)
        rounding = torch.finfo(correction.dtype).eps
        # So near to 1 the increments, eps (1 - correction) at the least, round to nothing.
        stalled = min(rounding / 4 / group["eps"], 2**-12)
        # With fewer digits than float32's it never comes so near, and only the quotient with exp_avg is right.
        fixed = group["capturable"] or group["differentiable"] or rounding > 2**-23
        if fixed or (1 - group["eps"]) ** self._steps > stalled:
            return False
        missing = 1 - correction.min().item() if correction.numel() else 0
        if 0 < missing <= stalled:
            correction.add_(8 * rounding).clamp_max_(1)  # which changes a step by a millionth
        return missing == 0


def _with_full_corrections(_: Any, given: dict[str, Any]) -> dict[str, Any]:
    states = {}
    for key, state in given["state"].items():
        states[key] = state
        correction = state.get("bias_correction1") if isinstance(state, dict) else None
        if isinstance(correction, Tensor) and batches.is_spent(correction):
            alike = correction.shape == state["exp_avg"].shape  # and laid out alike, unless one was changed by hand
            full = torch.empty_like(state["exp_avg"]).copy_(correction) if alike else correction.contiguous()
            states[key] = state | {"bias_correction1": full}
    return given | {"state": states}


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
    torch._foreach_clamp_min_(one_minus_beta1, batches.for_each(one_minus_beta1, options["eps"]))
    torch._foreach_clamp_max_(one_minus_beta1, 1)
    if one_minus_beta1[0].dtype != like[0].dtype:
        one_minus_beta1 = [one.to(like[0].dtype) for one in one_minus_beta1]
    return one_minus_beta1
