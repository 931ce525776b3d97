"""Data, network and length of a run at each scale, which the experiments on images share.

**Laptop.** For the first row of Table 1: a ResNet of the paper's family, quarter width and one block a stage (309
thousand parameters), on CIFAR-10 at 16 × 16 pixels, 45,000 of the 50,000 training images, no augmentation; the other
5,000 are held out for choosing learning rates. Batch size and schedule are the paper's. This was chosen by a pilot on a
seed (1000) that no other run uses, with training images held out for it and the test set untouched: SGD on seven
candidates, then one run each of Adam and Adai. Three properties were asked for: training reaches every training image
(SGD M, Adam and Adai end below 0.03 % training error: the regime that the paper's claim is about), a run makes more
than 10,000 steps (Adai's longest memory is 1/eps = 1,000), and takes about five minutes on one core.
"""

from adai.experiments.base import Fields
from adai.optim import CATALOGUE, settings
from adai.records import Spec

TABLE1 = ("adaiw", "adai", "sgd", "adam", "amsgrad", "adamw", "adabound", "padam", "yogi", "radam")
LABELS = {name: CATALOGUE[name].label for name in TABLE1}
"""The optimizers of Table 1, in its order and with its labels."""

BATCH_SIZE = 128
HELD_OUT = 5000
JPEG_COPY = "CIFAR-10 (JPEG copy)"
"""Label of the copy that the committed records were made from: all images, each re-encoded as a JPEG."""


def _smoke(model: str, width: int) -> Fields:
    return {
        "dataset": "cifar10",
        "dataset_options": {"size": 16, "limit": 512},
        "model": model,
        "model_options": {"width": width},
        "epochs": 2,
    }


def _paper(dataset: str, model: str) -> Fields:
    # The paper prints neither epochs nor precision: its schedules read as those of 200 epochs; on GPUs we take mixed.
    many = dataset == "cifar100"
    return {
        "dataset": dataset,
        "model": model,
        "model_options": {"classes": 100} if many else {},
        "epochs": 200,
        "milestones": (0.5, 0.75) if many else (0.4, 0.8),
        "augment": True,
        "precision": "mixed",
    }


SIZES: dict[str, dict[str, Fields]] = {
    "resnet18": {
        "smoke": _smoke("resnet10", width=4),
        "laptop": {
            "dataset": "cifar10",
            "dataset_options": {"size": 16, "limit": 50_000 - HELD_OUT},
            "model": "resnet10",
            "model_options": {"width": 16},
            "epochs": 29,
        },
        # Ten optimizers in about an hour on a T4.
        "colab": _paper("cifar10", "resnet18") | {"epochs": 15},
        "paper": _paper("cifar10", "resnet18"),
    },
    # CIFAR-100 has 500 images of each class; so has this set.
    "many": {
        "smoke": {
            "dataset": "tiny_imagenet",
            "dataset_options": {"classes": 50, "size": 16, "limit": 512},
            "model": "resnet10",
            "model_options": {"width": 4, "classes": 50},
            "epochs": 2,
        },
        "laptop": {
            "dataset": "tiny_imagenet",
            "dataset_options": {"classes": 50, "size": 16, "limit": 25_000 - HELD_OUT},
            "model": "resnet10",
            "model_options": {"width": 16, "classes": 50},
            "epochs": 65,
        },
    },
    "vgg16": {"smoke": _smoke("vgg16", width=4), "paper": _paper("cifar10", "vgg16")},
    "resnet34": {"smoke": _smoke("resnet34", width=4), "paper": _paper("cifar100", "resnet34")},
    "densenet121": {"smoke": _smoke("densenet121", width=4), "paper": _paper("cifar100", "densenet121")},
    "googlenet": {"smoke": _smoke("googlenet", width=12), "paper": _paper("cifar100", "googlenet")},
}
"""The rows of Table 1, by the paper's network, and one with many classes: data, network and length at each scale."""
FIRST_ROW = next(iter(SIZES))


def spec(
    experiment: str,
    scale: str,
    optimizer: str,
    seed: int,
    row: str = FIRST_ROW,
    *,
    label: str | None = None,
    changes: Fields | None = None,
) -> Spec:
    """Return the spec of a run at a scale, with the paper's settings for CIFAR except what is given.

    Args:
        experiment: the table of runs it belongs to.
        scale: one of those that the row has.
        optimizer: a name in `adai.optim.CATALOGUE`.
        seed: of the run.
        row: one of `SIZES`.
        label: of CIFAR's files if they are not the published ones, as `adai.data.cifar.load` demands.
        changes: other fields of the spec; `hyperparameters` and `dataset_options` change only what they name.
    """
    size = SIZES[row][scale]
    values = {name: setting.value for name, setting in settings(optimizer, "cifar").items()}
    changes = changes or {}
    options = size.get("dataset_options", {}) | changes.get("dataset_options", {})
    if label and size["dataset"].startswith("cifar"):
        options |= {"label": label}
    fields: Fields = {
        "batch_size": BATCH_SIZE,
        **size,
        **changes,
        "dataset_options": options,
        "hyperparameters": values | changes.get("hyperparameters", {}),
    }
    return Spec(experiment=experiment, scale=scale, optimizer=optimizer, seed=seed, **fields)


def round_product(value: float, factor: float) -> float:
    """Return the product to twelve digits, so that 0.001 times 0.1 is 0.0001, and a spec has one spelling."""
    return float(f"{value * factor:.12g}")
