"""The base of all our optimizers, so that each file is its algorithm and little else."""

import inspect
import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer, ParamsT

__all__ = ["DenseOptimizer"]

Requirement: TypeAlias = tuple[str, float | Tensor, bool, str]
"""A hyperparameter's name, its value, whether that is within its range, and the range."""


_PATHS = ("foreach", "fused", "capturable", "differentiable")
"""Options that affect speed, not results; an old state_dict may lack them."""


class Active(NamedTuple):
    """The parameters of one group that have a gradient in this step, with their gradients and state."""

    group: dict[str, Any]
    params: list[Tensor]
    grads: list[Tensor]
    states: dict[str, list[Tensor]]


class DenseOptimizer(Optimizer):
    """The base of optimizers of dense gradients, real or complex; it has no step of its own.

    A subclass names its state, says what its hyperparameters must satisfy, and writes one step of its algorithm.
    A parameter that has no gradient in a step stays as it is, and so does its state; steps are counted for each
    parameter by itself. A complex parameter is two real ones.
    """

    _state_names: tuple[str, ...] = ("step", "exp_avg", "exp_avg_sq")
    _beta_names: tuple[str, str] = ("beta1", "beta2")
    _decoupled_weight_decay = False

    def __init__(self, params: ParamsT, **defaults: Any) -> None:
        super().__init__(params, defaults)

    # torch wraps the next two so that torch.compile skips them; the wrapper's first call imports the compiler and with
    # it SymPy. Going around it halves the time to the first step where nothing is compiled.

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a parameter group, with options of its own or the optimizer's defaults.

        Raises:
            ValueError: a hyperparameter is out of range, a parameter appears twice, or one holds integers; the
                optimizer has not changed.
            TypeError: a hyperparameter is no number, or a parameter is no tensor; likewise.
        """
        self._require_in_range({**self.defaults, **param_group})
        inspect.unwrap(Optimizer.add_param_group)(self, param_group)
        try:
            _require_parameters(self.param_groups[-1]["params"])
        except ValueError:
            del self.param_groups[-1]
            raise

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Reset all gradients, to ``None`` or, with ``set_to_none=False``, to zeros."""
        inspect.unwrap(Optimizer.zero_grad)(self, set_to_none)

    def _require_in_range(self, group: dict[str, Any]) -> None:
        try:
            for name, value, within, expected in self._requirements(group):
                if not within:
                    raise ValueError(f"{name} is {value}, but must satisfy {expected}")
        except TypeError as error:
            given = ", ".join(f"{name}={value!r}" for name, value in group.items() if name not in ("params", *_PATHS))
            raise TypeError(f"hyperparameters must be numbers, and betas two of them, but are {given}") from error

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name in _PATHS:
                if name in self.defaults:
                    group.setdefault(name, self.defaults[name])

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load what ``state_dict()`` returned.

        Raises:
            ValueError: it belongs to another optimizer or to other parameters; the optimizer has not changed.
        """
        if lacking := {"state", "param_groups"} - state_dict.keys():
            raise ValueError(f"this is not an optimizer's state_dict: it lacks {', '.join(sorted(lacking))}")
        for own, saved in zip(self.param_groups, state_dict["param_groups"], strict=False):
            self._require_fitting_group(own, saved)
            for param, index in zip(own["params"], saved["params"], strict=False):
                if state := state_dict["state"].get(index):
                    self._require_fitting_state(param, index, state)
        super().load_state_dict(state_dict)
        for group, saved in zip(self.param_groups, state_dict["param_groups"], strict=True):
            for param, index in zip(group["params"], saved["params"], strict=True):
                if state := state_dict["state"].get(index):
                    self._repair_state(param, group, state)

    def _repair_state(self, param: Tensor, group: dict[str, Any], saved: dict[str, Any]) -> None:
        """Mend a loaded state of one parameter, given what was saved."""
        new = self._new_step(param, group)
        self.state[param]["step"] = torch.as_tensor(saved["step"], dtype=new.dtype, device=new.device)

    def _require_fitting_group(self, own: dict[str, Any], saved: dict[str, Any]) -> None:
        if lacking := sorted((self.defaults.keys() | {"betas"}) - set(_PATHS) - saved.keys()):
            name = type(self).__name__
            raise ValueError(f"the state_dict is not one of {name}: its groups lack {', '.join(lacking)}")
        self._require_in_range({**own, **saved})

    def _require_fitting_state(self, param: Tensor, index: int, state: dict[str, Any]) -> None:
        name = type(self).__name__
        if missing := [key for key in self._state_names if key not in state and key != "exp_avg_sq_sum"]:
            raise ValueError(
                f"the state_dict is not one of {name}: parameter {index} has {', '.join(state)}, but no "
                f"{', '.join(missing)}"
            )
        for key in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq"):
            if key in self._state_names and state[key].shape != param.shape:
                raise ValueError(
                    f"{key} of parameter {index} has shape {tuple(state[key].shape)} in the state_dict, but the "
                    f"parameter has {tuple(param.shape)}: it was saved for another model"
                )

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step. Gradients are read and never written.

        Args:
            closure: evaluates the model again, with gradients enabled, and returns the loss.

        Returns:
            What the closure returned, or ``None``.

        Raises:
            RuntimeError: a gradient is sparse; parameters and state have not changed.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        with torch.set_grad_enabled(self.defaults.get("differentiable", False)):
            self._update(self._active())
        return loss

    def _active(self) -> list[Active]:
        """Return all parameters that have a gradient, with their state; nothing changes if a gradient is refused."""
        for grad in (param.grad for group in self.param_groups for param in group["params"]):
            if grad is not None and grad.layout != torch.strided:
                raise RuntimeError(
                    f"{type(self).__name__} needs dense gradients, but one of shape {tuple(grad.shape)} has layout "
                    f"{grad.layout}; use sparse=False in the embedding it comes from, or another optimizer for that "
                    "parameter"
                )
        active = [Active(group, [], [], {name: [] for name in self._state_names}) for group in self.param_groups]
        for group, params, grads, states in active:
            self._init_group(group, params, grads, *states.values())
        return [one for one in active if one.params]

    def _init_group(
        self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor], *states: list[Tensor]
    ) -> None:
        # Dynamo runs a method of this name eagerly, and traces only what follows.
        params += [param for param in group["params"] if param.grad is not None]
        grads += [param.grad for param in params if param.grad is not None]  # the test again, for the type checkers
        held = [self.state[param] for param in params]
        for param, state in zip(params, held, strict=True):
            if not state:
                state.update(self._new_state(param, group))
        for values, name in zip(states, self._state_names, strict=True):
            values += [state[name] for state in held]

    @abstractmethod
    def _update(self, active: list[Active]) -> None:
        """Take one step of the algorithm on the parameters that have a gradient, group by group."""

    def _requirements(self, group: dict[str, Any]) -> Iterator[Requirement]:
        """Yield what the hyperparameters of a group must satisfy; each may rely on those before it."""
        lr, betas, weight_decay = group["lr"], group["betas"], group["weight_decay"]
        first, second = self._beta_names
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError(f"Tensor lr must be 1-element, but it has shape {tuple(lr.shape)}")
        if len(betas) != 2:
            raise ValueError(f"betas must be the pair ({first}, {second}), got {betas}")
        yield "lr", lr, bool(0 <= lr < math.inf), "0 <= lr < inf"
        yield f"{second} (betas[1])", betas[1], 0 <= betas[1] < 1, f"0 <= {second} < 1"
        yield "weight_decay", weight_decay, 0 <= weight_decay < math.inf, "0 <= weight_decay < inf"

    def _new_state(self, param: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        return {
            name: self._new_step(param, group)
            if name == "step"
            else torch.zeros_like(param, memory_format=torch.preserve_format)
            for name in self._state_names
        }

    @staticmethod
    def _new_step(param: Tensor, group: dict[str, Any]) -> Tensor:
        on_device = group["capturable"] or group.get("fused")
        return torch.zeros((), dtype=torch.float32, device=param.device if on_device else "cpu")

    @classmethod
    def _descent(cls, params: list[Tensor], grads: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
        """Return the gradients that the algorithm uses: downhill, with the L2 term."""
        if group["maximize"]:
            grads = list(torch._foreach_neg(grads))
        if group["weight_decay"] and not cls._decoupled_weight_decay:
            grads = list(torch._foreach_add(grads, params, alpha=group["weight_decay"]))
        return grads


def _require_parameters(params: list[Tensor]) -> None:
    first: dict[Tensor, int] = {}
    for index, param in enumerate(params):
        which = f"parameter {index} of the group, of shape {tuple(param.shape)},"
        if not (param.is_floating_point() or param.is_complex()):
            raise ValueError(
                f"{which} has dtype {param.dtype}, but must be real or complex; pass only what can have a gradient"
            )
        if first.setdefault(param, index) != index:  # torch itself only warns, and would move it twice in a step
            raise ValueError(f"{which} is also its parameter {first[param]}, but each must appear once")


def as_real(tensor: Tensor) -> Tensor:
    """Return a real tensor as it is, and a complex one as a view with a further last dimension of 2."""
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor


def learning_rate(group: dict[str, Any]) -> float | Tensor:
    """Return a group's lr: a number, or a tensor where reading the number would wait for a device."""
    lr = group["lr"]
    if not isinstance(lr, Tensor):
        return float(lr)
    stays = group["capturable"] or group["differentiable"] or lr.device.type != "cpu" or torch.compiler.is_compiling()
    return lr.reshape(()) if stays else float(lr)
