"""Table 1: ten optimizers at the paper's settings, one experiment a row.

All settings are the paper's for CIFAR-10 (Appendix D.1); what it leaves open is each optimizer's own default.
Nothing is tuned here. Seeds were fixed before any test error was seen.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

from adai.experiments import images
from adai.experiments.comparison import Comparison, compare, learning_curves
from adai.records import Record, Spec

SEEDS = {"smoke": 1, "laptop": 5, "colab": 1, "paper": 3}
KEPT = ("adai", "sgd", "adam")
"""Their weights serve the measurements of sharpness."""


def runs(scale: str, row: str = images.FIRST_ROW) -> dict[str, Spec]:
    """The runs at one scale by name, seed by seed; none where the row does not have the scale.

    Args:
        scale: one of the scales.
        row: one of `images.SIZES`. The first row's experiment is `table1`, that of another `table1-vgg16`, say.
    """
    experiment = "table1" if row == images.FIRST_ROW else f"table1-{row}"
    return {
        f"{experiment}/{optimizer}/{seed}": images.spec(
            experiment, scale, optimizer, seed, row, keep_weights=optimizer in KEPT and scale in ("laptop", "colab")
        )
        for seed in range(SEEDS[scale] if scale in images.SIZES[row] else 0)
        for optimizer in images.LABELS
    }


def table(records: Iterable[Record]) -> Comparison:
    """Test errors over seeds, and each optimizer's difference to SGD at the same seed.

    Raises:
        RecordError: the records are of several scales or data sets.
    """
    return compare(records, images.LABELS, baseline="sgd")


def figure(records: Iterable[Record], axes: Sequence[Any]) -> None:
    """Draw the learning curves of AdaiW, Adai, SGD with momentum and Adam.

    Args:
        records: runs of one scale and data set.
        axes: two matplotlib axes, for the training loss and the test error.

    Raises:
        RecordError: the records are of several scales or data sets.
    """
    learning_curves(records, axes, {name: images.LABELS[name] for name in ("adaiw", "adai", "sgd", "adam")})


ROWS = {
    f"table1-{row}": SimpleNamespace(runs=partial(runs, row=row), table=table, figure=figure)
    for row in images.SIZES
    if row != images.FIRST_ROW
}
"""The experiments of the other rows, each with the functions of a module."""
