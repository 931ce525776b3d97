"""A spec, and a record of it, for the tests of records."""

import dataclasses

from adai.records import Record, Spec
from tests import made_up

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
    """Return a true record of a spec, with these fields changed."""
    record = made_up.record(spec, train_loss=[1.0] * spec.epochs, test_error=[50.0] * spec.epochs)
    environment = {"commit": COMMIT, "dirty": False, "python": "3.11.7"}
    usual = {"environment": environment, "data": DATA, "first_losses": LOSSES, "seconds": 1.5}
    return dataclasses.replace(record, **usual | changes)
