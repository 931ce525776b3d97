"""Adai, SGD with momentum and Adam train a small network on scikit-learn's digits.

Nothing is tuned. Learning rates, momentum and weight decay are the paper's for CIFAR-10 (App. D.1), network and
number of epochs were chosen by the time they take, and all of it, seeds included, was fixed before any test error
was seen.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from adai.experiments.base import NOTHING, Fields, Inputs
from adai.experiments.comparison import Comparison, compare, learning_curves
from adai.records import Record, Spec, read_record

LABELS = {"adai": "Adai", "sgd": "SGD M", "adam": "Adam"}
"""The optimizers in the order of tables and legends, with the paper's labels."""
HYPERPARAMETERS: dict[str, dict[str, Any]] = {
    "adai": {"lr": 1, "weight_decay": 5e-4},
    "sgd": {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4},
    "adam": {"lr": 1e-3, "weight_decay": 5e-4},
}
RECIPE: Fields = {"dataset": "digits", "model": "mlp", "batch_size": 32}
SEEDS = {"smoke": 2, "laptop": 10}
SIZES: dict[str, Fields] = {
    "smoke": {"epochs": 2, "dataset_options": {"limit": 128}, "model_options": {"width": 8}},
    "laptop": {"epochs": 100, "model_options": {"width": 64}},
}


def runs(scale: str, given: Inputs = NOTHING) -> dict[str, Spec]:
    """Return the runs at one scale by name, seed by seed; none if the experiment does not have the scale."""
    if scale not in SIZES:
        return {}
    return {
        f"digits/{optimizer}/{seed}": Spec(
            experiment="digits",
            scale=scale,
            optimizer=optimizer,
            seed=seed,
            **(RECIPE | SIZES[scale] | {"hyperparameters": hyperparameters}),
        )
        for seed in range(SEEDS[scale])
        for optimizer, hyperparameters in HYPERPARAMETERS.items()
    }


def spec_by_hash(experiment: str, name: str, folder: Path) -> Spec:
    """Return the spec of a run whose last weights are measured.

    Measurements at smoke scale take the smoke runs of this module, which leave no record; all others have a record.

    Args:
        experiment: of the run.
        name: the spec's hash.
        folder: the records folder.

    Raises:
        RecordError: there is no such record.
    """
    smoke = {spec.hash: spec for spec in runs("smoke").values()}
    return smoke.get(name) or read_record(folder / experiment / f"{name}.json").spec


def table(records: Iterable[Record]) -> Comparison:
    """Return the test errors over seeds, and each optimizer's difference to SGD at the same seed."""
    return compare(records, LABELS, baseline="sgd")


def figure(records: Iterable[Record], axes: Sequence[Any]) -> None:
    """Draw the learning curves on two axes: training loss and test error."""
    learning_curves(records, axes, LABELS)
