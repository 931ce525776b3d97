"""The elementwise half of a step as one pass over memory, by :func:`torch.compile`."""

import functools
import os
import shutil
import types
from collections.abc import Callable
from typing import Any

import torch

__all__ = ["compiled_move", "require_compiler"]


def require_compiler() -> None:
    """Raise a RuntimeError if there is no C++ compiler."""
    compilers = [os.environ["CXX"]] if "CXX" in os.environ else ["g++", "clang++", "cl"]
    if not any(map(shutil.which, compilers)):
        raise RuntimeError(
            f"fused=True compiles the step, and there is no C++ compiler {' or '.join(compilers)}: install one, name "
            "another in the environment variable CXX, or leave fused out"
        )


@functools.cache
def compiled_move(optimizer: Any, *_settings: Any) -> Callable[..., None]:
    """Return an optimizer's `_move`, compiled for one list of shapes and one choice of settings.

    Args:
        optimizer: the class.
        _settings: the shapes and all that is compiled in; the same ones give the same function again.
    """
    # torch.compile limits how often one piece of code is compiled, so each list and setting has its own copy.
    function = optimizer._move.__func__
    own = types.FunctionType(function.__code__.replace(), function.__globals__)
    compiled = torch.compile(types.MethodType(own, optimizer), dynamic=False, fullgraph=True)

    def move(*arguments: Any) -> None:
        *lists, scales, lr, options = arguments
        # A number would be compiled in, and each new learning rate would be compiled again.
        rate = torch.as_tensor(lr, dtype=scales[0].dtype, device=scales[0].device)
        compiled(*lists, scales, rate, options)

    return move
