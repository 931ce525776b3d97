"""Lists of tensors that take a step together, and their sums: on one device, over shards, over processes."""

import math
from collections.abc import Iterator
from itertools import repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeGuard

import torch
from torch import Tensor

from adai.optim.base import Active, as_real

if TYPE_CHECKING:  # importing it would take as long as torch itself
    from torch.distributed.tensor import DTensor

__all__ = [
    "Batch",
    "batched",
    "for_each",
    "group_named",
    "is_spent",
    "local_real",
    "mean_of",
    "name_of",
    "one_minus_power",
    "ones_like",
    "power_",
    "precise",
    "refuse_unseen_shards",
    "require_unwritten",
    "sharded_as",
    "spent_correction",
    "sums",
    "sums_of_squares",
]

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
        self.whole = params
        self.kernel: Any = None  # a `fused.Kernel`, which imports this module
        self.compiled = False
        self.l2 = 0.0
        self.unbias: Tensor
        self.total: Tensor
        self.elements = sum(map(Tensor.numel, params)) * (2 if params[0].is_complex() else 1)
        if params[0].is_complex() or _is_sharded(params[0]):
            self.grads = [local_real(_placed_as(param, grad)) for param, grad in zip(params, grads, strict=True)]
            self.params = [local_real(param) for param in params]
            self.states = {name: [local_real(tensor) for tensor in tensors] for name, tensors in states.items()}

    def __getitem__(self, name: str) -> list[Tensor]:
        return self.states[name]

    @property
    def is_cut(self) -> bool:
        """Return whether `pieces` cuts what does not fit into a CPU's cache."""
        whole = self.group["foreach"] or self.compiled or torch.compiler.is_compiling()
        return not whole and self.params[0].device.type == "cpu"

    def parts(self) -> Iterator[slice]:
        """Yield slices of tensors to move together: by default all on a GPU, on a CPU as many as its cache holds."""
        group, sizes = self.group, [param.numel() for param in self.params]
        most = float("inf")
        if self.compiled:
            sizes, most = [1] * len(sizes), _COMPILED
        elif group["foreach"] is False:
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

    def pieces(self, *lists: list[Tensor]) -> Iterator[tuple[int, list[list[Tensor]]]]:
        """Yield parts of lists as long as this batch, each with its place; on a CPU, rows of what does not fit a cache.

        Rows are views, each with the place of its tensor. A tensor without dimensions, such as a learning rate, goes
        with all of them.
        """
        # Each thread works on a share of its own, in a cache of its own.
        most = 2 * _CACHED * torch.get_num_threads() if self.is_cut else math.inf
        for part in self.parts():
            together, first = [tensors[part] for tensors in lists], self.params[part.start]
            if first.numel() <= most:
                yield part.start, together
                continue
            rows = max(int(most * len(first) / first.numel()), 1)
            cut = [torch.split(tensor, rows) if tensor.dim() else repeat(tensor) for (tensor,) in together]
            yield from ((part.start, [[tensor] for tensor in tensors]) for tensors in zip(*cut, strict=False))


def batched(active: list[Active]) -> list[Batch]:
    """Return the batches that together hold all parameters with a gradient."""
    batches = []
    for group, params, grads, states in active:
        kinds: dict[Any, list[int]] = {}
        for index, param in () if _are_alike(params) else enumerate(params):
            kinds.setdefault((param.device, param.dtype, _sharding(param)), []).append(index)
        for chosen in kinds.values():
            lists = [[tensors[index] for index in chosen] for tensors in (params, grads, *states.values())]
            batches.append(Batch(group, lists[0], lists[1], dict(zip(states, lists[2:], strict=True))))
        if not kinds:
            batches.append(Batch(group, params, grads, states))
    return batches


def _are_alike(params: list[Tensor]) -> bool:
    """Return whether all may be in one batch, as is usual on a CPU; True is right, and False may be wrong.

    With many small tensors, a loop over what must be alike takes a good part of the step.
    """
    plain = set(map(type, params)) <= {Tensor, torch.nn.Parameter}
    return plain and len(set(map(attrgetter("dtype"), params))) == 1 and all(map(attrgetter("is_cpu"), params))


# ── corrections that are spent ──


def is_spent(correction: Tensor) -> bool:
    """Return whether a correction has become 1, and is kept as a single 1 that is expanded to the shape."""
    strides = correction.stride() if type(correction) is Tensor else _local(correction).stride()
    return not any(strides) and strides != ()


def spent_correction(param: Tensor) -> Tensor:
    """Return the correction of a parameter that is 1 everywhere, in the memory of one element."""
    local = _local(param)
    one = torch.full((), _one(param), dtype=local.dtype, device=local.device)
    return sharded_as(param, one.as_strided(local.shape, [0] * local.dim()))


def require_unwritten(spent: list[Tensor]) -> None:
    """Raise if a spent correction was written to: its elements share one place in memory.

    Raises:
        RuntimeError: one was; nothing can tell what was meant.
    """
    if any(map(attrgetter("_version"), spent)):
        raise RuntimeError(
            'a "bias_correction1" was written to while it was 1 everywhere and memory held a single 1 for all of it. '
            "To change some elements, first give the state one in full: "
            'state["bias_correction1"] = torch.ones_like(param)'
        )


def ones_like(tensor: Tensor) -> Tensor:
    """Return a tensor of the same kind that is 1 everywhere, and so is the imaginary part if there is one."""
    return torch.full_like(tensor, _one(tensor))


def _one(tensor: Tensor) -> complex:
    return 1 + 1j if tensor.is_complex() else 1.0


# ── numbers for lists ──


def for_each(tensors: list[Tensor], number: float | Tensor) -> Any:
    """Return a number as it is and a tensor as a list, as functions over lists of tensors want them."""
    return [number] * len(tensors) if isinstance(number, Tensor) else number


def power_(tensors: list[Tensor], exponent: float | Tensor) -> None:
    """Raise numbers that are not negative to a power in place."""
    first, quick = tensors[0], not isinstance(exponent, Tensor) and exponent in (0, 0.5, 1, -0.5, -1)
    if quick or first.device.type != "cpu" or first.dtype not in (torch.float32, torch.float64):
        if isinstance(exponent, Tensor) or exponent != 1:
            torch._foreach_pow_(tensors, for_each(tensors, exponent))
        return
    # On a CPU, a power takes five times as long as this, which in half precision would round too much.
    torch._foreach_log_(tensors)
    torch._foreach_mul_(tensors, exponent)
    torch._foreach_exp_(tensors)


# ── sums ──


def sums(tensors: list[Tensor], foreach: bool | None = None) -> list[Tensor]:
    """Return the sum of each tensor of numbers that are not negative, in float32 or float64."""
    dtype, on_cpu = precise(tensors[0].dtype), tensors[0].device.type == "cpu"
    if on_cpu and not foreach:
        return [tensor.sum(dtype=dtype) for tensor in tensors]
    if on_cpu:
        tensors = [tensor if tensor.numel() <= _ACCURATE else tensor.sum(dtype=dtype) for tensor in tensors]
    return list(torch._foreach_norm(tensors, 1, dtype))


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


def one_minus_power(beta: float, t: Tensor) -> Tensor:
    """Return 1 - beta^t, which in float32 would lose most of its digits if it were computed as written."""
    return -torch.expm1(t * (math.log(beta) if beta else -math.inf))


def mean_of(
    together: list[Batch], process_group: "torch.distributed.ProcessGroup | None", param: Tensor | None
) -> Tensor:
    """Return the mean over all elements of some batches, given the total of each.

    Args:
        together: the batches; none if this process has nothing to add.
        process_group: processes that have other parameters, all of which must call this; None if there are none.
        param: a parameter, which tells the device; None if this process has none.

    Returns:
        0-dimensional; NaN where a total is infinite, so that an overflow is seen at once.
    """
    shardings: dict[Any, list[Batch]] = {}
    for batch in together:
        shardings.setdefault(_sharding(batch.whole[0]), []).append(batch)
    total = _added([_over_shards(_added([one.total for one in those]), those[0]) for those in shardings.values()])
    total = torch.add(total, total, alpha=0)  # not 2 total: infinity becomes NaN
    elements = sum(batch.elements for batch in together)
    if process_group is None:
        return total / max(elements, 1)
    elements -= sum(_padding(one) for batch in together for one in batch.params)
    if param is not None:
        total = total.to(param.device)
    elif torch.distributed.get_backend(process_group) == "nccl":
        total = total.to(torch.device("cuda", torch.cuda.current_device()))
    # In one type, since processes may have parameters of several.
    both = torch.stack([total.double(), torch.full_like(total, elements, dtype=torch.float64)])
    torch.distributed.all_reduce(both, group=process_group)
    return both[0] / both[1].clamp_min(1)


def _added(totals: list[Tensor]) -> Tensor:
    total = totals[0] if totals else torch.zeros(())
    for one in totals[1:]:
        total = total.to(one) + one if one.dtype == torch.float64 else total + one.to(total)
    return total


def _over_shards(total: Tensor, batch: Batch) -> Tensor:
    """Turn a sum over local shards into one over whole tensors, by an all-reduce for each dimension of shards."""
    if sharding := _sharding(batch.whole[0]):
        mesh, placements = sharding
        for dim, placement in enumerate(placements):
            if not placement.is_replicate():
                total = total.clone()
                torch.distributed.all_reduce(total, group=mesh.get_group(dim))
    return total


# ── processes ──


def name_of(process_group: "torch.distributed.ProcessGroup") -> str:
    """Return the name by which `group_named` finds a process group, which cannot be copied or pickled itself."""
    return process_group.group_name


def group_named(name: str) -> "torch.distributed.ProcessGroup":
    """Return the process group of a name.

    Raises:
        RuntimeError: no group has it.
    """
    try:
        return torch.distributed.distributed_c10d._resolve_process_group(name)  # type: ignore
    except RuntimeError as error:
        raise RuntimeError(
            f"this optimizer takes its mean over the process group {name!r}, which does not exist here: initialise it "
            "first, or carry the optimizer over by its state_dict()"
        ) from error


def refuse_unseen_shards(params: list[Tensor]) -> None:
    """Raise if FullyShardedDataParallel has left this process a part of the parameters, without a sign of it.

    Raises:
        ValueError: a parameter is a shard, and there is no process group to take the mean over all of them.
    """
    if any(getattr(param, "_fsdp_flattened", False) for param in params):  # so its own functions know them
        raise ValueError(
            "mean_over is None, but FullyShardedDataParallel leaves each process a part of the parameters, and the "
            "mean second moment must be taken over all of them: pass mean_over=torch.distributed.group.WORLD, or "
            "shard by fully_shard, which needs nothing"
        )


def _padding(param: Tensor) -> int:
    """Return how many elements of a parameter are no parameters: FullyShardedDataParallel makes shards equally long."""
    return int(getattr(param, "_shard_numel_padded", 0))


def sharded_as(param: Tensor, local: Tensor) -> Tensor:
    """Return a local tensor as the shard of one that is sharded as the parameter is."""
    if not _is_sharded(param):
        return local
    shape = param.shape + local.shape[param.dim() :]  # real and imaginary part, where they are apart
    stride = torch.empty(shape, device="meta").stride()
    return type(param).from_local(
        local, param.device_mesh, param.placements, run_check=False, shape=shape, stride=stride
    )


def local_real(tensor: Tensor) -> Tensor:
    """Return the local shard, viewed as real; it shares the tensor's memory."""
    return as_real(_local(tensor))


def _local(tensor: Tensor) -> Tensor:
    return tensor.to_local() if _is_sharded(tensor) else tensor


def _is_sharded(tensor: Tensor) -> "TypeGuard[DTensor]":
    return hasattr(tensor, "placements")


def _sharding(tensor: Tensor) -> Any:
    return (tensor.device_mesh, tensor.placements) if _is_sharded(tensor) else None


def _placed_as(param: Tensor, grad: Tensor) -> Tensor:
    if _is_sharded(param) and _is_sharded(grad) and grad.placements != param.placements:
        return grad.redistribute(param.device_mesh, param.placements)
    return grad.resolve_conj().resolve_neg()


def _norms_of_parts(tensor: Tensor) -> Tensor:
    if tensor.dim() > 1 and tensor.shape[0] >= 16:
        norms: Tensor = torch.linalg.vector_norm(tensor, dim=tuple(range(1, tensor.dim())))
        return norms
    return torch.stack(torch._foreach_norm(torch.split(tensor.reshape(-1), _ACCURATE // 8), 2, torch.float32))
