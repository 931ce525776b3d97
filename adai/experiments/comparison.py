"""Test errors, or perplexities, of several optimizers side by side, over seeds, and paired against a baseline."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median, stdev
from typing import Any

from adai.book.figures import optimizer_colour
from adai.records import Record, comparable

QUANTITIES = {
    "train_loss": "training loss",
    "test_error": "test error (%)",
    "test_perplexity": "test perplexity",
}
"""Curves of a record, as an axis names them."""


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds.

    Args:
        values: one per seed, at least one; errors in percentage points.
    """

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return fmean(self.values)

    @property
    def median(self) -> float:
        """The median over seeds, which one failed run does not move."""
        return median(self.values)

    @property
    def std(self) -> float | None:
        """The sample standard deviation; None with fewer than two seeds."""
        return stdev(self.values) if len(self.values) > 1 else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the mean by Student's t; None with fewer than two seeds."""
        if self.std is None:
            return None
        from scipy.special import stdtrit

        n = len(self.values)
        half = float(stdtrit(n - 1, 0.975)) * self.std / n**0.5
        return self.mean - half, self.mean + half

    def __str__(self) -> str:
        return f"{self.mean:.2f}" + ("" if self.std is None else f" ± {self.std:.2f}")


@dataclass(frozen=True)
class Row:
    """One optimizer of a comparison; a field is None where there is no run to compute it from.

    Args:
        label: the optimizer as a reader knows it.
        last: test error, or whatever is compared, of the last epoch.
        best: that of the best epoch of each run, chosen on the test set as the paper does, so optimistic.
        difference: that of the last epoch minus the baseline's at the same seed.
    """

    label: str
    last: Estimate | None
    best: Estimate | None
    difference: Estimate | None


class Table:
    """A table that prints itself as text and as Markdown."""

    title: str

    def cells(self) -> list[list[str]]:
        """The table as text, its heading first; what nobody has run yet is an empty cell."""
        raise NotImplementedError

    def __str__(self) -> str:
        cells = self.cells()
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ("  ".join(map(str.ljust, line, widths)).rstrip() for line in cells)
        return "\n".join([self.title, *lines])

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        heading, *rows = ("| " + " | ".join(line) + " |" for line in self.cells())
        return "\n".join([heading, "| --- |" + " ---: |" * (len(self.cells()[0]) - 1), *rows])


@dataclass(frozen=True, repr=False)
class Comparison(Table):
    """Rows by optimizer, in the experiment's order, with the scale and data set they all share."""

    rows: dict[str, Row]
    baseline: str
    scale: str | None
    data: str | None
    quantity: str = "test_error"

    def __getitem__(self, optimizer: str) -> Row:
        return self.rows[optimizer]

    @property
    def title(self) -> str:
        """What is compared."""
        return f"{self.quantity.replace('_', ' ')}, {self.data or 'no data'}, scale {self.scale or 'none'}"

    def cells(self) -> list[list[str]]:
        """Errors over seeds, and the difference to the baseline."""
        against = f"minus {self.rows[self.baseline].label} [95 %]"
        last, best = (f"{epoch} epoch{', %' if self.quantity == 'test_error' else ''}" for epoch in ("last", "best"))
        lines = [["optimizer", "seeds", last, "median", best, against]]
        for row in self.rows.values():
            interval = row.difference and row.difference.interval
            difference = f"{row.difference.mean:+.2f} [{interval[0]:+.2f}, {interval[1]:+.2f}]" if interval else ""
            if row.last:
                errors = [str(len(row.last.values)), str(row.last), f"{row.last.median:.2f}", str(row.best)]
            else:
                errors = ["0", "", "", ""]
            lines.append([row.label, *errors, difference])
        return lines


def compare(
    records: Iterable[Record], labels: Mapping[str, str], baseline: str, quantity: str = "test_error"
) -> Comparison:
    """Compare the test errors of optimizers.

    Args:
        records: runs of one scale and data set.
        labels: the optimizers to show, in order, with their labels.
        baseline: the optimizer against which the others are paired, seed by seed.
        quantity: the curve that is compared.

    Raises:
        RecordError: the records are of several scales or data sets.
    """
    records = comparable(records)
    errors = {name: {} for name in labels}
    for record in records:
        errors[record.spec.optimizer][record.spec.seed] = record.curves[quantity]
    rows = {}
    for name, label in labels.items():
        runs = errors[name]
        paired = runs.keys() & errors[baseline].keys() if name != baseline else ()
        rows[name] = Row(
            label,
            last=estimated(curve[-1] for curve in runs.values()),
            best=estimated(min(curve) for curve in runs.values()),
            difference=estimated(runs[seed][-1] - errors[baseline][seed][-1] for seed in sorted(paired)),
        )
    first = records[0] if records else None
    return Comparison(rows, baseline, first and first.spec.scale, first and first.data["label"], quantity)


def learning_curves(
    records: Iterable[Record],
    axes: Sequence[Any],
    labels: Mapping[str, str],
    quantities: Sequence[str] = ("train_loss", "test_error"),
) -> None:
    """Draw learning curves: the median over seeds, in a band in which all seeds lie, so a failed run shows.

    Args:
        records: runs of one scale and data set.
        axes: a matplotlib axis for each quantity.
        labels: the optimizers to show, in order, with their labels.
        quantities: names of curves, each one of `QUANTITIES`.

    Raises:
        RecordError: the records are of several scales or data sets.
    """
    records = comparable(records)
    for axis, quantity in zip(axes, quantities, strict=True):
        for optimizer, label in labels.items():
            curves = [record.curves[quantity] for record in records if record.spec.optimizer == optimizer]
            if not curves:
                continue
            by_epoch = list(zip(*curves, strict=True))
            epochs = range(1, len(by_epoch) + 1)
            axis.plot(epochs, [median(values) for values in by_epoch], color=optimizer_colour(label), label=label)
            low, high = [min(values) for values in by_epoch], [max(values) for values in by_epoch]
            axis.fill_between(epochs, low, high, color=optimizer_colour(label), alpha=0.2, linewidth=0)
        axis.set(xlabel="epoch", ylabel=QUANTITIES[quantity], yscale="log")
    if axes[0].lines:
        axes[0].legend()


def estimated(values: Iterable[float]) -> Estimate | None:
    """A mean over seeds, from one value a seed; None where there is none."""
    values = tuple(values)
    return Estimate(values) if values else None
