"""What a run of training is: a `Spec` holds everything that decides its result."""

import re
from collections.abc import Iterator
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

from adai.records.values import RecordError, canonical, is_integer, is_number, require, short_hash

SCALES = ("smoke", "laptop", "colab", "paper")
PRECISIONS = ("fp32", "mixed")
CROPS = ("padded", "resized")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
"""What an experiment may be called: it names a folder, and a foreign record must not reach outside of it."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """Everything that decides the result of one training run.

    A field added later must have a default, and no default may ever change: a field at its default does not
    enter the hash, so older records keep their names.

    Args:
        experiment: the table of runs it belongs to, also the folder of its record.
        scale: `smoke`, `laptop`, `colab` or `paper`; results are compared within one scale only.
        dataset: a name in `adai.data.DATASETS`.
        model: a name in `adai.models.MODELS`.
        optimizer: a name in `adai.optim.CATALOGUE`.
        hyperparameters: the optimizer's keyword arguments, `lr` among them.
        seed: every random choice of the run follows from it.
        epochs: passes over the training set.
        batch_size: examples a step.
        dataset_options: keyword arguments of the data set's reader.
        model_options: keyword arguments of the model.
        milestones: when the learning rate drops, as fractions of the epochs. The default is the paper's
            schedule for CIFAR-10, epochs 80 and 160 (App. D.1), read as those of 200: the paper does not print
            how many epochs it trains.
        lr_factor: what the learning rate is multiplied by at each milestone.
        precision: `fp32`, or `mixed`: bf16 on a GPU that has it natively, fp16 with a scaled loss on one that has
            not, fp32 on a CPU. The record's environment says which it was.
        keep_weights: leave the last weights beside the record (see `weights_path`).
        augment: train on random crops and mirror images (`adai.data.augment`).
        clip: the largest norm of a gradient, all parameters together; longer ones are shortened to it.
        bptt: tokens after which backpropagation through a text is cut off; only for texts, and demanded there.
        crop: what is cropped, if so: images `padded` by four pixels, or boxes of any size and shape, `resized`.
        top5: measure the top-5 test error, too: the share of examples whose class is not among the five most likely.

    Raises:
        RecordError: a value is of the wrong type or out of its range.
    """

    experiment: str
    scale: str
    dataset: str
    model: str
    optimizer: str
    hyperparameters: dict[str, Any]
    seed: int
    epochs: int
    batch_size: int
    dataset_options: dict[str, Any] = field(default_factory=dict)
    model_options: dict[str, Any] = field(default_factory=dict)
    milestones: tuple[float, ...] = (0.4, 0.8)
    lr_factor: float = 0.1
    precision: str = "fp32"
    keep_weights: bool = False
    augment: bool = False
    clip: float | None = None
    bptt: int | None = None
    crop: str = "padded"
    top5: bool = False

    def __post_init__(self) -> None:
        for spec_field in fields(self):
            value = canonical(spec_field.name, getattr(self, spec_field.name))
            object.__setattr__(self, spec_field.name, value)
        for name, valid, expected in self._requirements():
            require(valid, name, getattr(self, name), expected)
        lr: Any = self.hyperparameters.get("lr")
        require(is_number(lr) and lr > 0, "hyperparameters['lr']", lr, "a positive number")

    def _requirements(self) -> Iterator[tuple[str, bool, str]]:
        """Yield each field's name, whether its value may be, and what may."""
        for name in ("experiment", "dataset", "model", "optimizer"):
            value = getattr(self, name)
            yield name, isinstance(value, str) and NAME.fullmatch(value) is not None, "a lower-case name"
        for name, choices in (("scale", SCALES), ("precision", PRECISIONS), ("crop", CROPS)):
            yield name, getattr(self, name) in choices, f"one of {', '.join(choices)}"
        yield "crop", self.augment is True or self.crop == CROPS[0], f"{CROPS[0]} in a run that does not augment"
        for name in ("keep_weights", "augment", "top5"):
            yield name, isinstance(getattr(self, name), bool), "true or false"
        for name in ("hyperparameters", "dataset_options", "model_options"):
            yield name, isinstance(getattr(self, name), dict), "a dictionary"
        for name, least in (("seed", 0), ("epochs", 1), ("batch_size", 1)):
            value = getattr(self, name)
            yield name, is_integer(value) and value >= least, f"an integer of at least {least}"
        drops = self.milestones
        increasing = isinstance(drops, tuple) and all(map(is_number, drops)) and list(drops) == sorted(set(drops))
        within = increasing and all(0 < fraction < 1 for fraction in drops)
        yield "milestones", within, "increasing fractions between 0 and 1"
        yield "lr_factor", is_number(self.lr_factor) and 0 < self.lr_factor <= 1, "a number in (0, 1]"
        yield "clip", self.clip is None or (is_number(self.clip) and self.clip > 0), "a positive number or None"
        cut = self.bptt is None or (is_integer(self.bptt) and self.bptt > 0)
        yield "bptt", cut, "an integer of at least 1 or None"

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that name this spec; a field at its default does not enter them."""
        return short_hash({name: value for name, value in asdict(self).items() if value != _default(name)})

    @classmethod
    def from_dict(cls, values: Any) -> "Spec":
        """Read a spec back from JSON; raise `RecordError` for a missing or foreign field."""
        require(isinstance(values, dict), "spec", values, "a dictionary")
        names = {spec_field.name for spec_field in fields(cls)}
        if foreign := sorted(values.keys() - names):
            raise RecordError(f"the spec has fields that no spec has: {', '.join(foreign)}")
        needed = {name for name in names if _default(name) is MISSING}
        if missing := sorted(needed - values.keys()):
            raise RecordError(f"the spec lacks {', '.join(missing)}")
        return cls(**values)


def _default(name: str) -> Any:
    spec_field = Spec.__dataclass_fields__[name]
    return {} if spec_field.default_factory is dict else spec_field.default
