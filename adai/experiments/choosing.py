"""Choose a learning rate: the best of a grid of powers of ten, which grows while the best lies at its edge."""

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

from adai.experiments.images import round_product

_Key = TypeVar("_Key")


def grid(start: Sequence[float], found: Mapping[float, float]) -> list[float]:
    """Return the rates to try: `start`, and more powers of ten beyond the best until the best is inside.

    Args:
        start: the rates that are always tried, ascending.
        found: the error, or perplexity, of each rate that has been tried.

    Returns:
        Ascending. At most the first or the last has not been tried; the grid grows further once it has.
    """
    rates = list(start)
    while all(rate in found for rate in rates):
        best = argmin({rate: found[rate] for rate in rates})
        if best == rates[0]:
            rates.insert(0, round_product(best, 0.1))
        elif best == rates[-1]:
            rates.append(round_product(best, 10))
        else:
            break
    return rates


def chosen_rates(
    start: Mapping[_Key, Sequence[float]], found: Mapping[_Key, Mapping[float, float]]
) -> dict[_Key, float]:
    """Return the best rate of each optimizer whose whole `grid` has been tried.

    Args:
        start: by optimizer, or by another key, the rates that are always tried.
        found: by the same keys, the error of each rate that has been tried.
    """
    grids = {name: grid(rates, found[name]) for name, rates in start.items()}
    return {
        name: argmin({rate: found[name][rate] for rate in rates})
        for name, rates in grids.items()
        if all(rate in found[name] for rate in rates)
    }


def argmin(errors: Mapping[_Key, float]) -> _Key:
    """Return the key of the lowest error; NaN, the error of a run that diverged, counts as the highest."""
    return min(errors, key=lambda name: (math.isnan(errors[name]), errors[name]))
