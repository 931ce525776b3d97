"""Adaptive Inertia: the Adai optimizers, the theory behind them and the tools of the book about them.

``from adai import Adai`` loads torch and nothing else. ``import adai`` alone loads nothing, so that the
theory and the checks, which need SymPy only, start quickly and run where torch does not exist.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = ["AdaBound", "Adai", "AdaiS", "AdaiV2", "AdaiW", "Padam", "Yogi"]

if TYPE_CHECKING:
    from adai.optim import AdaBound, Adai, AdaiS, AdaiV2, AdaiW, Padam, Yogi
else:

    def __getattr__(name: str) -> object:
        if name in __all__:
            from adai import optim

            return getattr(optim, name)
        raise AttributeError(f"module 'adai' has no attribute {name!r}; it offers {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
