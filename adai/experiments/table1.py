"""Table 1: ten optimizers at the paper's settings, one experiment a row.

All settings are the paper's for CIFAR-10 (Appendix D.1); what it leaves open is each optimizer's own default.
Nothing is tuned here. Seeds were fixed before any test error was seen.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from adai.experiments import images
from adai.experiments.base import NOTHING, Inputs
from adai.experiments.comparison import Comparison, compare, learning_curves
from adai.records import Record, Spec

SEEDS = {"smoke": 1, "laptop": 5, "colab": 1, "paper": 3}
KEPT = ("adai", "sgd", "adam")
"""The optimizers whose last weights are kept, for the measurements of sharpness."""


def name(row: str) -> str:
    """Return the name of a row's experiment: `table1` for the first row, `table1-vgg16` for another, say."""
    return "table1" if row == images.FIRST_ROW else f"table1-{row}"


def runs(scale: str, given: Inputs = NOTHING, row: str = images.FIRST_ROW) -> dict[str, Spec]:
    """Return the runs at one scale by name, seed by seed; none if the row does not have the scale.

    Args:
        scale: one of the scales.
        given: only its label is used.
        row: one of `images.SIZES`.
    """
    experiment = name(row)
    return {
        f"{experiment}/{optimizer}/{seed}": images.spec(
            experiment,
            scale,
            optimizer,
            seed,
            row,
            label=given.label,
            changes={"keep_weights": optimizer in KEPT and scale in ("laptop", "colab")},
        )
        for seed in range(SEEDS[scale] if scale in images.SIZES[row] else 0)
        for optimizer in images.LABELS
    }


def table(records: Iterable[Record]) -> Comparison:
    """Return the test errors over seeds, and each optimizer's difference to SGD at the same seed."""
    return compare(records, images.LABELS, baseline="sgd")


def figure(records: Iterable[Record], axes: Sequence[Any]) -> None:
    """Draw the learning curves of AdaiW, Adai, SGD with momentum and Adam on two axes: training loss and test error."""
    learning_curves(records, axes, {name: images.LABELS[name] for name in ("adaiw", "adai", "sgd", "adam")})
