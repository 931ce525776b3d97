"""Why Adai is behind in short runs: two suspects, each tested by changing one number, and nothing else.

**Too long a memory.** Where gradients are small, Adai's inertia is 1 - eps, and what happened 1/eps = 1,000 steps ago
still moves the weight. The laptop's runs of Figures 3 and 12 are five and two such memories long, the paper's own run
on ImageNet is five hundred. `short` has eps = 0.01, a memory of 100 steps at the most. It was devised when two seeds of
Figure 3 and the choosing runs of Figure 12 were known, Adai behind in each.

**Too short a memory.** Where gradients are large, Adai has no inertia, and without inertia a direction of curvature H
is stable up to a learning rate of 2/H, with an inertia of 0.9 up to 38/H (in Adai's unit of the rate). `heavy` has
beta0 = 0.01 instead of 0.1: inertia 0.9 where the squared gradient is ten times its mean over all weights. It was
devised when four runs with the short memory were known, which was no help.

**Prediction**, committed before the runs in each case: if this is the reason, it closes more than half of Adai's
distance to SGD with momentum, at the same seeds, in both experiments.
"""

from collections.abc import Iterable
from dataclasses import replace
from statistics import fmean
from typing import Any

from adai.experiments import imagenet, language
from adai.experiments.base import Inputs
from adai.experiments.comparison import Estimate, Table, estimate
from adai.records import TEST_CURVES, Record, Spec, comparable

VARIANTS: dict[str, dict[str, Any]] = {"short": {"eps": 0.01}, "heavy": {"betas": (0.01, 0.99)}}
"""The hyperparameters of Adai that each variant changes."""
FIRST_RUNS = {"imagenet": imagenet.runs, "language": language.runs}
"""The experiments in which Adai is changed."""
SEEDS = 3
HALF = 0.5
"""The share of the distance to SGD that the prediction asks for."""
LABELS = {
    "paper": "Adai as in the paper",
    "short": "Adai, long memories cut to 100 steps",
    "heavy": "Adai, short memories ten times as long",
    "sgd": "SGD M",
}


def runs(scale: str, given: Inputs, row: str) -> dict[str, Spec]:
    """Return the runs at one scale by name, seed by seed; none at scales that need a GPU.

    Args:
        scale: one of the scales.
        given: the records that chose the rate on the text.
        row: one of `FIRST_RUNS`; these are its runs of Adai with one hyperparameter changed.
    """
    if scale not in ("smoke", "laptop"):
        return {}
    experiment, first = f"memory-{row}", FIRST_RUNS[row](scale, given)
    return {
        f"{experiment}/{variant}/{seed}": replace(
            spec, experiment=experiment, hyperparameters=spec.hyperparameters | changes
        )
        for variant, changes in VARIANTS.items()
        for seed in range(SEEDS)
        if (spec := first.get(f"{row}/adai/{seed}"))
    }


def _by_variant(records: Iterable[Record]) -> dict[str, dict[int, Record]]:
    """Return records by seed for each of `LABELS`, without those of other optimizers.

    Raises:
        RecordError: the records are of several scales or data sets.
    """
    found: dict[str, dict[int, Record]] = {name: {} for name in LABELS}
    for record in comparable(records):
        name = _variant(record.spec) if record.spec.optimizer == "adai" else record.spec.optimizer
        if name in found:
            found[name][record.spec.seed] = record
    return found


def _variant(spec: Spec) -> str:
    changed = (name for name, changes in VARIANTS.items() if changes.items() <= spec.hyperparameters.items())
    return next(changed, "paper")


def share_closed(records: Iterable[Record], variant: str) -> Estimate | None:
    """Return the share of Adai's distance to SGD, in the last epoch and at the same seed, that a variant closes.

    It is 0 for Adai as in the paper, and 1 for SGD with momentum.

    Args:
        records: runs of one scale and data set.
        variant: one of `VARIANTS`.

    Returns:
        One value a seed; None if no seed has all three runs.

    Raises:
        RecordError: the records are of several scales or data sets.
    """
    found = _by_variant(records)
    adai, changed, sgd = (
        {seed: run.curves[_judged_curve(run)][-1] for seed, run in found[name].items()}
        for name in ("paper", variant, "sgd")
    )
    return estimate(
        (adai[seed] - changed[seed]) / (adai[seed] - sgd[seed])
        for seed in sorted(adai.keys() & changed.keys() & sgd.keys())
    )


def verdict(records: Iterable[Record], variant: str) -> str:
    """Return in one sentence whether a variant closes the share that was predicted.

    Args:
        records: runs of one scale and data set.
        variant: one of `VARIANTS`.

    Raises:
        RecordError: the records are of several scales or data sets.
    """
    share = share_closed(records, variant)
    if share is None or share.interval is None:
        return f"*{LABELS[variant]}: the share of the distance that it closes*: not run yet."
    low, high = share.interval
    found = (
        f"{LABELS[variant]}: closes {share.mean:.0%} of the distance to SGD M, 95 % interval [{low:.0%}, {high:.0%}]"
    )
    if low > HALF:
        return f"{found}: as predicted, more than half."
    return f"{found}: " + (
        "less than half, not as predicted." if high < HALF else "whether more than half is undecided."
    )


def _judged_curve(record: Record) -> str:
    """Return the name of the curve by which a run is judged."""
    return next(name for name in TEST_CURVES if name in record.curves)


class Memory(Table):
    """Adai as it is, Adai changed, and SGD with momentum."""

    def __init__(self, records: Iterable[Record]) -> None:
        records = list(records)
        self.variants = _by_variant(records)
        self.title = f"last epoch, {records[0].data['label'] if records else 'no data'}"

    def cells(self) -> list[list[str]]:
        """Return one line for each of `LABELS`, with empty cells where nothing has been run yet."""
        lines = [["optimizer", "seeds", "training loss", "on the test set", "seed by seed"]]
        for name, label in LABELS.items():
            runs = [run for _, run in sorted(self.variants[name].items())]
            if not runs:
                lines.append([label, "0", "", "", ""])
                continue
            loss = fmean(run.curves["train_loss"][-1] for run in runs)
            tested = [run.curves[_judged_curve(run)][-1] for run in runs]
            each = ", ".join(f"{value:.1f}" for value in tested)
            lines.append([label, str(len(runs)), f"{loss:.3f}", str(estimate(tested)), each])
        return lines


def table(records: Iterable[Record]) -> Memory:
    """Return training loss, and error or perplexity, of each of `LABELS`."""
    return Memory(records)
