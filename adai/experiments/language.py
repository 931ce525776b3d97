"""Figure 12: Adai, SGD with momentum and Adam train an LSTM on Penn Treebank, each at the rate that validation chose.

Batch size, truncation, clipping and weight decay are the paper's (Appendix D.2). It prints no schedule and no number
of epochs: the rate stays as it is, and a full run has the 39 epochs of Zaremba et al. (2014), whose network it names.

**Choosing.** One run for each rate, on a seed that nothing else uses, judged by the validation perplexity of the last
epoch alone. The rates are powers of ten, as in the paper: three for each optimizer, then one more beyond the best for
as long as the best lies at an edge (`choosing`). Runs for the results, on other seeds, exist once that is settled. At
`colab` scale they take the rates that were chosen at laptop scale.

**Laptop.** One layer of a fifth of the paper's width, with tied embedding and dropout 0.2, on the first quarter of the
training text; validation and test texts are whole. A pilot on seed 1000 and the validation text fixed this: SGD at rate
1 for two epochs, with two layers and dropout 0.5 (perplexity 467), with two and 0.2 (409), with one and 0.2 (327); the
last was taken. Adai at 10 and Adam at 0.01 then ran for the time it takes: 38 seconds an epoch on one core, the
validation text included. That SGD chose the network favours SGD, if anyone.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from adai.experiments import choosing
from adai.experiments.base import NOTHING, Fields, Inputs
from adai.experiments.comparison import Comparison, Table, compare, learning_curves
from adai.optim import settings
from adai.records import Record, Spec, comparable

LABELS = {"adai": "Adai", "sgd": "SGD M", "adam": "Adam"}
SEED = 2000
"""The seed of the runs that choose."""
START = {"adai": (1, 10, 100), "sgd": (0.1, 1, 10), "adam": (1e-4, 1e-3, 1e-2)}
"""The rates that are always tried. Adai's are those of SGD in its own unit, ten times as large at momentum 0.9."""
RECIPE: Fields = {"dataset": "ptb", "model": "lstm", "batch_size": 20, "milestones": ()}
SEEDS = {"smoke": 1, "laptop": 5, "colab": 1, "paper": 3}
SIZES: dict[str, Fields] = {
    "smoke": {
        "epochs": 1,
        "dataset_options": {"limit": 1400},
        "model_options": {"width": 8, "layers": 1, "tied": True},
    },
    "laptop": {
        "epochs": 5,
        "dataset_options": {"limit": 232_000},
        "model_options": {"width": 100, "layers": 1, "dropout": 0.2, "tied": True},
    },
    "colab": {"epochs": 20, "precision": "mixed"},
    "paper": {"epochs": 39},
}
CHOSEN_AT = {"laptop": "laptop", "colab": "laptop", "paper": "paper"}
"""The scale of the runs that choose; smoke runs take the rate in the middle of `START`."""


def runs(scale: str, given: Inputs = NOTHING) -> dict[str, Spec]:
    """Return the runs at one scale by name: those that choose, then the results of each optimizer that has chosen.

    Raises:
        RecordError: a record of this experiment is damaged.
    """
    if scale == "smoke":
        rates = {optimizer: middle for optimizer, (_, middle, _) in START.items()}
        return _results(scale, rates)
    chooses = CHOSEN_AT[scale] == scale
    kept = (given.records if chooses else given.records_of_another_scale)("language", CHOSEN_AT[scale])
    found = perplexities(kept)
    choosing_runs: dict[str, Spec] = {}
    if chooses:
        choosing_runs = {
            f"language/choose/{optimizer}/{lr:g}": _spec(scale, optimizer, lr, SEED)
            for optimizer in LABELS
            for lr in choosing.grid(START[optimizer], found[optimizer])
        }
    return choosing_runs | _results(scale, chosen_rates(found))


def perplexities(records: Iterable[Record]) -> dict[str, dict[float, float]]:
    """Return the last validation perplexity of the runs that choose, by optimizer and rate."""
    found: dict[str, dict[float, float]] = {optimizer: {} for optimizer in LABELS}
    for record in records:
        if record.spec.seed == SEED:
            found[record.spec.optimizer][record.spec.hyperparameters["lr"]] = record.curves["valid_perplexity"][-1]
    return found


def chosen_rates(found: Mapping[str, Mapping[float, float]]) -> dict[str, float]:
    """Return the best rate of each optimizer whose whole grid has been tried.

    Args:
        found: from `perplexities`.
    """
    return choosing.chosen_rates(START, found)


class Choice(Table):
    """Validation perplexities by optimizer and learning rate."""

    title = f"validation perplexity of the last epoch, seed {SEED}; * marks the rate chosen"

    def __init__(self, records: Iterable[Record]) -> None:
        self.found = perplexities(comparable(records))
        self.best = chosen_rates(self.found)

    def cells(self) -> list[list[str]]:
        """Return one line for each optimizer, with empty cells where nothing has been run yet."""
        grids = {optimizer: choosing.grid(START[optimizer], self.found[optimizer]) for optimizer in LABELS}
        rates = sorted({rate for rates in grids.values() for rate in rates})
        lines = [["optimizer", *(f"{rate:g}" for rate in rates)]]
        for optimizer, label in LABELS.items():
            found, best = self.found[optimizer], self.best.get(optimizer)
            lines.append([label, *(f"{found[r]:.1f}" + " *" * (r == best) if r in found else "" for r in rates)])
        return lines


def results(records: Iterable[Record]) -> list[Record]:
    """Return the records whose seeds took no part in choosing."""
    return [record for record in records if record.spec.seed != SEED]


def comparison(records: Iterable[Record], baseline: str = "sgd", quantity: str = "test_perplexity") -> Comparison:
    """Return each optimizer's perplexities at its own rate, and its difference to the baseline at the same seed.

    Raises:
        RecordError: the records are of several scales or data sets.
    """
    return compare(results(records), LABELS, baseline, quantity)


def table(records: Iterable[Record]) -> Table:
    """Return the comparison once there are results, before that the perplexities that choose."""
    records = list(records)
    return comparison(records) if results(records) else Choice(records)


def figure(records: Iterable[Record], axes: Sequence[Any]) -> None:
    """Draw the learning curves of the results on two axes: training loss and test perplexity."""
    learning_curves(results(records), axes, LABELS, ("train_loss", "test_perplexity"))
    for axis in axes:  # a few epochs, within a factor of ten
        axis.set_yscale("linear")
        axis.xaxis.get_major_locator().set_params(integer=True)


def _results(scale: str, rates: Mapping[str, float]) -> dict[str, Spec]:
    return {
        f"language/{optimizer}/{seed}": _spec(scale, optimizer, lr, seed)
        for seed in range(SEEDS[scale])
        for optimizer, lr in rates.items()
    }


def _spec(scale: str, optimizer: str, lr: float, seed: int) -> Spec:
    paper: dict[str, Any] = {name: setting.value for name, setting in settings(optimizer, "ptb").items()}
    return Spec(
        experiment="language",
        scale=scale,
        optimizer=optimizer,
        seed=seed,
        bptt=35,
        clip=1,
        **(RECIPE | SIZES[scale] | {"hyperparameters": paper | {"lr": lr}}),
    )
