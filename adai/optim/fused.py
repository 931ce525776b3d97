"""The fused step, which passes over memory twice: `fused.cpp` on a CPU, what torch.compile makes of a step on a GPU."""

import contextlib
import ctypes
import functools
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from operator import attrgetter, is_
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any, TypeAlias

import torch
from torch import Tensor

from adai.optim.batches import Batch, is_spent, require_unwritten

try:  # it looks at a list of tensors as fast as C can, for torch.compile; a later torch may have it elsewhere
    from torch._C._dynamo.guards import TensorGuards
except ImportError:
    TensorGuards = None  # type: ignore[assignment, misc]

__all__ = ["CompiledMoves", "Kernel", "has_compiler", "is_for_cpu", "require_compiler"]

_SOURCE = Path(__file__).with_suffix(".cpp")
_TYPES = {torch.float32: "float", torch.float64: "double"}
_VECTORS = {
    "AVX512": "-mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mprefer-vector-width=512",
    "AVX2": "-mavx2 -mfma",
}
"""The compiler's options for the vector units that torch uses; for other processors it chooses itself."""

_KEPT = 256
"""Lists of shapes whose compiled step is kept; a step of a large network takes some dozens."""

Move: TypeAlias = Callable[..., None]


# ── the compiler ──


def has_compiler() -> bool:
    """Return whether there is a C++ compiler, which a fused step needs once."""
    return _compiler() is not None


def require_compiler() -> None:
    """Raise a RuntimeError if there is no C++ compiler."""
    if not has_compiler():
        raise RuntimeError(
            f"fused=True compiles the step, and there is no C++ compiler {' or '.join(_compilers())}: install one, "
            "name another in the environment variable CXX, or leave fused out"
        )


def _compilers() -> list[str]:
    return [os.environ["CXX"]] if os.environ.get("CXX") else ["g++", "clang++"]


def _compiler() -> list[str] | None:
    """Return the command that compiles, which in CXX may have several words, such as ``ccache g++``."""
    return next((words for words in map(shlex.split, _compilers()) if shutil.which(words[0])), None)


@functools.cache
def _library() -> ctypes.CDLL:
    """Return the compiled kernel, from the user's cache if it is there.

    Raises:
        RuntimeError: there is no compiler, or it fails.
    """
    require_compiler()
    compiler = _compiler() or []
    # Without contraction, the bits of a result do not depend on what the compiler makes of what stands around it.
    options = ["-O3", "-std=c++17", "-shared", "-fPIC", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]
    options += _VECTORS.get(torch.backends.cpu.get_cpu_capability(), "").split()
    # Apple's compiler knows OpenMP's hints for vectors, but not its threads.
    command = [*compiler, *options, "-fopenmp-simd" if sys.platform == "darwin" else "-fopenmp"]
    version = subprocess.run([*compiler, "--version"], capture_output=True).stdout
    name = hashlib.sha256(repr((command, version, _SOURCE.read_bytes())).encode()).hexdigest()[:16]
    try:
        return _loaded(command, _cache() / f"fused-{name}.so")
    except OSError:  # there is no home, no room or no right to write, or nothing there may be run
        with tempfile.TemporaryDirectory(prefix="adai-") as folder:
            return _loaded(command, Path(folder) / "fused.so")


def _loaded(command: list[str], library: Path) -> ctypes.CDLL:
    if library.exists():
        with contextlib.suppress(OSError):  # if it is damaged, it is built anew
            return ctypes.CDLL(str(library))
    _build(command, library)
    return ctypes.CDLL(str(library))


def _cache() -> Path:
    folder = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if not os.path.isabs(folder):
        raise OSError(f"there is no home for a cache, only {folder!r}")
    return Path(folder) / "adai"


def _build(command: list[str], library: Path) -> None:
    library.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:  # so that no process finds half a file
        fresh = Path(folder) / library.name
        done = subprocess.run([*command, str(_SOURCE), "-o", str(fresh)], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"fused=True could not compile its step; {' '.join(command)} says\n{done.stderr}")
        os.replace(fresh, library)


# ── on a CPU ──


def is_for_cpu(param: Tensor) -> bool:
    """Return whether the fused step of a parameter is the kernel's, not one that torch.compile makes."""
    return param.device.type == "cpu"


class Kernel:
    """The two passes of a step over the tensors of one batch on the CPU.

    To look at many small tensors takes longer than to move them, hence functions that loop in C, and what is kept of
    the last step.
    """

    def __init__(self, batch: Batch) -> None:
        self._states = [batch["exp_avg"], batch["exp_avg_sq"], batch["bias_correction1"]]
        self._lists = [batch.params, batch["step"], *self._states]
        self._addresses = _addresses_of(self._lists)
        self._gradients: array[int]
        self._versions: list[int] = []
        self._guard: Any = None

    @classmethod
    def of(cls, batch: Batch, last: "Kernel | None") -> "Kernel | None":
        """Return the kernel for a batch, or None where it cannot work on some tensor.

        Args:
            batch: its tensors; a gradient that lies otherwise than its parameter is replaced by a copy that does not.
            last: that of the last step. It goes on if it has the same tensors, which need not be examined again.

        Raises:
            RuntimeError: a correction that is spent was written to.
        """
        if not is_for_cpu(batch.params[0]):
            return None
        kernel = last if last is not None and last._has_the_tensors_of(batch) else cls(batch)
        if kernel is not last and not kernel._can_take(batch):
            return None
        require_unwritten(kernel._spent)
        kernel._gradients = array("Q", map(Tensor.data_ptr, batch.grads))
        return kernel if _are_there(kernel._gradients, kernel._sizes) else None

    def _has_the_tensors_of(self, batch: Batch) -> bool:
        """Return whether nothing has changed; False may be wrong."""
        lists = [batch.params, batch["step"], *(batch[name] for name in ("exp_avg", "exp_avg_sq", "bias_correction1"))]
        if self._guard is None or len(batch.params) != len(self._sizes) or self._addresses != _addresses_of(lists):
            return False
        if not all(map(is_, self._lists[-1], lists[-1])):  # each tensor counts by itself how often it was written to
            return False
        return bool(self._guard.check(*chain(*lists, batch.grads)))

    def _can_take(self, batch: Batch) -> bool:
        """Return whether all is of one type and in memory, and each state lies as its parameter does."""
        params, steps, dtype = batch.params, batch["step"], batch.params[0].dtype
        if dtype not in _TYPES or not _are_plain(chain(*self._lists, batch.grads)):
            return False
        if {(one.dtype, one.device.type) for one in chain(params, batch.grads, *self._states)} != {(dtype, "cpu")}:
            return False
        if {(one.dtype, one.device.type, one.numel()) for one in steps} != {(torch.float32, "cpu", 1)}:
            return False
        dense = all(_alike(one, torch.empty_like(one)) for one in params)  # which has other strides if it has gaps
        fits = (
            dense
            and list(map(Tensor.numel, batch.grads)) == self._sizes
            and all(_are_there(addresses, self._sizes) for addresses in self._addresses)
            and all(
                one.shape == state.shape and (_alike(one, state) or (states is self._states[-1] and is_spent(state)))
                for states in self._states
                for one, state in zip(params, states, strict=True)
            )
        )
        if fits:
            self._take_gradients(batch)
        return fits

    def _take_gradients(self, batch: Batch) -> None:
        """Replace gradients by copies where one lies otherwise than its parameter; else the next need not be asked."""
        pairs = list(zip(batch.params, batch.grads, strict=True))
        # A negative bit marks numbers whose sign is to be changed by whoever reads them.
        if all(_alike(param, grad) and not grad.is_neg() for param, grad in pairs):
            if TensorGuards is not None:
                unchanging = {"dynamic_dims_sizes": None, "dynamic_dims_strides": None}
                self._guard = TensorGuards(*chain(*self._lists, batch.grads), **unchanging)
        else:
            batch.grads = [torch.empty_like(param).copy_(grad) for param, grad in pairs]

    @functools.cached_property
    def _sizes(self) -> list[int]:
        return list(map(Tensor.numel, self._lists[0]))

    @functools.cached_property
    def _spent(self) -> list[Tensor]:
        return list(filter(is_spent, self._states[-1]))

    @functools.cached_property
    def _arrays(self) -> "list[array[Any]]":
        """Return what the kernel is given of the tensors, 0 for a spent correction, and a place for the sums of v."""
        *others, corrections = self._addresses
        alive = [0 if is_spent(one) else address for one, address in zip(self._states[-1], corrections, strict=True)]
        return [array("q", self._sizes), *(array("Q", one) for one in (*others, alive)), array("d", self._sizes)]

    def moments(self, batch: Batch, beta2: float) -> float:
        """Count the step, and return the sum of all v / (1 - beta2^t); v is updated by `move`."""
        sizes, params, step, _, exp_avg_sq, _, sums = self._arrays
        # The last move left the sums of v, which still hold if nobody else has written to v: that would be counted.
        versions = list(map(attrgetter("_version"), batch["exp_avg_sq"]))
        known = versions == self._versions and not batch["exp_avg_sq"][0].is_shared()  # type: ignore[no-untyped-call]
        self._versions = versions
        lists = [sizes, params, self._gradients, exp_avg_sq, step, sums]
        total: float = self._call("moments", batch, lists, [int(known)], [beta2])
        return total

    def move(self, batch: Batch, v_bar: float, lr: float, options: dict[str, Any], decoupled: float) -> None:
        """Take the rest of the step, given the mean of v."""
        sizes, params, step, exp_avg, exp_avg_sq, correction, sums = self._arrays
        lists = [sizes, params, self._gradients, exp_avg_sq, step, sums, exp_avg, correction]
        (beta0, beta2), eps, dampening = options["betas"], options["eps"], options.get("dampening", 1.0)
        self._call("move", batch, lists, [], [v_bar, lr, beta0, beta2, eps, decoupled, dampening])
        _count_writing(batch.params)

    @staticmethod
    def _call(name: str, batch: Batch, lists: "list[array[Any]]", flags: list[int], numbers: list[float]) -> Any:
        function = getattr(_library(), f"adai_{name}_{_TYPES[batch.params[0].dtype]}")
        function.restype = ctypes.c_double if name == "moments" else None
        addresses = [ctypes.c_void_p(one.buffer_info()[0]) for one in lists]
        values = [ctypes.c_double(number) for number in (*numbers, batch.l2, -1.0 if batch.group["maximize"] else 1.0)]
        return function(ctypes.c_int64(len(lists[0])), *addresses, *flags, *values, torch.get_num_threads())


def _count_writing(tensors: list[Tensor]) -> None:
    """Let autograd know, so that it refuses to go back over values that it needs and that are gone."""
    try:
        torch.autograd.graph.increment_version(tensors)
    except (RuntimeError, TypeError):  # torch 2.4 takes one at a time
        for tensor in tensors:
            torch.autograd.graph.increment_version(tensor)


def _addresses_of(lists: list[list[Tensor]]) -> list[list[int]]:
    return [list(map(Tensor.data_ptr, tensors)) for tensors in lists]


def _are_plain(tensors: Iterable[Tensor]) -> bool:
    """Return whether none is of a subclass, which may have its numbers elsewhere."""
    return set(map(type, tensors)) <= {Tensor, torch.nn.Parameter}


def _are_there(addresses: Sequence[int], sizes: list[int]) -> bool:
    """Return whether all tensors that have elements have them in memory."""
    return 0 not in addresses or all(address or not size for address, size in zip(addresses, sizes, strict=True))


def _alike(one: Tensor, other: Tensor) -> bool:
    return one.stride() == other.stride() or (one.is_contiguous() and other.is_contiguous())


# ── on a GPU ──


class CompiledMoves:
    """An optimizer's moves, each compiled once for a list of shapes, whatever becomes of the hyperparameters.

    Once more, when the corrections of the list are spent.
    """

    def __init__(self) -> None:
        self._moves: OrderedDict[Any, Move] = OrderedDict()

    def __call__(self, optimizer: type, *arguments: Any) -> None:
        """Take the step that an optimizer's `_accumulate_and_move` takes with these arguments."""
        *lists, lr, options = arguments
        params, corrections, like = lists[0], lists[4], lists[-1][0]  # a scale has the type to compute in
        key = tuple(param.shape for param in params), *map(is_spent, corrections)
        if key not in self._moves:
            self._moves[key] = _compiled(optimizer)
            if len(self._moves) > _KEPT:
                self._moves.popitem(last=False)
        self._moves.move_to_end(key)
        # A number would be compiled in, and each new one would be compiled again.
        rate, values = _as_tensors(lr, like), {name: _as_tensors(value, like) for name, value in options.items()}
        self._moves[key](*lists, rate, values)


def _compiled(optimizer: Any) -> Move:
    # torch.compile limits how often one piece of code is compiled, so each list of shapes has its own copy.
    function = optimizer._accumulate_and_move.__func__
    own = FunctionType(function.__code__.replace(), function.__globals__)
    compiled: Move = torch.compile(MethodType(own, optimizer), dynamic=False, fullgraph=True)
    return compiled


def _as_tensors(value: Any, like: Tensor) -> Any:
    if isinstance(value, tuple | list):
        return tuple(_as_tensors(one, like) for one in value)
    return torch.as_tensor(value, dtype=like.dtype, device=like.device)
