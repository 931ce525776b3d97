"""What a piece of torch code asks of a machine: which operations it dispatches, and how many words they move."""

from collections import Counter
from collections.abc import Collection
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ["Operations"]

WRITE_ONLY = {"copy_", "fill_", "zero_", "_foreach_copy_", "_foreach_zero_"}
"""Operations that never read what they write over."""


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's __init_subclass__ has no types
    """A context that counts the aten operations dispatched inside it.

    A word is one number, of whatever type, that an operation reads from a tensor or writes to one, as if nothing stayed
    in a cache from one operation to the next. Views move no words. What compiled code does is not seen.

    Args:
        forbidden: names of operations that must not be called, such as ``aten._local_scalar_dense.default``, by which
            a number is read from a tensor.

    Attributes:
        names: how often each operation was called.
        words: how many words they moved together.

    Raises:
        RuntimeError: inside, where a forbidden operation is called.
    """

    def __init__(self, forbidden: Collection[str] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's
        self.forbidden = forbidden
        self.names: Counter[str] = Counter()
        self.words = 0

    @property
    def count(self) -> int:
        """Return how many operations were called."""
        return self.names.total()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(function)
        if name in self.forbidden:
            raise RuntimeError(f"{name} was called, which is forbidden here")
        result = function(*args, **(kwargs or {}))
        if name.startswith("aten."):
            self.names[name] += 1
            self.words += _words(function._schema, args, kwargs or {}, result)
        return result


def _words(schema: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> int:
    """Return how many words an operation read and wrote, each tensor once."""
    name = schema.name.removeprefix("aten::")
    aliases = [output.alias_info for output in schema.returns]
    if any(alias and not alias.is_write for alias in aliases):
        return 0  # a view
    read: dict[int, int] = {}
    written: dict[int, int] = {}
    for index, argument in enumerate(schema.arguments):
        value = args[index] if index < len(args) else kwargs.get(argument.name)
        tensors = {id(leaf): leaf.numel() for leaf in tree_leaves(value) if isinstance(leaf, Tensor)}
        writes = argument.alias_info is not None and argument.alias_info.is_write
        if writes:
            written |= tensors
        shape_only = name.endswith("_like") or name.startswith("new_")
        if not (shape_only or argument.is_out or (writes and name in WRITE_ONLY)):
            read |= tensors
    if not any(aliases) and not name.startswith(("empty", "new_empty")):
        written |= {id(leaf): leaf.numel() for leaf in tree_leaves(result) if isinstance(leaf, Tensor)}
    return sum(read.values()) + sum(written.values())
