"""A spec names its run: by every field, on every machine, and with no bad value."""

import dataclasses
import hashlib
import math

import pytest

from adai.records import RecordError
from tests.records.made import SPEC


def test_hash_is_the_same_on_every_machine_and_for_every_spelling():
    canonical = (
        '{"batch_size":32,"dataset":"digits","epochs":2,"experiment":"digits","hyperparameters":{"lr":0.1},'
        '"model":"mlp","optimizer":"sgd","scale":"laptop","seed":0}'
    )
    assert SPEC.hash == hashlib.sha256(canonical.encode()).hexdigest()[:12]
    spelled_otherwise = {"hyperparameters": {"lr": 0.1}, "milestones": [0.4, 0.8], "lr_factor": 0.1, "seed": 0}
    assert dataclasses.replace(SPEC, **spelled_otherwise).hash == SPEC.hash
    one, other = ({"lr": 1, "betas": [0.1, 0.99]}, {"betas": (0.1, 0.99), "lr": 1.0})
    assert dataclasses.replace(SPEC, hyperparameters=one) == dataclasses.replace(SPEC, hyperparameters=other)


OTHER = {
    "experiment": "other",
    "scale": "colab",
    "dataset": "mnist",
    "model": "lstm",
    "optimizer": "adai",
    "hyperparameters": {"lr": 0.2},
    "seed": 1,
    "epochs": 3,
    "batch_size": 64,
    "dataset_options": {"limit": 128},
    "model_options": {"width": 8},
    "milestones": (0.5,),
    "lr_factor": 0.5,
    "precision": "mixed",
    "keep_weights": True,
    "augment": True,
    "clip": 1,
    "bptt": 35,
    "crop": "resized",
    "top5": True,
}
"""Another value of each field."""


def test_the_hash_changes_with_every_field():
    assert OTHER.keys() == {field.name for field in dataclasses.fields(SPEC)}, "a new field has no other value here"
    augmented = dataclasses.replace(SPEC, augment=True)  # without it there is nothing to crop
    others = [dataclasses.replace(augmented if name == "crop" else SPEC, **{name: v}) for name, v in OTHER.items()]
    assert len({SPEC.hash, augmented.hash, *(spec.hash for spec in others)}) == len(OTHER) + 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": "huge"}, "scale is 'huge', expected one of smoke, laptop"),
        ({"experiment": "../../etc"}, "experiment is '../../etc', expected a lower-case name"),
        ({"seed": -1}, "seed is -1, expected an integer of at least 0"),
        ({"seed": True}, "seed is True"),
        ({"epochs": 0}, "epochs is 0"),
        ({"augment": True, "crop": "random"}, "crop is 'random', expected one of padded, resized"),
        ({"crop": "resized"}, "crop is 'resized', expected padded in a run that does not augment"),
        ({"top5": 1}, "top5 is 1, expected true or false"),
        ({"batch_size": 2.5}, "batch_size is 2.5"),
        ({"hyperparameters": {}}, r"hyperparameters\['lr'\] is None, expected a positive number"),
        ({"hyperparameters": {"lr": 0}}, r"hyperparameters\['lr'\] is 0"),
        ({"hyperparameters": {"lr": 1, "eps": math.nan}}, r"hyperparameters\['eps'\] is nan"),
        ({"hyperparameters": [0.1]}, "expected a dictionary"),
        ({"milestones": (0.8, 0.4)}, "expected increasing fractions"),
        ({"milestones": (80, 160)}, "expected increasing fractions"),
        ({"lr_factor": 10}, r"lr_factor is 10, expected a number in \(0, 1\]"),
        ({"lr_factor": 1.5}, "lr_factor is 1.5"),
        ({"lr_factor": 0}, "lr_factor is 0"),
        ({"clip": 0}, "clip is 0, expected a positive number or None"),
        ({"bptt": 0}, "bptt is 0, expected an integer of at least 1 or None"),
        ({"precision": "fp64"}, "precision is 'fp64', expected one of fp32"),
    ],
)
def test_bad_spec_is_refused_by_name_and_value(change, message):
    with pytest.raises(RecordError, match=message):
        dataclasses.replace(SPEC, **change)
