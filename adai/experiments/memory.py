"""Why Adai is behind in short runs: the longest memory that it may have, cut to a tenth.

Where gradients are small, Adai's inertia is 1 - eps, and what happened 1/eps = 1,000 steps ago still moves the weight.
The laptop's runs of Figures 3 and 12 are five and two such memories long, the paper's own run on ImageNet is five
hundred. So here Adai runs with eps = 0.01, a memory of 100 steps, on the same seeds, and nothing else is changed.

**Prediction.** If the memory is the reason, this closes more than half of Adai's distance to SGD with momentum, in both
experiments. It was written down when two seeds of Figure 3 and the choosing runs of Figure 12 were known, Adai behind
in each, and before any run with a shorter memory was made.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from statistics import fmean
from types import SimpleNamespace
from typing import Any

from adai.experiments import imagenet, language
from adai.experiments.comparison import Estimate, Table, estimated, learning_curves
from adai.optim import settings
from adai.records import TEST_CURVES, Record, Spec, comparable

EPS = 0.01
HALF = 0.5
"""The share of the distance to SGD that the prediction asks for."""
LABELS = {"paper": "Adai, memory of 1,000 steps", "short": "Adai, memory of 100 steps", "sgd": "SGD M"}


def runs(scale: str, row: str) -> dict[str, Spec]:
    """The runs at one scale by name, seed by seed; none at scales that only GPUs reach.

    Args:
        scale: one of the scales.
        row: `imagenet` or `language`, whose runs of Adai these are but for the memory.
    """
    if scale not in ("smoke", "laptop"):
        return {}
    found = {}
    for name, spec in {"imagenet": imagenet, "language": language}[row].runs(scale).items():
        _, optimizer, *_, seed = name.split("/")
        if optimizer == "adai":
            changes = spec.hyperparameters | {"eps": EPS}
            found[f"memory-{row}/adai/{seed}"] = replace(spec, experiment=f"memory-{row}", hyperparameters=changes)
    return found


def by_variant(records: Iterable[Record]) -> dict[str, dict[int, Record]]:
    """Records by seed, for each of `LABELS`; those of other optimizers are left out.

    Raises:
        RecordError: the records are of several scales or data sets.
    """
    found: dict[str, dict[int, Record]] = {name: {} for name in LABELS}
    for record in comparable(records):
        name = record.spec.optimizer
        if name == "adai":
            name = {settings("adai", "cifar")["eps"].value: "paper", EPS: "short"}[record.spec.hyperparameters["eps"]]
        if name in found:
            found[name][record.spec.seed] = record
    return found


def closed(records: Iterable[Record]) -> Estimate | None:
    """The share of Adai's distance to SGD, in the last epoch and at the same seed, that the short memory closes.

    0 is Adai at the paper's memory, 1 is SGD with momentum. None where no seed has all three runs.

    Raises:
        RecordError: the records are of several scales or data sets.
    """
    variants = by_variant(records)
    seeds = sorted(set.intersection(*(set(runs) for runs in variants.values())))
    last = {
        name: {seed: runs[seed].curves[quantity(runs[seed])][-1] for seed in seeds} for name, runs in variants.items()
    }
    return estimated(
        (last["paper"][seed] - last["short"][seed]) / (last["paper"][seed] - last["sgd"][seed]) for seed in seeds
    )


def verdict(records: Iterable[Record]) -> str:
    """What became of the prediction, in one sentence.

    Raises:
        RecordError: the records are of several scales or data sets.
    """
    share = closed(records)
    if share is None or share.interval is None:
        return "*The share of the distance that the short memory closes*: not run yet."
    low, high = share.interval
    found = (
        f"The short memory closes {share.mean:.0%} of Adai's distance to SGD M, 95 % interval [{low:.0%}, {high:.0%}]"
    )
    if low > HALF:
        return f"{found}: as predicted, more than half."
    return f"{found}: " + (
        "less than half, not as predicted." if high < HALF else "whether more than half is undecided."
    )


def quantity(record: Record) -> str:
    """The name of the curve that a run is judged by."""
    return next(name for name in TEST_CURVES if name in record.curves)


class Memory(Table):
    """Adai at both memories, and SGD with momentum."""

    def __init__(self, records: Iterable[Record]) -> None:
        records = list(records)
        self.variants = by_variant(records)
        self.title = f"last epoch, {records[0].data['label'] if records else 'no data'}"

    def cells(self) -> list[list[str]]:
        """One line for each of `LABELS`; what nobody has run yet is empty."""
        lines = [["optimizer", "seeds", "training loss", "on the test set"]]
        for name, label in LABELS.items():
            runs = self.variants[name].values()
            if runs:
                loss = fmean(run.curves["train_loss"][-1] for run in runs)
                tested = estimated(run.curves[quantity(run)][-1] for run in runs)
                lines.append([label, str(len(runs)), f"{loss:.3f}", str(tested)])
            else:
                lines.append([label, "0", "", ""])
        return lines


def table(records: Iterable[Record]) -> Memory:
    """Training loss, and error or perplexity, at both memories.

    Raises:
        RecordError: the records are of several scales or data sets.
    """
    return Memory(records)


def figure(records: Iterable[Record], axes: Sequence[Any]) -> None:
    """Draw the learning curves of Adai with the short memory.

    Args:
        records: runs of one scale and data set.
        axes: two matplotlib axes, for the training loss and what the test set shows.

    Raises:
        RecordError: the records are of several scales or data sets.
    """
    short = list(by_variant(records)["short"].values())
    curves = ("train_loss", quantity(short[0]) if short else "test_error")
    learning_curves(short, axes, {"adai": "Adai"}, curves)


ROWS = {
    f"memory-{row}": SimpleNamespace(runs=partial(runs, row=row), table=table, figure=figure)
    for row in ("imagenet", "language")
}
"""The experiments, each with the functions of a module."""
