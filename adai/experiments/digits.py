"""Adai, SGD with momentum and Adam train a small network on scikit-learn's digits.

Nothing is tuned. Learning rates, momentum and weight decay are the paper's for CIFAR-10 (App. D.1), network and
number of epochs were chosen by the time they take, and all of it, seeds included, was fixed before any test error
was seen.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from adai.experiments.base import NOTHING, Inputs
from adai.experiments.comparison import Comparison, compare, learning_curves
from adai.records import Record, Spec, read_record

LABELS = {"adai": "Adai", "sgd": "SGD M", "adam": "Adam"}
"""In the order of tables and legends, with the paper's labels."""
HYPERPARAMETERS = {
    "adai": {"lr": 1, "weight_decay": 5e-4},
    "sgd": {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4},
    "adam": {"lr": 1e-3, "weight_decay": 5e-4},
}
SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"seeds": 2, "epochs": 2, "dataset_options": {"limit": 128}, "model_options": {"width": 8}},
    "laptop": {"seeds": 10, "epochs": 100, "model_options": {"width": 64}},
}


def runs(scale: str, given: Inputs = NOTHING) -> dict[str, Spec]:
    """The runs at one scale by name; none where the experiment does not have the scale."""
    size = dict(SIZES.get(scale, {"seeds": 0}))
    seeds = size.pop("seeds")
    return {
        f"digits/{optimizer}/{seed}": Spec(
            experiment="digits",
            scale=scale,
            dataset="digits",
            model="mlp",
            optimizer=optimizer,
            hyperparameters=hyperparameters,
            seed=seed,
            batch_size=32,
            **size,
        )
        for seed in range(seeds)
        for optimizer, hyperparameters in HYPERPARAMETERS.items()
    }


def ended(experiment: str, name: str, folder: Path) -> Spec:
    """Return the spec of a run that measurements start from, by its experiment and hash.

    Measurements at smoke scale take the runs here, which leave no record and are trained anew; all others have one.

    Args:
        experiment: of the run.
        name: its hash.
        folder: the records folder.

    Raises:
        RecordError: there is no such record.
    """
    smoke = {spec.hash: spec for spec in runs("smoke").values()}
    return smoke.get(name) or read_record(Path(folder) / experiment / f"{name}.json").spec


def table(records: Iterable[Record]) -> Comparison:
    """Test errors over seeds, and each optimizer's difference to SGD at the same seed.

    Raises:
        RecordError: the records are of several scales or data sets.
    """
    return compare(records, LABELS, baseline="sgd")


def figure(records: Iterable[Record], axes: Sequence[Any]) -> None:
    """Draw learning curves: the median over seeds, in a band in which all seeds lie, so a failed run shows.

    Args:
        records: runs of one scale and data set.
        axes: two matplotlib axes, for the training loss and the test error.

    Raises:
        RecordError: the records are of several scales or data sets.
    """
    learning_curves(records, axes, LABELS)
