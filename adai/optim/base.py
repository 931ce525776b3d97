"""The base of all our optimizers, so that each file is its algorithm and little else."""

import inspect
import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer, ParamsT

from adai.optim import reference
from adai.optim.takeover import translated

__all__ = ["DenseOptimizer"]

Requirement: TypeAlias = tuple[str, float | Tensor, bool, str]
"""A hyperparameter's name, its value, whether that is within its range, and the range."""


_PATHS = ("foreach", "fused", "capturable", "differentiable")
"""Options that affect speed, not results; an old state_dict may lack them."""


_FOREIGN = {"amsgrad", "momentum_decay", "decoupled_weight_decay"}
"""Options of torch's own optimizers whose state, before their first step, is otherwise like ours."""


class Active(NamedTuple):
    """The parameters of one group that have a gradient in this step, with their gradients and state."""

    group: dict[str, Any]
    params: list[Tensor]
    grads: list[Tensor]
    states: dict[str, list[Tensor]]


class DenseOptimizer(Optimizer):
    """The base of optimizers of dense gradients, real or complex; it has no step of its own.

    A subclass names its state, says what its hyperparameters must satisfy, and writes one step of its algorithm; the
    step that gradients can flow through is its rule in the reference.
    A parameter that has no gradient in a step stays as it is, and so does its state; steps are counted for each
    parameter by itself. A complex parameter is two real ones.
    """

    _algorithm: str
    rule: reference.Rule
    _state_names: tuple[str, ...] = ("step", "exp_avg", "exp_avg_sq")
    _beta_names: tuple[str, str] = ("beta1", "beta2")
    _decoupled_weight_decay = False

    def __init__(self, params: ParamsT, **defaults: Any) -> None:
        super().__init__(params, defaults | {"algorithm": self._algorithm})

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
            self._require_parameters(self.param_groups[-1]["params"])
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

    def _require_parameters(self, params: list[Tensor]) -> None:
        if self.defaults["differentiable"] and any(hasattr(param, "placements") for param in params):
            raise ValueError("differentiable=True follows whole parameters, but there is a sharded one")
        first: dict[Tensor, int] = {}
        for index, param in enumerate(params):
            which = f"parameter {index} of the group, of shape {tuple(param.shape)},"
            if not (param.is_floating_point() or param.is_complex()):
                raise ValueError(
                    f"{which} has dtype {param.dtype}, but must be real or complex; pass only what can have a gradient"
                )
            if first.setdefault(param, index) != index:  # torch itself only warns, and would move it twice in a step
                raise ValueError(f"{which} is also its parameter {first[param]}, but each must appear once")

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name in _PATHS:
                if name in self.defaults:
                    group.setdefault(name, self.defaults[name])

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load what ``state_dict()`` returned.

        Hooks run as torch documents. What the hooks before loading have made of the dictionary is what must fit, and
        where it does not, nothing changes.

        Raises:
            ValueError: it belongs to another optimizer or to other parameters; the optimizer has not changed.
        """
        # Hooks run in the order of their registration, so this one sees what all others have made of the dictionary.
        last = self.register_load_state_dict_pre_hook(lambda _, given: self._fitting(given))
        try:
            super().load_state_dict(state_dict)
        finally:
            last.remove()

    def _fitting(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return a saved state in the present form, for this device, after it has been found to fit."""
        if lacking := {"state", "param_groups"} - given.keys():
            raise ValueError(f"this is not an optimizer's state_dict: it lacks {', '.join(sorted(lacking))}")
        if any("params" not in saved for saved in given["param_groups"]):
            raise ValueError("this is not an optimizer's state_dict: a group of it lacks params")
        for key, state in given["state"].items():
            if not isinstance(state, dict):
                raise ValueError(
                    f"this is not an optimizer's state_dict: the state of {key} is {state!r}, no dictionary"
                )
        given = translated(given, self._algorithm)
        groups, states = [], dict(given["state"])
        for own, saved in zip(self.param_groups, given["param_groups"], strict=False):
            groups.append(self._fitting_group(own, saved))
            for param, index in zip(own["params"], saved["params"], strict=False):
                if state := states.get(index):
                    states[index] = self._fitting_state(param, index, state, groups[-1])
        # Where their numbers differ, torch says so.
        return {**given, "state": states, "param_groups": groups + given["param_groups"][len(groups) :]}

    def _fitting_group(self, own: dict[str, Any], saved: dict[str, Any]) -> dict[str, Any]:
        if (algorithm := saved.get("algorithm", self._algorithm)) != self._algorithm:
            raise ValueError(
                f"the state_dict is one of {algorithm}, not of {self._algorithm}, which means something else by it; "
                f"if you know what you do, set algorithm={self._algorithm!r} in its groups"
            )
        if "algorithm" not in saved and (foreign := sorted(_FOREIGN & saved.keys())):
            raise ValueError(
                f"the state_dict is not one of {self._algorithm}, which has no {', '.join(foreign)}: it may be Adam's"
            )
        optional = {"algorithm", "maximize", *_PATHS}
        if lacking := sorted((self.defaults.keys() | {"betas"}) - optional - saved.keys()):
            name = type(self).__name__
            raise ValueError(f"the state_dict is not one of {name}: its groups lack {', '.join(lacking)}")
        group = {name: own[name] for name in optional if name in own} | saved
        group["differentiable"] = own["differentiable"]  # which is the optimizer's, and no matter of a run
        self._require_in_range({**own, **group})
        return group

    def _fitting_state(self, param: Tensor, index: int, saved: dict[str, Any], group: dict[str, Any]) -> dict[str, Any]:
        name = type(self).__name__
        if missing := [key for key in self._state_names if key not in saved]:
            raise ValueError(
                f"the state_dict is not one of {name}: parameter {index} has {', '.join(saved)}, but no "
                f"{', '.join(missing)}"
            )
        for key in self._state_names[1:]:
            value = saved[key]
            if (
                not isinstance(value, Tensor)
                or value.layout != torch.strided
                or value.is_complex() != param.is_complex()
            ):
                kind = "complex" if param.is_complex() else "real"
                raise ValueError(f"{key} of parameter {index} must be a dense {kind} tensor, but is {value!r}")
        self._require_shapes(param, saved, f"parameter {index} in the state_dict", "it was saved for another model")
        try:
            step = float(saved["step"])
        except (TypeError, ValueError, RuntimeError):
            step = math.nan
        if not 0 <= step < math.inf:
            raise ValueError(f"step of parameter {index} must be one number, 0 or more, but is {saved['step']!r}")
        new = self._new_step(param, group)
        return {**saved, "step": torch.as_tensor(saved["step"], dtype=new.dtype, device=new.device).reshape(())}

    def _require_shapes(self, param: Tensor, state: dict[str, Any], which: str, advice: str) -> None:
        for key in self._state_names:
            shape = state[key].shape if isinstance(state[key], Tensor) else ()
            if key != "step" and shape != param.shape:
                raise ValueError(
                    f"{key} of {which} has shape {tuple(shape)}, but the parameter has {tuple(param.shape)}: {advice}"
                )

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step. Gradients are read and never written.

        Args:
            closure: evaluates the model again, with gradients enabled, and returns the loss.

        Returns:
            What the closure returned, or ``None``.

        Raises:
            RuntimeError: a gradient is sparse; parameters and state have not changed.
            ValueError: a state has another shape than its parameter; likewise.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        if self.defaults["differentiable"]:
            with torch.enable_grad():
                self._follow_rule(self._active())
        else:
            with torch.no_grad():
                self._update(self._active())
        return loss

    def _follow_rule(self, active: list[Active]) -> None:
        """Take the step as the reference does, which changes nothing in place, so that autograd can follow."""
        held = []
        for group, params, grads, _ in active:
            for param, grad in zip(params, grads, strict=True):
                state = {name: as_real(self.state[param][name]) for name in self._state_names}
                # A clone, since what autograd keeps of the step must survive that the parameter is written.
                followed = reference.Parameter.from_state(as_real(param).clone(), group, state)
                held.append((param, state, followed, -as_real(grad) if group["maximize"] else as_real(grad)))
        reference.step(self.rule, [followed for _, _, followed, _ in held], [grad for *_, grad in held])
        for param, state, followed, _ in held:
            for name, value in followed.to_state(state).items():
                pairs = param.is_complex() and name != "step"
                self.state[param][name] = torch.view_as_complex(value) if pairs else value
            as_real(param).copy_(followed.theta)

    def _active(self) -> list[Active]:
        """Return all parameters that have a gradient, with their state; nothing changes if a gradient is refused."""
        # With many small tensors a good part of a step goes by here, hence functions that loop in C.
        active = []
        for group in self.param_groups:
            params, grads = list(group["params"]), list(map(attrgetter("grad"), group["params"]))
            if type(None) in set(map(type, grads)):
                params = [param for param, grad in zip(params, grads, strict=True) if grad is not None]
                grads = [grad for grad in grads if grad is not None]
            if params:
                active.append(Active(group, params, grads, {name: [] for name in self._state_names}))
        for _, _, grads, _ in active:
            if set(map(attrgetter("layout"), grads)) != {torch.strided}:
                sparse = next(grad for grad in grads if grad.layout != torch.strided)
                raise RuntimeError(
                    f"{type(self).__name__} needs dense gradients, but one of shape {tuple(sparse.shape)} has layout "
                    f"{sparse.layout}; use sparse=False in the embedding it comes from, or another optimizer for that "
                    "parameter"
                )
        for group, params, _, states in active:
            self._init_group(group, params, *states.values())
            if not group.get("fused"):  # whose kernel looks itself
                self._require_own_shapes(params, states)
        return active

    def _init_group(self, group: dict[str, Any], params: list[Tensor], *states: list[Tensor]) -> None:
        # Dynamo runs a method of this name eagerly, and traces only what follows.
        held = list(map(self.state.__getitem__, params))
        if not all(held):
            for param, state in zip(params, held, strict=True):
                if not state:
                    state.update(self._new_state(param, group))
        for values, name in zip(states, self._state_names, strict=True):
            values += map(itemgetter(name), held)

    def _require_own_shapes(self, params: list[Tensor], states: dict[str, list[Tensor]]) -> None:
        """Raise a ValueError where a state, changed by hand, has another shape than its parameter."""
        shapes = [param.shape for param in params]
        for name, values in states.items():
            if name != "step" and [value.shape for value in values] != shapes:
                for index, param in enumerate(params):
                    state = {key: values[index] for key, values in states.items()}
                    self._require_shapes(param, state, f"parameter {index} of those with a gradient", "reshape both")

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
        given, own = group["differentiable"], self.defaults["differentiable"]
        yield "differentiable", given, given == own, f"differentiable={own}, the optimizer's argument"

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


def as_real(tensor: Tensor) -> Tensor:
    """Return a real tensor as it is, and a complex one as a view with a further last dimension of 2."""
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor


def learning_rate(group: dict[str, Any]) -> float | Tensor:
    """Return a group's lr: a number, or a tensor where reading the number would wait for a device."""
    lr = group["lr"]
    if not isinstance(lr, Tensor):
        return float(lr)
    stays = group["capturable"] or lr.device.type != "cpu" or torch.compiler.is_compiling()
    return lr.reshape(()) if stays else float(lr)
