"""A spec, and a record of it, for the tests of records."""

import dataclasses

from adai.records import Record, Spec

SPEC = Spec(
    experiment="digits",
    scale="laptop",
    dataset="digits",
    model="mlp",
    optimizer="sgd",
    hyperparameters={"lr": 0.1},
    seed=0,
    epochs=2,
    batch_size=32,
)
COMMIT = "0123456789abcdef0123456789abcdef01234567"
DATA = {"label": "digits (scikit-learn)", "checksum": "ab" * 32}
LOSSES = [2.3, 2.2, 2.1]


def a_record(spec: Spec = SPEC, **changes) -> Record:
    environment = {"commit": COMMIT, "dirty": False, "python": "3.11.7"}
    record = Record(
        spec=spec,
        environment=environment,
        data=DATA,
        curves={"train_loss": [1.0] * spec.epochs, "test_error": [50.0] * spec.epochs},
        first_losses=LOSSES,
        examples_per_second=1000.0,
        seconds=1.5,
        peak_memory_mib=300.0,
    )
    return dataclasses.replace(record, **changes)
