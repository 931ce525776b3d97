"""How much of a step adapts: Padam's power from 0, where it is damped momentum, to 1/2, where it is AMSGrad.

The paper has no such experiment, but its thesis that adapting the learning rate costs test error speaks of it: these
optimizers share all but the power. Each power runs at the rate that it chose, as in `rates`: by the held-out error of
the last epoch, on a seed that no result uses, among powers of ten, and one more while the best lies at an edge. Padam's
own power of 1/8 and AMSGrad chose in `rates`; their runs are those of `tuned`, on the same seeds, and not made twice.

**Prediction**, committed before any run at 0 or 1/4 was made, while the errors at 1/8 (26.5 %) and 1/2 (29.1 %) were
known: if the thesis holds here, the error rises with the power, from each to the next.
"""

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

from adai.book.figures import optimizer_colour
from adai.experiments import choosing, images, rates, table1_tuned
from adai.experiments.base import NOTHING, Fields, Inputs
from adai.experiments.comparison import QUANTITIES, Estimate, Table, estimate
from adai.records import Record, Spec, comparable

START = {0.25: (0.01, 0.1, 1.0), 0.0: (0.1, 1.0, 10.0)}
"""The rates that are always tried, by power; the powers most wanted first."""
TUNED = {"padam": 0.125, "amsgrad": 0.5}
"""The optimizers of `tuned` whose powers are compared, with their powers."""
POWERS = sorted({*START, *TUNED.values()})
SEEDS = range(3)


def runs(scale: str, given: Inputs = NOTHING) -> dict[str, Spec]:
    """Return the runs at one scale by name: those that choose, then the results of each power that has chosen.

    Raises:
        RecordError: a record that the choice depends on is damaged, or they are of several data sets.
    """
    if scale not in images.SIZES[images.FIRST_ROW]:
        return {}
    found = held_out_errors(given.records("power", scale))
    choosing_runs = {
        f"power/choose/{power:g}/{lr:g}": _spec(scale, power, lr, rates.SEED, given.label, holdout=images.HELD_OUT)
        for power, start in START.items()
        for lr in choosing.grid(start, found[power])
    }
    results = {
        f"power/{power:g}/{seed}": _spec(scale, power, lr, seed, given.label)
        for seed in SEEDS
        for power, lr in choosing.chosen_rates(START, found).items()
    }
    shared = {
        f"power/{TUNED[spec.optimizer]:g}/{spec.seed}": spec
        for spec in table1_tuned.runs(scale, given).values()
        if spec.optimizer in TUNED and spec.seed in SEEDS
    }
    return choosing_runs | results | shared


def _spec(scale: str, power: float, lr: float, seed: int, label: str | None, **options: Any) -> Spec:
    changes: Fields = {"hyperparameters": {"partial": power, "lr": lr}, "dataset_options": options}
    return images.spec("power", scale, "padam", seed, label=label, changes=changes)


def held_out_errors(records: Iterable[Record]) -> dict[float, dict[float, float]]:
    """Return the last held-out error of the runs that choose, by power and rate."""
    errors: dict[float, dict[float, float]] = {power: {} for power in START}
    for record in records:
        if record.spec.seed == rates.SEED:
            settings = record.spec.hyperparameters
            errors[settings["partial"]][settings["lr"]] = record.curves["held_out_error"][-1]
    return errors


def results_by_power(records: Iterable[Record]) -> dict[float, dict[int, Record]]:
    """Return the runs that took no part in choosing, by power and seed.

    Raises:
        RecordError: the records are of several scales or data sets.
    """
    by_power: dict[float, dict[int, Record]] = {power: {} for power in POWERS}
    for record in comparable(records):
        if record.spec.seed != rates.SEED:
            spec = record.spec
            power = TUNED["amsgrad"] if spec.optimizer == "amsgrad" else spec.hyperparameters["partial"]
            by_power[power][spec.seed] = record
    return by_power


def rise(records: Iterable[Record], lower: float, higher: float) -> Estimate | None:
    """Return by how much the last epoch's test error rises from one power to another, in percentage points.

    Returns:
        One value a seed; None if no seed has both powers.

    Raises:
        RecordError: the records are of several scales or data sets.
    """
    by_power = results_by_power(records)
    low, high = by_power[lower], by_power[higher]
    return estimate(
        high[seed].curves["test_error"][-1] - low[seed].curves["test_error"][-1]
        for seed in sorted(low.keys() & high.keys())
    )


def verdict(records: Iterable[Record], lower: float, higher: float) -> str:
    """Return in one sentence whether the test error rises from one power to another, as predicted.

    Raises:
        RecordError: the records are of several scales or data sets.
    """
    change, step = rise(records, lower, higher), f"from power {lower:g} to {higher:g}"
    if change is None or change.interval is None:
        return f"*{step}*: not run yet."
    low, high = change.interval
    judged = "rises, as predicted" if low > 0 else "falls, not as predicted" if high < 0 else "undecided"
    return f"{step} by {change.mean:+.2f} points, 95 % interval [{low:+.2f}, {high:+.2f}]: {judged}"


class Powers(Table):
    """Training loss and test error by power."""

    def __init__(self, records: Iterable[Record]) -> None:
        records = list(records)
        self.results = results_by_power(records)
        self.title = f"last epoch, {records[0].data['label'] if records else 'no data'}"

    def cells(self) -> list[list[str]]:
        """Return one line for each power, at its chosen rate, with empty cells where nothing has been run yet."""
        lines = [["power", "rate", "seeds", "training loss", "test error, %", "seed by seed"]]
        for power, by_seed in self.results.items():
            runs = [run for _, run in sorted(by_seed.items())]
            if not runs:
                lines.append([f"{power:g}", "", "0", "", "", ""])
                continue
            rate = runs[0].spec.hyperparameters["lr"]
            loss = fmean(run.curves["train_loss"][-1] for run in runs)
            errors = [run.curves["test_error"][-1] for run in runs]
            each = ", ".join(f"{error:.2f}" for error in errors)
            lines.append([f"{power:g}", f"{rate:g}", str(len(runs)), f"{loss:.2g}", str(estimate(errors)), each])
        return lines


def table(records: Iterable[Record]) -> Powers:
    """Return training loss and test error of each power."""
    return Powers(records)


def figure(records: Iterable[Record], axes: Sequence[Any]) -> None:
    """Draw the last training loss and test error against the power, on two axes; a line for each seed."""
    by_power = results_by_power(records)
    for axis, quantity in zip(axes, ("train_loss", "test_error"), strict=True):
        for seed in SEEDS:
            points = [(power, runs[seed].curves[quantity][-1]) for power, runs in by_power.items() if seed in runs]
            axis.plot(
                [power for power, _ in points],
                [end for _, end in points],
                "o-",
                color=optimizer_colour("Padam"),
                alpha=0.6,
            )
        axis.set(xlabel="power", ylabel=QUANTITIES[quantity], xticks=POWERS)
    axes[0].set_yscale("log")
