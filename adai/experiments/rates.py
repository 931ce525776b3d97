"""Learning rate and weight decay: the grid of Figure 4, the decays of Figure 9, and the choices that tune Table 1.

Every run here measures its error on 5,000 held-out training images beside the test error. Rates are chosen by the
held-out error of the last epoch alone, on a seed that no other experiment uses. The grid is the paper's powers of ten
(Appendix D.1) around each optimizer's rate in the paper, widened where the best rate lies at its edge.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

from adai.experiments import choosing, images
from adai.experiments.base import NOTHING, Fields, Inputs
from adai.experiments.comparison import Table
from adai.optim import settings
from adai.records import Record, Spec, comparable

SEED = 2000
FACTORS = (0.1, 1, 10)
"""Multiples of the paper's learning rate, for every optimizer; more follow as long as the best lies at an edge."""
COMPARED = ("adai", "sgd", "adam")
"""The optimizers of Figure 4."""
DECAYS = (0.2, 1, 5)
"""Multiples of the paper's weight decay in Figure 4."""
DECAYS_ALONE = (0.04, 2)
"""More multiples of the decay at the paper's learning rate, for Figure 9: Adai and SGD."""

Errors = dict[tuple[str, float, float], float]
"""By optimizer and multiples of the paper's learning rate and weight decay."""

COLOUR_RANGE = 20
"""Percentage points above the lowest error that Figure 4's colours span."""


def runs(scale: str, given: Inputs = NOTHING) -> dict[str, Spec]:
    """Return the runs at one scale by name, most wanted first; none if the experiment does not have the scale.

    A name gives the multiples of the paper's learning rate and weight decay: `rates/adai/10/0.2`.

    Raises:
        RecordError: the records of `rates` at this scale are of several data sets.
    """
    if scale not in images.SIZES[images.FIRST_ROW]:
        return {}
    tried = last_errors(given.records("rates", scale), "held_out_error")
    tuning = [(o, f, 1) for o in (*COMPARED, *images.LABELS) for f in choosing.grid(FACTORS, _by_factor(tried, o))]
    grid = [(o, factor, decay) for decay in DECAYS if decay != 1 for factor in FACTORS for o in COMPARED]
    sweep = [(o, 1, decay) for decay in DECAYS_ALONE for o in ("adai", "sgd")]
    return {
        f"rates/{o}/{factor:g}/{decay:g}": _spec(scale, given.label, o, factor, decay)
        for o, factor, decay in (*tuning, *grid, *sweep)
    }


def _spec(scale: str, label: str | None, optimizer: str, factor: float, decay: float) -> Spec:
    changes: Fields = {
        "hyperparameters": hyperparameters(optimizer, factor, decay),
        "dataset_options": {"holdout": images.HELD_OUT},
    }
    return images.spec("rates", scale, optimizer, SEED, label=label, changes=changes)


def _by_factor(errors: Errors, optimizer: str) -> dict[float, float]:
    """Return an optimizer's errors at the paper's weight decay, by the multiple of its learning rate."""
    return {factor: error for (name, factor, decay), error in errors.items() if (name, decay) == (optimizer, 1)}


def hyperparameters(optimizer: str, factor: float, decay: float) -> dict[str, float]:
    """Return learning rate and weight decay at these multiples of the paper's."""
    paper = settings(optimizer, "cifar")
    return {
        "lr": images.round_product(paper["lr"].value, factor),
        "weight_decay": images.round_product(paper["weight_decay"].value, decay),
    }


def last_errors(records: Iterable[Record], quantity: str) -> Errors:
    """Return the last epoch's error by optimizer and multiples of the paper's learning rate and weight decay.

    Args:
        records: runs of one scale.
        quantity: the curve: `test_error`, `train_error` or `held_out_error`.
    """
    found: Errors = {}
    for record in records:
        paper = settings(record.spec.optimizer, "cifar")
        factor, decay = (
            float(f"{record.spec.hyperparameters[name] / paper[name].value:.6g}") for name in ("lr", "weight_decay")
        )
        found[record.spec.optimizer, factor, decay] = record.curves[quantity][-1]
    return found


def chosen_rates(records: Iterable[Record]) -> dict[str, tuple[float, float]]:
    """Return the multiples of the paper's rate and decay at which the held-out error is lowest; the decay's is 1.

    Args:
        records: runs of one scale.

    Returns:
        By optimizer, for those whose grid of rates is complete.
    """
    errors = last_errors(records, "held_out_error")
    found = {optimizer: _by_factor(errors, optimizer) for optimizer in images.LABELS}
    best = choosing.chosen_rates(dict.fromkeys(images.LABELS, FACTORS), found)
    return {optimizer: (factor, 1) for optimizer, factor in best.items()}


def chosen_cells(records: Iterable[Record]) -> dict[str, tuple[float, float]]:
    """Return the multiples of the paper's rate and decay at which the held-out error is lowest.

    Args:
        records: runs of one scale.

    Returns:
        By optimizer, for those of `COMPARED` whose cells of Figure 4's grid are complete.
    """
    errors, cells = last_errors(records, "held_out_error"), list(product(FACTORS, DECAYS))
    grids = {o: {(f, d): errors[o, f, d] for f, d in cells if (o, f, d) in errors} for o in COMPARED}
    return {o: choosing.argmin(found) for o, found in grids.items() if len(found) == len(cells)}


class Grid(Table):
    """Held-out errors by optimizer and multiple of the paper's learning rate."""

    title = f"held-out error of the last epoch, %, seed {SEED}; * marks the rate chosen"

    def __init__(self, records: Iterable[Record]) -> None:
        self.records = comparable(records)
        self.best = chosen_rates(self.records)

    def cells(self) -> list[list[str]]:
        """Return one line for each optimizer; the rate that was chosen is marked."""
        errors = last_errors(self.records, "held_out_error")
        factors = sorted({*FACTORS, *(factor for _, factor, decay in errors if decay == 1)})
        lines = [["optimizer", "paper's rate", *(f"× {factor:g}" for factor in factors)]]
        for optimizer, label in images.LABELS.items():
            found = {factor: errors.get((optimizer, factor, 1)) for factor in factors}
            shown = [
                "" if error is None else f"{error:.2f}" + " *" * ((factor, 1) == self.best.get(optimizer))
                for factor, error in found.items()
            ]
            lines.append([label, f"{settings(optimizer, 'cifar')['lr'].value:g}", *shown])
        return lines


def table(records: Iterable[Record]) -> Grid:
    """Return the held-out errors at the paper's weight decay, by optimizer and learning rate."""
    return Grid(records)


def figure(records: Iterable[Record], axes: Sequence[Any]) -> None:
    """Draw test errors over learning rate and weight decay, as in Figure 4: the darker, the lower.

    Args:
        records: runs of one scale and data set.
        axes: a matplotlib axis for each of `COMPARED`.

    Raises:
        RecordError: the records are of several scales or data sets.
    """
    errors = last_errors(comparable(records), "test_error")
    lowest = min(errors.values(), default=0.0)
    for axis, optimizer in zip(axes, COMPARED, strict=True):
        found = [[errors.get((optimizer, factor, decay), math.nan) for factor in FACTORS] for decay in DECAYS]
        axis.imshow(found, cmap="Blues_r", vmin=lowest, vmax=lowest + COLOUR_RANGE, aspect="auto")
        for row, column in product(range(len(DECAYS)), range(len(FACTORS))):
            error = found[row][column]
            if not math.isnan(error):
                dark = error < lowest + COLOUR_RANGE / 2
                axis.text(column, row, f"{error:.1f}", ha="center", va="center", color="white" if dark else "black")
        paper = settings(optimizer, "cifar")
        axis.set_xticks(range(len(FACTORS)), [f"{paper['lr'].value * factor:g}" for factor in FACTORS])
        axis.set_yticks(range(len(DECAYS)), [f"{paper['weight_decay'].value * decay:g}" for decay in DECAYS])
        axis.set(title=images.LABELS[optimizer], xlabel="learning rate")
        axis.grid(False)
    axes[0].set_ylabel("weight decay")
