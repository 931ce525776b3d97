"""Lists of tensors that take a step together, and their sums: on one device, over shards, over processes."""

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeGuard

import torch
from torch import Tensor

from adai.optim.base import Active, as_real

if TYPE_CHECKING:  # importing it would take as long as torch itself
    from torch.distributed.tensor import DTensor

__all__ = ["Batch", "batched", "mean_of", "refuse_unseen_shards", "sums_of_squares"]

_ACCURATE = 2**20
"""Up to this many elements, the CPU's float32 norm is right to 1e-5; over 50 million it is off by nearly a percent."""

_CACHED = 2**16
"""Elements that move together on a CPU: half a dozen lists of this length stay in its second-level cache."""

_COMPILED = 32
"""Tensors that move by one compiled call: enough to make the call cheap, few enough to compile in some seconds."""


class Batch:
    """Parameters of one group, device, type and sharding, as the lists that ``torch._foreach_*`` functions take.

    Complex tensors stand in it as real ones with a further dimension of 2, sharded ones as the local shards.
    """

    def __init__(
        self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor], states: dict[str, list[Tensor]]
    ) -> None:
        self.group, self.params, self.grads, self.states = group, params, grads, states
        self.unbias: Tensor
        self.elements = sum(param.numel() for param in params) * (2 if params[0].is_complex() else 1)
        self._shard_groups = _shard_groups(params[0])
        if params[0].is_complex() or _is_sharded(params[0]):
            self.grads = [_local_real(_placed_as(param, grad)) for param, grad in zip(params, grads, strict=True)]
            self.params = [_local_real(param) for param in params]
            self.states = {name: [_local_real(tensor) for tensor in tensors] for name, tensors in states.items()}

    def __getitem__(self, name: str) -> list[Tensor]:
        return self.states[name]

    def over_shards(self, sums: Tensor) -> Tensor:
        """Turn sums over local shards into sums over whole tensors, by one all-reduce for each dimension of shards."""
        for process_group in self._shard_groups:
            torch.distributed.all_reduce(sums, group=process_group)
        return sums

    def parts(self, compiled: bool = False) -> Iterator[slice]:
        """Yield slices of tensors to move together: by default all on a GPU, on a CPU as many as its cache holds."""
        group, sizes = self.group, [param.numel() for param in self.params]
        most = float("inf")
        if compiled:
            sizes, most = [1] * len(sizes), _COMPILED
        elif group["foreach"] is False or group["differentiable"]:
            most = 0
        elif group["foreach"] is None and self.params[0].device.type == "cpu":
            most = _CACHED
        first, elements = 0, 0
        for index, size in enumerate(sizes):
            if index > first and elements + size > most:
                yield slice(first, index)
                first, elements = index, 0
            elements += size
        yield slice(first, len(sizes))


def batched(active: list[Active]) -> list[Batch]:
    """Return the batches that together hold all parameters with a gradient."""
    batches = []
    for group, params, grads, states in active:
        kinds: dict[Any, list[int]] = {}
        corrections = states.get("bias_correction1", params)
        for index, (param, correction) in enumerate(zip(params, corrections, strict=True)):
            spent = correction.dim() < param.dim()  # has become 1, and is kept without dimensions
            sharding = (param.device_mesh, param.placements) if _is_sharded(param) else None
            kind = (param.device, param.dtype, sharding, spent)
            kinds.setdefault(kind, []).append(index)
        for chosen in kinds.values():
            lists = (params, grads, *states.values())
            if len(kinds) > 1:
                lists = tuple([tensors[index] for index in chosen] for tensors in lists)
            batches.append(Batch(group, lists[0], lists[1], dict(zip(states, lists[2:], strict=True))))
    return batches


def sums_of_squares(tensors: list[Tensor]) -> Tensor:
    """Return the sum of squares of each tensor, in float32 or float64, as a vector."""
    dtype = precise(tensors[0].dtype)
    if tensors[0].device.type == "cpu" and dtype == torch.float32:
        tensors = [tensor if tensor.numel() <= _ACCURATE else _norms_of_parts(tensor) for tensor in tensors]
    norms = torch._foreach_norm(tensors, 2, dtype)
    return torch.stack(norms).square()


def precise(dtype: torch.dtype) -> torch.dtype:
    """Return the type to sum in."""
    return torch.float64 if dtype in (torch.float64, torch.complex128) else torch.float32


def mean_of(
    sums_and_counts: Iterable[tuple[Tensor, int]], process_group: "torch.distributed.ProcessGroup | None"
) -> Tensor:
    """Return the mean over all elements, and over the processes of a group if there is one.

    Args:
        sums_and_counts: pairs of a sum, 0-dimensional, and the number of elements in it.
        process_group: the processes that together hold all elements; None if this one does.

    Returns:
        0-dimensional; NaN where a sum is infinite, so that an overflow is seen at once.
    """
    total, count = None, 0
    for one, elements in sums_and_counts:
        total = one if total is None else total.to(one) + one if one.dtype == torch.float64 else total + one.to(total)
        count += elements
    if total is None:
        total = torch.zeros(())
    total = torch.add(total, total, alpha=0)
    if process_group is None:
        return total / max(count, 1)
    both = torch.stack([total, torch.full_like(total, count)])
    torch.distributed.all_reduce(both, group=process_group)
    return both[0] / both[1].clamp_min(1)


def refuse_unseen_shards(process_group: "torch.distributed.ProcessGroup | None") -> None:
    """Raise if ZeroRedundancyOptimizer makes this optimizer for a part of the parameters, and no group is given.

    Raises:
        ValueError: there is no process group to take the mean over all parts.
    """
    zero = sys.modules.get("torch.distributed.optim.zero_redundancy_optimizer")
    if zero is None or process_group is not None:
        return
    frame = sys._getframe(1).f_back
    while frame is not None:
        if isinstance(frame.f_locals.get("self"), zero.ZeroRedundancyOptimizer):
            raise ValueError(
                "mean_over is None, but ZeroRedundancyOptimizer gives each process other parameters, and their mean "
                "second moment must be taken over all processes: pass "
                "ZeroRedundancyOptimizer(..., mean_over=torch.distributed.group.WORLD)"
            )
        frame = frame.f_back


def _local_real(tensor: Tensor) -> Tensor:
    """Return the local shard, viewed as real; it shares the tensor's memory."""
    return as_real(tensor.to_local() if _is_sharded(tensor) else tensor)


def _is_sharded(tensor: Tensor) -> "TypeGuard[DTensor]":
    return hasattr(tensor, "placements")


def _placed_as(param: Tensor, grad: Tensor) -> Tensor:
    if _is_sharded(param) and _is_sharded(grad) and grad.placements != param.placements:
        return grad.redistribute(param.device_mesh, param.placements)
    return grad.resolve_conj()


def _shard_groups(param: Tensor) -> "list[torch.distributed.ProcessGroup]":
    if not _is_sharded(param):
        return []
    mesh = param.device_mesh
    return [mesh.get_group(dim) for dim, placement in enumerate(param.placements) if not placement.is_replicate()]


def _norms_of_parts(tensor: Tensor) -> Tensor:
    if tensor.dim() > 1 and tensor.shape[0] >= 16:
        norms: Tensor = torch.linalg.vector_norm(tensor, dim=tuple(range(1, tensor.dim())))
        return norms
    return torch.stack(torch._foreach_norm(torch.split(tensor.reshape(-1), _ACCURATE // 8), 2, torch.float32))
