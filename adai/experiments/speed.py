"""Figures 2 and 10: Adai beside the optimizer that it is said to converge as fast as.

The paper pairs Adai at its rate of 1 with SGD, and Adai at 0.5 with Adam: similarly fast, and better in the end. The
runs are those of Table 1, and Adai at half its rate on the same seeds. The paper does not say what "similarly fast"
measures. Here it is the training loss before the first drop of the rate, epoch by epoch, on a logarithmic scale;
`SIMILAR` was fixed before any run at half the rate.
"""

import math
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

from adai.experiments import images, table1
from adai.experiments.base import NOTHING, Fields, Inputs
from adai.experiments.comparison import Estimate, Table, estimate, learning_curves
from adai.optim import settings
from adai.records import Record, Spec, comparable

PAIRS = {1.0: "sgd", 0.5: "adam"}
"""The optimizer that Adai is paired with at each of its learning rates."""
SIMILAR = math.log(1.2)
"""Training losses are similar if they differ by less than a fifth."""
PANELS = (images.FIRST_ROW, "vgg16", "densenet121", "googlenet")
"""The networks of Figure 10; Figure 2 is its third."""


def name(row: str) -> str:
    """Return the name of a panel's experiment: `speed` for the first one, `speed-vgg16` for another, say."""
    return "speed" if row == images.FIRST_ROW else f"speed-{row}"


def runs(scale: str, given: Inputs = NOTHING, row: str = images.FIRST_ROW) -> dict[str, Spec]:
    """Return the runs at one scale by name, seed by seed; none if the row does not have the scale.

    Args:
        scale: one of the scales.
        given: only its label is used.
        row: one of `PANELS`.
    """
    experiment, found = name(row), {}
    for run, spec in table1.runs(scale, given, row).items():
        _, optimizer, seed = run.split("/")
        if optimizer in ("adai", *PAIRS.values()):
            found[f"{experiment}/{optimizer}/{seed}"] = spec
        if optimizer == "adai":
            half: Fields = {"hyperparameters": {"lr": images.round_product(settings("adai", "cifar")["lr"].value, 0.5)}}
            found[f"{experiment}/adai-half/{seed}"] = images.spec(
                experiment, scale, optimizer, int(seed), row, label=given.label, changes=half
            )
    return found


def pair(records: Iterable[Record], rate: float) -> list[tuple[Record, Record]]:
    """Return Adai's runs at a rate, each with the run of its partner in `PAIRS` at the same seed.

    Args:
        records: runs of one scale and data set.
        rate: one of `PAIRS`.
    """
    found = {(r.spec.optimizer, r.spec.seed, r.spec.hyperparameters["lr"]): r for r in records}
    return [
        (record, found[PAIRS[rate], seed, other])
        for (optimizer, seed, lr), record in sorted(found.items())
        if (optimizer, lr) == ("adai", rate)
        and (PAIRS[rate], seed, other := settings(PAIRS[rate], "cifar")["lr"].value) in found
    ]


def slowness(pairs: Iterable[tuple[Record, Record]]) -> Estimate | None:
    """Return how much higher Adai's log training loss is, a mean over the epochs before the first drop of the rate.

    Returns:
        One value a seed; None without runs.
    """
    return estimate(
        fmean(math.log(mine / other) for mine, other in zip(*_before_the_drop(a, b), strict=True)) for a, b in pairs
    )


def gain(pairs: Iterable[tuple[Record, Record]]) -> Estimate | None:
    """Return Adai's test error of the last epoch minus the other's, in percentage points; None without runs."""
    return estimate(a.curves["test_error"][-1] - b.curves["test_error"][-1] for a, b in pairs)


class Pairs(Table):
    """Each pair's speed and test error."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.records = comparable(records)
        self.title = f"Adai beside others, {self.records[0].data['label'] if self.records else 'no data'}"

    def cells(self) -> list[list[str]]:
        """Return for each pair the ratio of training losses and the difference of test errors, with 95 % intervals."""
        lines = [["pair", "seeds", "training loss, ratio [95 %]", "test error, difference [95 %]"]]
        for rate, other in PAIRS.items():
            pairs = pair(self.records, rate)
            slow, better = slowness(pairs), gain(pairs)
            shown = ["", ""]
            if slow and better and slow.interval and better.interval:
                low, high = map(math.exp, slow.interval)
                shown = [
                    f"{math.exp(slow.mean):.2f} [{low:.2f}, {high:.2f}]",
                    f"{better.mean:+.2f} [{better.interval[0]:+.2f}, {better.interval[1]:+.2f}]",
                ]
            lines.append([f"Adai at {rate:g}, {images.LABELS[other]}", str(len(pairs)), *shown])
        return lines


def table(records: Iterable[Record]) -> Pairs:
    """Return speed and test error of each pair."""
    return Pairs(records)


def figure(records: Iterable[Record], axes: Sequence[Sequence[Any]]) -> None:
    """Draw the learning curves of both pairs.

    Args:
        records: runs of one scale and data set.
        axes: for each pair two matplotlib axes, for the training loss and the test error.

    Raises:
        RecordError: the records are of several scales or data sets.
    """
    records = comparable(records)
    for (rate, other), column in zip(PAIRS.items(), axes, strict=True):
        shown = [r for r in records if r.spec.optimizer == other or r.spec.hyperparameters["lr"] == rate]
        learning_curves(shown, column, {name: images.LABELS[name] for name in ("adai", other)})
        column[0].set_title(f"Adai at {rate:g} and {images.LABELS[other]}")


def _before_the_drop(*records: Record) -> list[list[float]]:
    """Return for each record the training losses of the epochs before the first drop of the rate."""
    return [r.curves["train_loss"][: round(r.spec.milestones[0] * r.spec.epochs)] for r in records]
