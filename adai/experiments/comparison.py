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
"""Curves of a record, with the names that axes show."""


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds.

    Args:
        values: one per seed, at least one.
    """

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Return the mean over seeds."""
        return fmean(self.values)

    @property
    def median(self) -> float:
        """Return the median over seeds, which one failed run hardly moves."""
        return median(self.values)

    @property
    def std(self) -> float | None:
        """Return the sample standard deviation; None with fewer than two seeds."""
        return stdev(self.values) if len(self.values) > 1 else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Return the 95 % interval of the mean by Student's t; None with fewer than two seeds."""
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
    """One optimizer of a comparison; a field is None if there is no run to compute it from.

    Args:
        label: the optimizer's name for readers.
        last: test error, or whatever is compared, of the last epoch.
        best: the same of each run's best epoch, chosen on the test set as the paper does, so optimistic.
        difference: the same of the last epoch, minus the baseline's at the same seed.
    """

    label: str
    last: Estimate | None
    best: Estimate | None
    difference: Estimate | None


class Table:
    """A table that prints itself as text and as Markdown."""

    title: str

    def cells(self) -> list[list[str]]:
        """Return the cells as text, line by line, the heading first; empty texts where nothing has been run yet."""
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
    """Rows by optimizer, in the experiment's order, and the curve of which they are."""

    title: str
    rows: dict[str, Row]
    baseline: str
    quantity: str

    def __getitem__(self, optimizer: str) -> Row:
        return self.rows[optimizer]

    def cells(self) -> list[list[str]]:
        """Return for each optimizer the errors over seeds, and their difference to the baseline's."""
        against = f"minus {self.rows[self.baseline].label} [95 %]"
        last, best = (f"{epoch} epoch{', %' if self.quantity == 'test_error' else ''}" for epoch in ("last", "best"))
        lines = [["optimizer", "seeds", last, "median", best, against]]
        for row in self.rows.values():
            difference = ""
            if row.difference and row.difference.interval:
                low, high = row.difference.interval
                difference = f"{row.difference.mean:+.2f} [{low:+.2f}, {high:+.2f}]"
            if row.last:
                errors = [str(len(row.last.values)), str(row.last), f"{row.last.median:.2f}", str(row.best)]
            else:
                errors = ["0", "", "", ""]
            lines.append([row.label, *errors, difference])
        return lines


def compare(
    records: Iterable[Record], labels: Mapping[str, str], baseline: str, quantity: str = "test_error"
) -> Comparison:
    """Return the test errors of optimizers side by side, each paired with the baseline's at the same seed.

    Args:
        records: runs of one scale and data set.
        labels: the optimizers to show, in order, with their labels.
        baseline: the optimizer against which the others are paired, seed by seed.
        quantity: the curve that is compared.

    Raises:
        RecordError: the records are of several scales or data sets.
    """
    records = comparable(records)
    errors: dict[str, dict[int, list[float]]] = {name: {} for name in labels}
    for record in records:
        errors[record.spec.optimizer][record.spec.seed] = record.curves[quantity]
    rows = {}
    for name, label in labels.items():
        runs = errors[name]
        paired = runs.keys() & errors[baseline].keys() if name != baseline else ()
        rows[name] = Row(
            label,
            last=estimate(curve[-1] for curve in runs.values()),
            best=estimate(min(curve) for curve in runs.values()),
            difference=estimate(runs[seed][-1] - errors[baseline][seed][-1] for seed in sorted(paired)),
        )
    data, scale = (records[0].data["label"], records[0].spec.scale) if records else ("no data", "none")
    return Comparison(f"{quantity.replace('_', ' ')}, {data}, scale {scale}", rows, baseline, quantity)


def learning_curves(
    records: Iterable[Record],
    axes: Sequence[Any],
    labels: Mapping[str, str],
    quantities: Sequence[str] = ("train_loss", "test_error"),
) -> None:
    """Draw learning curves: the median over seeds, in a band from the lowest to the highest, so a failed run shows.

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


def estimate(values: Iterable[float]) -> Estimate | None:
    """Return the estimate from one value a seed; None if there are no values."""
    values = tuple(values)
    return Estimate(values) if values else None
