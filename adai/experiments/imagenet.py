"""Figure 3: Adai, SGD with momentum and Adam train a bottleneck ResNet on ImageNet, or on a part of it.

Recipe and learning rates are the paper's (Appendix D.1) at every scale: resized crops and mirror images, weight decay
0.0001, the rate divided by 10 at 30, 60 and 90 % of the epochs, no warm-up. The paper names the epochs 30, 60 and 90
but not how many there are in all: we read 100. (A common recipe ends at epoch 90, where the last division would do
nothing.) It does not print the precision of its numbers either; on GPUs we take mixed precision.

**Laptop.** Fifty classes of Tiny ImageNet at 64 pixels, 20,000 of the 25,000 training images; the other 5,000 are held
out. The network is the paper's at a quarter of its width and with one block a stage, stem included (532,034
parameters). Width, depth and batch size were fixed by time and a pilot on a seed (1000) that no other run uses, whose
errors were those of held-out images; the test images took no part. The most that a run may take is eight minutes of one
core, which is 16 epochs. Six epochs at batches of 32 and of 64 were compared, for SGD with momentum and for Adai; 64
had the lower held-out errors, and 16 epochs then make 5,008 steps. Adam ran once on the same, to see that it trains.
Adai was far behind SGD with momentum at both batch sizes, and nothing was changed for that.
Nobody's learning rate was chosen here: all are the paper's, for batches of 256.
"""

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

from adai.experiments import images
from adai.experiments.base import NOTHING, Fields, Inputs
from adai.experiments.comparison import Estimate, Table, compare, learning_curves
from adai.optim import settings
from adai.records import Record, Spec, comparable

LABELS = {"adai": "Adai", "sgd": "SGD M", "adam": "Adam"}
"""The optimizers in the order of the paper's table, with its labels."""
ERRORS = {"top1": "test_error", "top5": "test_top5_error"}
"""The paper's names of the errors, and the curves of a record that have them."""
RECIPE: Fields = {"milestones": (0.3, 0.6, 0.9), "augment": True, "crop": "resized", "top5": True}
SEEDS = {"smoke": 1, "laptop": 3, "colab": 1, "paper": 1}
SIZES: dict[str, Fields] = {
    "smoke": {
        "dataset": "tiny_imagenet",
        "dataset_options": {"classes": 8, "limit": 128},
        "model": "resnet14",
        "model_options": {"width": 4, "classes": 8},
        "epochs": 2,
        "batch_size": 32,
    },
    "laptop": {
        "dataset": "tiny_imagenet",
        "dataset_options": {"classes": 50, "limit": 25_000 - images.HELD_OUT},
        "model": "resnet14",
        "model_options": {"width": 16, "classes": 50},
        "epochs": 16,
        "batch_size": 64,
    },
    # Three runs in about an hour on a T4, estimated, not measured.
    "colab": {
        "dataset": "tiny_imagenet",
        "model": "resnet50",
        "model_options": {"classes": 200},
        "epochs": 20,
        "batch_size": 256,
        "precision": "mixed",
    },
    "paper": {
        "dataset": "imagenet",
        "model": "resnet50",
        "epochs": 100,
        "batch_size": 256,
        "precision": "mixed",
    },
}


def runs(scale: str, given: Inputs = NOTHING) -> dict[str, Spec]:
    """Return the runs at one scale by name, seed by seed."""
    return {
        f"imagenet/{optimizer}/{seed}": Spec(
            experiment="imagenet",
            scale=scale,
            optimizer=optimizer,
            seed=seed,
            **(RECIPE | SIZES[scale] | {"hyperparameters": _hyperparameters(optimizer)}),
        )
        for seed in range(SEEDS[scale])
        for optimizer in LABELS
    }


def _hyperparameters(optimizer: str) -> dict[str, Any]:
    return {name: setting.value for name, setting in settings(optimizer, "imagenet").items()}


def difference(records: Iterable[Record], name: str, baseline: str, error: str = "top1") -> Estimate | None:
    """Return the last epoch's error of one optimizer minus another's at the same seed; None without a pair of runs.

    Args:
        records: runs of one scale and data set.
        name, baseline: two of `LABELS`.
        error: ``"top1"`` or ``"top5"``.

    Raises:
        RecordError: the records are of several scales or data sets.
    """
    return compare(records, LABELS, baseline, ERRORS[error])[name].difference


class Errors(Table):
    """Top-1 and top-5 errors, of the last epoch and of the best one, training losses, and minutes a run."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.records = comparable(records)
        self.errors = {name: compare(self.records, LABELS, "sgd", curve) for name, curve in ERRORS.items()}
        self.title = self.errors["top1"].title

    def cells(self) -> list[list[str]]:
        """Return one line for each optimizer; in brackets the best epoch, chosen on the test set as the paper does."""
        lines = [["optimizer", "seeds", "top-1, %", "(best)", "top-5, %", "(best)", "training loss", "minutes"]]
        for name, label in LABELS.items():
            runs = [record for record in self.records if record.spec.optimizer == name]
            if not runs:
                lines.append([label, "0", *[""] * 6])
                continue
            rows = [comparison[name] for comparison in self.errors.values()]
            errors = [text for row in rows for text in (str(row.last), f"({row.best and row.best.mean:.2f})")]
            loss = fmean(record.curves["train_loss"][-1] for record in runs)
            minutes = fmean(record.seconds for record in runs) / 60
            lines.append([label, str(len(runs)), *errors, f"{loss:.3f}", f"{minutes:.1f}"])
        return lines


def table(records: Iterable[Record]) -> Errors:
    """Return top-1 and top-5 test errors over seeds."""
    return Errors(records)


def figure(records: Iterable[Record], axes: Sequence[Any]) -> None:
    """Draw the learning curves on two axes: training loss and top-1 test error."""
    learning_curves(records, axes, LABELS)
    for axis in axes:  # within a factor of ten
        axis.set_yscale("linear")
