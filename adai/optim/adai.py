"""Adai and AdaiW (also called AdaiS): momentum whose inertia adapts to every parameter.

Written for the reader: `Adai._update` is the algorithm line by line, one tensor at a time.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from adai.optim.base import Active, DenseOptimizer, Requirement, as_real

__all__ = ["Adai", "AdaiS", "AdaiW"]


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
    * :math:`t` counts the steps in which the parameter at hand had a gradient. In a step without one, the
      parameter and its state stay as they are.
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

    **Schedulers.** ``betas[0]`` is :math:`\beta_0`, not a momentum. Give
    :class:`~torch.optim.lr_scheduler.OneCycleLR` ``cycle_momentum=False``, or it overwrites it.

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

    Raises:
        ValueError: a hyperparameter is outside its range.

    Note:
        The state of a parameter is ``step``, ``exp_avg`` (:math:`m`), ``exp_avg_sq`` (:math:`v`) and
        ``bias_correction1`` (:math:`1 - \prod \beta_1`, kept in place of the product, which starts so near 1
        that rounding would eat the difference).

    Xie, Wang, Zhang, Sato and Sugiyama, *Adaptive Inertia: Disentangling the Effects of Adaptive Learning
    Rate and Momentum*, ICML 2022.
    """

    _state_names = ("exp_avg", "exp_avg_sq", "bias_correction1")
    _beta_names = ("beta0", "beta2")

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        betas: tuple[float, float] = (0.1, 0.99),
        eps: float = 1e-3,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, maximize=maximize)

    def _update(self, active: list[Active]) -> None:
        for param, grad, state, group in active:
            beta2 = group["betas"][1]
            g = self._gradient(param, grad, group)
            state["step"] += 1
            as_real(state["exp_avg_sq"]).mul_(beta2).addcmul_(g, g, value=1 - beta2)

        v_bar = _mean_second_moment([(state, group) for _, _, state, group in active])

        for param, grad, state, group in active:
            theta, lr = as_real(param), float(group["lr"])
            exp_avg, bias_correction1 = as_real(state["exp_avg"]), as_real(state["bias_correction1"])
            one_minus_beta1 = self._one_minus_beta1(state, group, v_bar)
            exp_avg.lerp_(self._driving_gradient(param, grad, group, one_minus_beta1), one_minus_beta1)
            # 1 - prod(beta1) is the same running mean with every gradient replaced by 1.
            bias_correction1.addcmul_(one_minus_beta1, 1 - bias_correction1)
            if self._decoupled_weight_decay:
                theta.mul_(1 - lr * group["weight_decay"])
            theta.addcdiv_(exp_avg, bias_correction1, value=-lr)

    def inertia(self) -> Iterator[tuple[Tensor, Tensor]]:
        r"""Yields every parameter that has had a gradient, with its present :math:`\beta_1`.

        Worked out from the state, so nothing is stored for it. Here :math:`\bar v` is the mean over all of
        these parameters; if each had a gradient in the last step, as is usual, the result is the
        :math:`\beta_{1,t}` of that step. :math:`\beta_1` has the parameter's shape and, for a complex
        parameter, a further last dimension of 2 (real part, imaginary part).
        """
        seen = [
            (param, self.state[param], group)
            for group in self.param_groups
            for param in group["params"]
            if self.state.get(param)
        ]
        v_bar = _mean_second_moment([(state, group) for _, state, group in seen])
        for param, state, group in seen:
            yield param, 1 - self._one_minus_beta1(state, group, v_bar)

    def _one_minus_beta1(self, state: dict[str, Any], group: dict[str, Any], v_bar: Tensor) -> Tensor:
        # Not beta1 itself: in bfloat16, 1 - eps would round to 1.
        ratio = self._relative_second_moment(state, group, v_bar)
        return ratio.mul_(group["betas"][0]).clamp_(group["eps"], 1).to(state["exp_avg_sq"].real.dtype)

    # AdaiV2 replaces the next two.

    def _relative_second_moment(self, state: dict[str, Any], group: dict[str, Any], v_bar: Tensor) -> Tensor:
        v_hat = as_real(state["exp_avg_sq"]).to(v_bar.dtype) / _bias_correction2(state, group)
        return v_hat / v_bar.to(v_hat.device)

    def _driving_gradient(self, param: Tensor, grad: Tensor, group: dict[str, Any], one_minus_beta1: Tensor) -> Tensor:
        return self._gradient(param, grad, group)

    def _requirements(self, group: dict[str, Any]) -> Iterator[Requirement]:
        yield from super()._requirements(group)
        (beta0, _), eps = group["betas"], group["eps"]
        yield "beta0 (betas[0])", beta0, 0 <= beta0 < math.inf, "0 <= beta0 < inf"
        yield "eps", eps, 0 < eps <= 1, "0 < eps <= 1"


class AdaiW(Adai):
    r"""Adai with decoupled weight decay (Algorithm 3 of the paper, which calls it AdaiS/AdaiW).

    The same as :class:`Adai` but for the decay, which never enters the gradient and so leaves the inertia
    alone:

    .. math::
        \theta_t = \theta_{t-1} - \eta \hat m_t - \lambda \eta \theta_{t-1}

    The paper prints one algorithm under two names, AdaiS for "stable" and AdaiW for "decoupled" weight decay.
    Here they are one class with two names: ``AdaiS`` is :class:`AdaiW`.

    Args:
        params: as for :class:`Adai`.
        lr: learning rate :math:`\eta`, 0 or more; the default is the paper's for CIFAR (Appendix D.1).
        betas: as for :class:`Adai`.
        eps: as for :class:`Adai`.
        weight_decay: :math:`\lambda \ge 0`; the default is the paper's for CIFAR (Appendix D.1). A step
            multiplies a parameter by ``1 - lr * weight_decay``, and ``lr * weight_decay`` is 0.0005 here as in
            the paper's setting of Adai (``lr=1, weight_decay=0.0005``).
        maximize: ascend instead of descend.

    Raises:
        ValueError: a hyperparameter is outside its range.
    """

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
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, maximize=maximize)


AdaiS = AdaiW
"""The paper's other name for :class:`AdaiW`; the very same class."""


def _mean_second_moment(states_and_groups: list[tuple[dict[str, Any], dict[str, Any]]]) -> Tensor:
    total, elements = torch.zeros((), dtype=torch.float32), 0
    for state, group in states_and_groups:
        v = as_real(state["exp_avg_sq"])
        # Half precision would lose, or overflow in, a sum over millions of elements.
        v_sum = v.sum(dtype=torch.promote_types(v.dtype, torch.float32))
        total = total.to(v.device) + v_sum / _bias_correction2(state, group)
        elements += v.numel()
    # Where the mean is 0 every v is 0, and 1 in its place makes their ratio 0 instead of NaN.
    return total.masked_fill(total == 0, 1) / max(elements, 1)


def _bias_correction2(state: dict[str, Any], group: dict[str, Any]) -> float:
    return 1 - math.pow(group["betas"][1], state["step"])
