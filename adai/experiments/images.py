"""What the experiments on images share: data, network and length of a run at each scale, fixed in one place.

**Laptop.** A ResNet of the paper's family, quarter width and one block a stage (309 thousand parameters), on CIFAR-10
at 16 × 16 pixels, 45,000 of the 50,000 training images, no augmentation; the other 5,000 are held out for choosing
learning rates. Batch size and schedule are the paper's. This was chosen by a pilot on a seed (1000) that no other run
uses, with training images held out for it and the test set untouched: SGD on seven candidates, then one run each of
Adam and Adai. Three properties were asked for: training reaches every training image (SGD M, Adam and Adai end below
0.03 % training error: the regime that the paper's claim is about), a run makes more than 10,000 steps (Adai's longest
memory is 1/eps = 1,000), and takes about five minutes on one core.
"""

from typing import Any

from adai.optim import settings
from adai.records import Spec

LABELS = {
    "adaiw": "AdaiW",
    "adai": "Adai",
    "sgd": "SGD M",
    "adam": "Adam",
    "amsgrad": "AMSGrad",
    "adamw": "AdamW",
    "adabound": "AdaBound",
    "padam": "Padam",
    "yogi": "Yogi",
    "radam": "RAdam",
}
"""The optimizers of Table 1, in its order and with its labels."""

BATCH_SIZE = 128
HELD_OUT = 5000
JPEG_COPY = "CIFAR-10 (JPEG copy)"
SIZES: dict[str, dict[str, Any]] = {
    "smoke": {
        "dataset": "cifar10",
        "dataset_options": {"label": JPEG_COPY, "size": 16, "limit": 512},
        "model": "resnet10",
        "model_options": {"width": 4},
        "epochs": 2,
    },
    "laptop": {
        "dataset": "cifar10",
        "dataset_options": {"label": JPEG_COPY, "size": 16, "limit": 50_000 - HELD_OUT},
        "model": "resnet10",
        "model_options": {"width": 16},
        "epochs": 29,
    },
}


def spec(experiment: str, scale: str, optimizer: str, seed: int, **changes: Any) -> Spec:
    """One run at a scale, with the paper's settings for CIFAR where nothing else is said.

    Args:
        experiment: the table of runs it belongs to.
        scale: one of `SIZES`.
        optimizer: a name in `adai.optim.OPTIMIZERS`.
        seed: of the run.
        changes: other fields of the spec; `hyperparameters` are laid over the paper's.
    """
    values = {name: setting.value for name, setting in settings(optimizer, "cifar").items()}
    hyperparameters = values | changes.pop("hyperparameters", {})
    fields = {"batch_size": BATCH_SIZE} | SIZES[scale] | changes
    return Spec(
        experiment=experiment, scale=scale, optimizer=optimizer, seed=seed, hyperparameters=hyperparameters, **fields
    )


def scaled(value: float, factor: float) -> float:
    """Their product to twelve digits, so that 0.001 times 0.1 is 0.0001, and a spec has one spelling."""
    return float(f"{value * factor:.12g}")
