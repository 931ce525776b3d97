"""Figure 11: Adai and Adam for five times as long as in Table 1, at a fixed learning rate.

The paper trains VGG16 for 1,000 epochs and compares training losses; the schedule of its Table 1 reads as one of 200.
Adai runs at the paper's rate and at the half of it that Figure 10 names beside it. One seed; nothing is chosen.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from adai.book.figures import GREEN, ORANGE, PURPLE
from adai.experiments import images
from adai.experiments.comparison import Table
from adai.records import Record, Spec, comparable

TIMES_LONGER = 5
RUNS = {"adam/1": ("adam", 0.001), "adai/1": ("adai", 1.0), "adai/0.5": ("adai", 0.5)}
"""Optimizer and learning rate, by the multiple of the paper's rate."""
LABELS = {("adai", 1.0): "Adai", ("adai", 0.5): "Adai, half the rate", ("adam", 0.001): "Adam"}


def runs(scale: str) -> dict[str, Spec]:
    """The runs at one scale by name; none where the experiment does not have the scale."""
    row = "vgg16" if scale == "paper" else images.FIRST_ROW
    sizes = images.SIZES[row]
    if scale not in sizes:
        return {}
    epochs = TIMES_LONGER * sizes[scale]["epochs"]
    return {
        f"long/{name}": images.spec(
            "long", scale, optimizer, 0, row, hyperparameters={"lr": lr}, epochs=epochs, milestones=()
        )
        for name, (optimizer, lr) in RUNS.items()
    }


class Ends(Table):
    """Where each run ends, and how soon it is as low as another one ever gets."""

    def __init__(self, records: Iterable[Record]) -> None:
        records = comparable(records)
        self.curves = {(r.spec.optimizer, r.spec.hyperparameters["lr"]): r.curves["train_loss"] for r in records}
        self.title = f"training loss, {records[0].data['label'] if records else 'no data'}"

    def cells(self) -> list[list[str]]:
        """Last and lowest training loss of an epoch, and the first epoch below Adam's lowest."""
        adam = self.curves.get(("adam", 0.001))
        lines = [["optimizer", "epochs", "last epoch", "lowest", "first epoch below Adam's lowest"]]
        for key, label in LABELS.items():
            if (curve := self.curves.get(key)) is None:
                lines.append([label, "0", "", "", ""])
                continue
            below = first_below(curve, min(adam)) if adam and curve is not adam else None
            lines.append(
                [label, str(len(curve)), f"{curve[-1]:.2e}", f"{min(curve):.2e}", "" if below is None else str(below)]
            )
        return lines


def first_below(curve: Sequence[float], level: float) -> int | None:
    """The first epoch, counted from 1, whose value is below a level; None where none is."""
    return next((epoch for epoch, value in enumerate(curve, 1) if value < level), None)


def table(records: Iterable[Record]) -> Ends:
    """Training losses at the end.

    Raises:
        RecordError: the records are of several scales or data sets.
    """
    return Ends(records)


def figure(records: Iterable[Record], axes: Sequence[Any]) -> None:
    """Draw training loss and test error over the epochs.

    Args:
        records: runs of one scale and data set.
        axes: two matplotlib axes, for the training loss and the test error.

    Raises:
        RecordError: the records are of several scales or data sets.
    """
    curves = {(r.spec.optimizer, r.spec.hyperparameters["lr"]): r.curves for r in comparable(records)}
    quantities = {"train_loss": "training loss", "test_error": "test error (%)"}
    for axis, (quantity, description) in zip(axes, quantities.items(), strict=True):
        for (key, label), color in zip(LABELS.items(), (ORANGE, PURPLE, GREEN), strict=True):
            if key in curves:
                values = curves[key][quantity]
                axis.plot(range(1, len(values) + 1), values, color=color, label=label, linewidth=1)
        axis.set(xlabel="epoch", ylabel=description, yscale="log")
    axes[0].legend()
