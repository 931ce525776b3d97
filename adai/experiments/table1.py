"""Table 1: ten optimizers at the paper's settings on one network.

All settings are the paper's for CIFAR-10 (Appendix D.1); what it leaves open is each optimizer's own default.
Nothing is tuned here. Seeds were fixed before any test error was seen.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from adai.experiments import images
from adai.experiments.comparison import Comparison, compare, learning_curves
from adai.records import Record, Spec

SEEDS = {"smoke": 1, "laptop": 5}
KEPT = ("adai", "sgd", "adam")
"""Their weights serve the measurements of sharpness."""


def runs(scale: str) -> dict[str, Spec]:
    """The runs at one scale by name, seed by seed; none where the experiment does not have the scale."""
    return {
        f"table1/{optimizer}/{seed}": images.spec(
            "table1", scale, optimizer, seed, keep_weights=optimizer in KEPT and scale != "smoke"
        )
        for seed in range(SEEDS.get(scale, 0))
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
