"""How a learning rate is chosen: the best of some powers of ten, and of more while the best lies at an edge."""

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

from adai.experiments.images import scaled

Key = TypeVar("Key")


def grid(start: Sequence[float], found: Mapping[float, float]) -> list[float]:
    """The rates to be tried: `start`, and beyond the best, one power of ten after the other, until it is inside.

    Args:
        start: the rates that are tried in any case, ascending.
        found: the error, or perplexity, of each rate that has been tried.
    """
    rates = list(start)
    while all(rate in found for rate in rates):
        best = lowest({rate: found[rate] for rate in rates})
        if best == rates[0]:
            rates.insert(0, scaled(best, 0.1))
        elif best == rates[-1]:
            rates.append(scaled(best, 10))
        else:
            break
    return rates


def chosen(start: Mapping[Key, Sequence[float]], found: Mapping[Key, Mapping[float, float]]) -> dict[Key, float]:
    """The best rate of each whose grid has been tried in full.

    Args:
        start: by optimizer, say, the rates that are tried in any case.
        found: for each of them the error of each rate that has been tried.
    """
    grids = {name: grid(rates, found[name]) for name, rates in start.items()}
    return {
        name: lowest({rate: found[name][rate] for rate in rates})
        for name, rates in grids.items()
        if all(rate in found[name] for rate in rates)
    }


def lowest(errors: Mapping[Key, float]) -> Key:
    """Where the error is lowest; a run that diverged, whose error is not a number, is the last choice."""
    return min(errors, key=lambda name: (math.isnan(errors[name]), errors[name]))
