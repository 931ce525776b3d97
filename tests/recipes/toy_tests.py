"""The batch sizes differ and nothing else does."""

from adai.experiments import toy


def test_runs_come_in_pairs():
    runs = toy.runs("laptop")
    assert {spec.batch_size for spec in runs.values()} == set(toy.BATCHES) and len(runs) == 20
