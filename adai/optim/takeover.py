"""Checkpoints of other implementations, translated so that ours goes on with them exactly.

Theirs keep the product of all beta1 where ours keep 1 minus it, and name or place some other things differently.
Where the rules differ, no translation goes on exactly, and an error says how they differ.
"""

from collections.abc import Iterator
from typing import Any, TypeAlias

import torch
from torch import Tensor

__all__ = ["translated"]

Demand: TypeAlias = tuple[str, tuple[str, ...]]
"""Something that a rule has, and the names of our optimizers that have it too."""

_ADAI = ("Adai", "AdaiW", "AdaiV2")
_PYTORCH_OPTIMIZERS = {"final_lr": "AdaBound", "partial": "Padam", "initial_accumulator": "Yogi"}
"""Of pytorch_optimizer: a hyperparameter that tells who saved a group, and our name for that optimizer."""

_UNLIKE = {
    "AdaBound": "pytorch_optimizer's AdaBound, which adds 1e-15 to v and does not save the lr that its bounds rest on",
    "Padam": "pytorch_optimizer's PAdam, which lacks the maximum of v",
}
_FOREIGN = {"use_gc", "adanorm", "adam_debias"}
"""Options that change the rule, and that nothing of ours has."""

_THEIRS = _FOREIGN | {"step", "foreach", "decoupled", "weight_decouple", "fixed_decay", "stable_weight_decay"}
"""What stands in their groups and not in ours. Whatever else does, such as a scheduler's initial_lr, stays."""


def translated(state_dict: dict[str, Any], algorithm: str, *, without_floor: bool = False) -> dict[str, Any]:
    """Return the state_dict in our format if another implementation saved it, and otherwise as it is.

    Adai and AdaiV2 of the authors, and Adai and Yogi of pytorch_optimizer, are known. What is returned shares no
    tensor with what was given, which does not change.

    pytorch_optimizer counts steps by group, and since version 4 it has a floor under the mean of v. So its training
    goes on exactly as long as all parameters that ever had a gradient have one, and the mean is above the floor; from
    then on ours follows the paper.

    Args:
        state_dict: what ``state_dict()`` of an optimizer returned.
        algorithm: the class to go on with: ``"Adai"``, ``"AdaiW"``, ``"AdaiV2"`` or any other of ours.
        without_floor: whether to go on by the paper's rule, as versions before 4 did, where the mean is below the
            floor by now. The floor is ``eps``. Files of 3.6 to 3.11 look like those of 4.

    Raises:
        ValueError: its rule is not that of the algorithm, or the mean of v is below the floor.
    """
    groups, states = state_dict.get("param_groups", []), state_dict.get("state", {})
    family = _family(groups, states)
    if family is None:
        return state_dict
    _require_one_rule([demand for group in groups for demand in _demands(group, family)], algorithm)
    new_states = dict(states)
    for group in groups:
        new_states |= {index: _new_state(group, states[index]) for index in group["params"] if index in states}
    if not without_floor:
        _require_above_floor(groups, new_states, algorithm)
    return state_dict | {"state": new_states, "param_groups": [_new_group(group, algorithm) for group in groups]}


def _family(groups: list[dict[str, Any]], states: dict[Any, dict[str, Any]]) -> str | None:
    """Return whose state this is, "Adai" for all kinds of Adai, or None if it is ours or unknown."""
    if not groups or any(not {"betas", "eps", "weight_decay"} <= group.keys() for group in groups):
        return None
    keys = groups[0].keys()
    by_keys = "decoupled" in keys or {"dampening", "weight_decouple"} <= keys  # there is no state before the first step
    if by_keys or any("beta1_prod" in state for state in states.values()):
        return "Adai"
    return next((name for key, name in _PYTORCH_OPTIMIZERS.items() if {key, "weight_decouple"} <= keys), None)


def _demands(group: dict[str, Any], family: str) -> Iterator[Demand]:
    """Yield what the rule of a group has, and first of all whose rule it is."""
    if family in _UNLIKE:
        yield _UNLIKE[family], ()
    else:
        yield f"another implementation's {family}", _ADAI if family == "Adai" else (family,)
    yield from ((f"{name}=True", ()) for name in sorted(_FOREIGN) if group.get(name))
    if group.get("dampening", 1) != 1:
        yield f"dampening={group['dampening']}", ("AdaiV2",)
    # Its epsilon joins the root of the corrected v, ours that of v: one rule as soon as the correction rounds to 1.
    if family == "Yogi" and group["betas"][1] ** group.get("step", 0) > 2**-53:
        yield f"the bias correction of v in its epsilon, still after {group.get('step', 0)} steps", ()
    yield from _demands_of_decay(group, family)


def _demands_of_decay(group: dict[str, Any], family: str) -> Iterator[Demand]:
    # Early versions save no kind, having a class for each or keeping it to themselves: who loads it knows.
    decoupled = group.get("decoupled", group.get("weight_decouple"))
    if not group["weight_decay"] or decoupled is None:
        return
    decay = f"weight_decay={group['weight_decay']}"
    if decoupled and group.get("fixed_decay"):
        yield f"{decay} that lr does not scale (fixed_decay=True)", ()
    elif decoupled:
        yield f"decoupled {decay}", ("AdaiW", "AdaiV2") if family == "Adai" else ()
    elif group.get("stable_weight_decay"):
        yield f"coupled {decay} that v does not see (stable_weight_decay=True)", ()
    else:
        yield f"coupled {decay}", ("Adai",) if family == "Adai" else (family,)


def _require_one_rule(demands: list[Demand], algorithm: str) -> None:
    able = [name for name in demands[0][1] if all(name in names for _, names in demands)]
    if algorithm not in able:
        whose, *others = dict.fromkeys(what for what, _ in demands)
        rule = f"{whose} with {' and '.join(others)}" if others else whose
        advice = f"load it into {' or '.join(able)}" if able else "load the model's weights alone and begin anew"
        raise ValueError(f"{algorithm} cannot go on with this state_dict as who saved it would: it is {rule}; {advice}")


def _new_state(group: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
    known = group | state  # "step" is in the group from pytorch_optimizer 3.6 on
    if not {"step", "exp_avg", "exp_avg_sq"} <= known.keys():
        return state  # and let who loads it say what is missing
    # AdaiV2 of the others multiplies the step by this factor, and ours each gradient.
    factor = group["betas"][0] ** (1 - group.get("dampening", 1))
    new = {
        "step": torch.tensor(float(known["step"]), dtype=torch.float32),
        "exp_avg": state["exp_avg"] * factor,
        "exp_avg_sq": state["exp_avg_sq"].clone(),
    }
    return new | ({"bias_correction1": 1 - state["beta1_prod"]} if "beta1_prod" in state else {})


def _new_group(group: dict[str, Any], algorithm: str) -> dict[str, Any]:
    new = {name: value for name, value in group.items() if name not in _THEIRS} | {"algorithm": algorithm}
    dampening = new.pop("dampening", 1.0)
    return new | {"dampening": dampening} if algorithm == "AdaiV2" else new


def _require_above_floor(groups: list[dict[str, Any]], states: dict[Any, dict[str, Any]], algorithm: str) -> None:
    floor = max((group["eps"] for group in groups if "step" in group), default=0.0)
    if not floor:
        return  # the authors have none, nor have versions that count steps by parameter
    pairs = [(states.get(index, {}), group["betas"][1]) for group in groups for index in group["params"]]
    pairs = [(state, beta2) for state, beta2 in pairs if "bias_correction1" in state]
    count = sum(state["exp_avg_sq"].numel() for state, _ in pairs)
    total = sum(_sum(state["exp_avg_sq"]) / (1 - beta2 ** float(state["step"])) for state, beta2 in pairs)
    if total < floor * count:
        raise ValueError(
            f"the mean of v is {total / count:.1e}, and version 4 of pytorch_optimizer divides by {floor} where the "
            "mean is smaller, which makes inertias larger than Adai's. To go on by the paper's rule, as its earlier "
            f"versions do, load adai.optim.takeover.translated(state_dict, {algorithm!r}, without_floor=True)"
        )


def _sum(v: Tensor) -> float:
    total = v.sum(dtype=torch.float32)
    return float(getattr(total, "full_tensor", lambda: total)())  # over all shards
