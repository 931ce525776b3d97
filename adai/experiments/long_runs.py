"""Figure 11: Adai and Adam for five times as long as in Table 1, at a fixed learning rate.

The paper trains VGG16 for 1,000 epochs and compares training losses; the schedule of its Table 1 reads as one of 200.
Adai runs at the paper's rate and at the half of it that Figure 10 names beside it. One seed; nothing is chosen.

These three ended with Adai far above Adam at both rates, so the paper's "equally low" had no pair to be judged by. A
floor of constant noise is in proportion to the rate. The mean losses of the last tenth were 0.378 at 1 and 0.202 at
1/2, nearly so, and Adam's was 0.089: by that law Adai is as low at 0.22, by the power law through its two points at
0.20. Hence a fourth run, at 0.2. **Prediction**, committed before it was made: it ends between 0.081 and 0.088.
"""

import math
from collections.abc import Iterable, Sequence
from statistics import fmean, variance
from typing import Any, NamedTuple

from adai.book.figures import BLUE, GREEN, ORANGE, PURPLE
from adai.experiments import images
from adai.experiments.base import NOTHING, Inputs
from adai.experiments.comparison import QUANTITIES, Table
from adai.records import Record, Spec, comparable

TIMES_LONGER = 5
FIRST_DROP = Spec.milestones[0]
"""When Table 1's schedule first drops the rate, as a fraction of its epochs."""
RUNS = {"adam/1": ("adam", 0.001), "adai/1": ("adai", 1.0), "adai/0.5": ("adai", 0.5), "adai/0.2": ("adai", 0.2)}
"""Optimizer and learning rate, by names that end in the multiple of the paper's rate."""
PAPER_RATES = (1.0, 0.5)
"""The rates that the paper names for Adai, and by which its two sentences are judged."""
LABELS = {
    ("adai", 1.0): "Adai",
    ("adai", 0.5): "Adai, half the rate",
    ("adai", 0.2): "Adai, a fifth",
    ("adam", 0.001): "Adam",
}


def runs(scale: str, given: Inputs = NOTHING) -> dict[str, Spec]:
    """Return the runs at one scale by name; none if the experiment does not have the scale."""
    row = "vgg16" if scale == "paper" else images.FIRST_ROW
    sizes = images.SIZES[row]
    if scale not in sizes:
        return {}
    epochs = TIMES_LONGER * sizes[scale]["epochs"]
    return {
        f"long/{name}": images.spec(
            "long",
            scale,
            optimizer,
            0,
            row,
            label=given.label,
            changes={"hyperparameters": {"lr": lr}, "epochs": epochs, "milestones": ()},
        )
        for name, (optimizer, lr) in RUNS.items()
    }


class Ends(Table):
    """Each run's last and lowest training loss, and when it is first below Adam's lowest."""

    def __init__(self, records: Iterable[Record]) -> None:
        records = comparable(records)
        self.curves = {(r.spec.optimizer, r.spec.hyperparameters["lr"]): r.curves["train_loss"] for r in records}
        self.title = f"training loss, {records[0].data['label'] if records else 'no data'}"

    def cells(self) -> list[list[str]]:
        """Return one line for each of `LABELS`; training losses are means over an epoch."""
        adam = self.curves.get(("adam", 0.001))
        lines = [["optimizer", "epochs", "last epoch", "lowest", "first epoch below Adam's lowest"]]
        for key, label in LABELS.items():
            if (curve := self.curves.get(key)) is None:
                lines.append([label, "0", "", "", ""])
                continue
            below = _first_below(curve, min(adam)) if adam and curve is not adam else None
            lines.append(
                [label, str(len(curve)), f"{curve[-1]:.3g}", f"{min(curve):.3g}", "" if below is None else str(below)]
            )
        return lines


class Ratios(NamedTuple):
    """How Adai's training loss compares with Adam's: means over epochs of the logarithm of their ratio.

    Args:
        early: over the epochs before Table 1's first drop of the rate.
        whole: over all epochs.
        final: over the last tenth of them.
    """

    early: float
    whole: float
    final: float


def ratios(records: Iterable[Record]) -> dict[float, Ratios]:
    """Return how Adai's losses compare with Adam's, by Adai's rate, for rates at which both runs exist.

    Raises:
        RecordError: the records are of several scales or data sets.
    """
    curves = {(r.spec.optimizer, r.spec.hyperparameters["lr"]): r.curves["train_loss"] for r in comparable(records)}
    adam = curves.pop(("adam", 0.001), None)
    if adam is None:
        return {}
    tenth, early = -(-len(adam) // 10), round(FIRST_DROP * len(adam) / TIMES_LONGER)
    found = {}
    for (_, lr), curve in curves.items():
        logs = [math.log(mine / other) for mine, other in zip(curve, adam, strict=True)]
        found[lr] = Ratios(fmean(logs[:early]), fmean(logs), fmean(logs[-tenth:]))
    return found


def spread(records: Iterable[Record]) -> float | None:
    """Return the standard deviation over seeds of the log training loss before the first drop, pooled over optimizers.

    It is what two runs differ by through luck alone, from repeated runs at the same fixed rate, those of Table 1. The
    mean over these epochs is one value a run.

    Returns:
        None if no optimizer has two seeds.

    Raises:
        RecordError: the records are of several scales or data sets.
    """
    by_optimizer: dict[str, list[float]] = {}
    for r in comparable(records):
        early = r.curves["train_loss"][: round(FIRST_DROP * r.spec.epochs)]
        by_optimizer.setdefault(r.spec.optimizer, []).append(fmean(map(math.log, early)))
    pairs = [(len(values) - 1, variance(values)) for values in by_optimizer.values() if len(values) > 1]
    return math.sqrt(sum(n * v for n, v in pairs) / sum(n for n, _ in pairs)) if pairs else None


def _first_below(curve: Sequence[float], level: float) -> int | None:
    """Return the first epoch, counted from 1, whose value is below a level; None if none is."""
    return next((epoch for epoch, value in enumerate(curve, 1) if value < level), None)


def table(records: Iterable[Record]) -> Ends:
    """Return the table of training losses at the end."""
    return Ends(records)


def figure(records: Iterable[Record], axes: Sequence[Any]) -> None:
    """Draw training loss and test error over the epochs, on two axes."""
    curves = {(r.spec.optimizer, r.spec.hyperparameters["lr"]): r.curves for r in comparable(records)}
    for axis, quantity in zip(axes, ("train_loss", "test_error"), strict=True):
        for (key, label), color in zip(LABELS.items(), (ORANGE, PURPLE, BLUE, GREEN), strict=True):
            if key in curves:
                values = curves[key][quantity]
                axis.plot(range(1, len(values) + 1), values, color=color, label=label, linewidth=1)
        axis.set(xlabel="epoch", ylabel=QUANTITIES[quantity], yscale="log")
    if curves:
        axes[0].legend()
